"""`oyster bench`: measures speed and prints one line of JSON a figure, so that two machines or versions compare."""

import dataclasses
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from oyster_jax.cli.bench_generate import Generate, generate
from oyster_jax.cli.bench_serving import Photon, Players, Together, photon, players, together
from oyster_jax.cli.bench_training import Train, TrainDynamics, TrainTokenizer, train
from oyster_jax.cli.cores import use_one_core

if TYPE_CHECKING:
    from oyster_jax.core.state import WorldState
    from oyster_jax.evaluate.figure import Figure
    from oyster_jax.evaluate.speed import SpeedConfig
    from oyster_jax.typing import Frame, Params
    from oyster_jax.worlds.world import World


@dataclasses.dataclass(frozen=True, kw_only=True)
class _OfWorld:
    """What all measurements of a world share."""

    world: str = "coinrun"
    """Name of an installed world, or the folder of one."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="K")] = None
    """Denoising steps a tick, the world's own unless given."""
    seed: int = 0
    """Of the world and of its actions."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interactive(_OfWorld):
    """Steps a world as shipped, one action at a time: latency from the action to its frame on the host, and memory."""

    ticks: Annotated[int, tyro.conf.arg(metavar="N")] = 27_000
    """How many; 27,000 are half an hour at 15 a second. From 500 on, flatness and growth of memory are given too."""
    rounds: Annotated[int, tyro.conf.arg(metavar="N")] = 20
    """Turns in which the end of the run is compared with its tick 100."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch(_OfWorld):
    """Simulates many worlds at once, every frame rendered and fetched: ticks/s of all together."""

    sizes: tuple[int, ...] = (1, 8, 32, 128)
    """How many worlds."""
    ticks: Annotated[int, tyro.conf.arg(metavar="N")] = 16
    """Of one rollout."""
    rounds: Annotated[int, tyro.conf.arg(metavar="N")] = 5
    """How many rollouts of each size are measured."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start(_OfWorld):
    """Opens a world in fresh processes, with and without compiled programs: time to the first frame, peak memory."""

    starts: Annotated[int, tyro.conf.arg(metavar="N")] = 3
    """How many pairs of a cold and a warm start."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Levers(_OfWorld):
    """Runs the same tick in several ways, in turns: what each lever of interactive speed gives on this machine."""

    ticks: Annotated[int, tyro.conf.arg(metavar="N")] = 50
    """Of one turn."""
    rounds: Annotated[int, tyro.conf.arg(metavar="N")] = 20
    """How many turns each has."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Products(_OfWorld):
    """Measures the matrix products of a tick in float32, bfloat16 and int8, each at the world's own shapes."""

    rounds: Annotated[int, tyro.conf.arg(metavar="N")] = 30
    """How many measurements of each."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compare:
    """Prints the figures that two files share and their ratios, second over first."""

    before: tyro.conf.Positional[Path]
    """Lines that this tool printed."""
    after: tyro.conf.Positional[Path]
    """Lines that this tool printed, later or elsewhere."""


type Config = (
    Annotated[Interactive, tyro.conf.subcommand("interactive")]
    | Annotated[Batch, tyro.conf.subcommand("batch")]
    | Annotated[Start, tyro.conf.subcommand("start")]
    | Annotated[Levers, tyro.conf.subcommand("levers")]
    | Annotated[Products, tyro.conf.subcommand("products")]
    | Annotated[Photon, tyro.conf.subcommand("photon")]
    | Annotated[Together, tyro.conf.subcommand("together")]
    | Annotated[Players, tyro.conf.subcommand("players")]
    | Annotated[Generate, tyro.conf.subcommand("generate")]
    | Annotated[TrainTokenizer, tyro.conf.subcommand("train-tokenizer")]
    | Annotated[TrainDynamics, tyro.conf.subcommand("train-dynamics")]
    | Annotated[Compare, tyro.conf.subcommand("compare")]
)


def main(config: Config) -> int:
    """Measures and prints.

    Raises:
      WorldError, DatasetError, UsageError: something about the request was wrong.
    """
    match config:
        case Interactive():
            use_one_core()
            _print_figures(lambda: _interactive(config))
        case Batch():
            _print_figures(lambda: _batch(config))
        case Start():
            _print_figures(lambda: _start(config))
        case Levers():
            _print_figures(lambda: _levers(config))
        case Products():
            _print_figures(lambda: _products(config))
        case Generate():
            from oyster_jax.cli.opening import split_cpu

            split_cpu(config.devices)
            _print_figures(lambda: generate(config))
        case Together():
            _print_figures(lambda: together(config))
        case Players():
            _print_figures(lambda: players(config))
        case Photon():
            use_one_core()
            _print_figures(lambda: photon(config))
        case Train():
            _print_figures(lambda: train(config))
        case Compare():
            _compare(config)
    return 0


def _interactive(config: Interactive) -> "list[Figure]":
    from oyster_jax.evaluate.speed import interactive_figures

    request = _speed_config(seed=config.seed, ticks=config.ticks, rounds=config.rounds)
    world, conditions = _opened(config)
    print(f"Stepping {world.name} {config.ticks:,} times …", file=sys.stderr)
    return interactive_figures(world.model, world.params, request, conditions=conditions)


def _batch(config: Batch) -> "Iterable[Figure]":
    from oyster_jax.evaluate.speed import batch_figures

    request = _speed_config(
        seed=config.seed, batches=config.sizes, batch_ticks=config.ticks, batch_rounds=config.rounds
    )
    world, conditions = _opened(config)
    print(f"Simulating {', '.join(map(str, config.sizes))} of {world.name} at once …", file=sys.stderr)
    return batch_figures(world.model, world.params, request, conditions=conditions)


def _start(config: Start) -> "list[Figure]":
    from oyster_jax.cli.first_frame import first_frame_command
    from oyster_jax.evaluate.startup import start_figures

    _at_least_one("--starts", config.starts)
    world, conditions = _opened(config)
    print(f"Opening {world.name} in {2 * config.starts} fresh processes …", file=sys.stderr)
    command = first_frame_command(config.world, config.steps)
    return start_figures(command, starts=config.starts, conditions=conditions)


def _levers(config: Levers) -> "list[Figure]":
    import numpy as np

    from oyster_jax.evaluate.levers import lever_figures

    _at_least_one("--ticks", config.ticks)
    _at_least_one("--rounds", config.rounds)
    world, conditions = _opened(config)
    actions = np.random.default_rng(config.seed).integers(world.spec.action.count, size=config.ticks, dtype=np.int32)
    print(f"Stepping {world.name} in several ways …", file=sys.stderr)
    state = world.reset(config.seed)
    return lever_figures(world.model, world.params, state, actions, rounds=config.rounds, conditions=conditions)


def _products(config: Products) -> "list[Figure]":
    import jax
    import numpy as np

    from oyster_jax.evaluate.flops import matmul_shapes
    from oyster_jax.evaluate.products import product_figures

    _at_least_one("--rounds", config.rounds)
    world, conditions = _opened(config)
    model, params = world.model, world.params

    def tick(params: "Params", state: "WorldState", action: Any) -> "Frame":
        return model.render(params, model.advance(params, state, action))

    state = jax.eval_shape(model.reset, params, jax.random.key(config.seed))
    shapes = matmul_shapes(tick, params, state, np.int32(0))
    weights = sum(leaf.size for leaf in jax.tree.leaves(params))
    print(f"Multiplying as {world.name} does …", file=sys.stderr)
    return product_figures(shapes, weights=weights, rounds=config.rounds, conditions=conditions)


def _opened(config: _OfWorld) -> "tuple[World, dict[str, Any]]":
    """Returns the world and what its figures depend on."""
    from oyster_jax.cli.opening import open_world

    world = open_world(config.world, config.steps)
    return world, {"world": world.name, "digest": world.record["digest"], "steps": world.model.sampler.steps}


def _speed_config(**fields: Any) -> "SpeedConfig":
    from oyster_jax.cli.errors import UsageError
    from oyster_jax.evaluate.speed import SpeedConfig

    try:
        return SpeedConfig(**fields)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _at_least_one(option: str, count: int) -> None:
    from oyster_jax.cli.errors import UsageError

    if count < 1:
        raise UsageError(f"{option} must be at least one, but was {count}.")


def _print_figures(measured: "Callable[[], Iterable[Figure]]") -> None:
    from oyster_jax.evaluate.figure import as_line, surroundings

    # Before anything is measured, for it says how busy the machine is.
    about = surroundings()
    for figure in measured():
        print(as_line(figure, about), flush=True)


def _compare(config: Compare) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from oyster_jax.cli.errors import UsageError
    from oyster_jax.evaluate.figure import compare, read_lines

    try:
        pairs = compare(read_lines(config.before), read_lines(config.after))
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not pairs:
        raise UsageError(f"{config.before} and {config.after} share no figure; give two runs of the same bench.")
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("figure", "before", "after", "unit", "after/before"):
        table.add_column(name, justify="left" if name in ("figure", "unit") else "right", no_wrap=True)
    for before, after, ratio in pairs:
        table.add_row(before.name, f"{before.value:.4g}", f"{after.value:.4g}", before.unit, f"{ratio:.3f}")
    Console().print(table)
