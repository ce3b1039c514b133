"""`oyster bench`: measures speed and prints one line of JSON a figure, so that two machines or versions compare."""

import dataclasses
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from oyster_jax.evaluate.speed import Figure


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interactive:
    """Steps a world as shipped, one action at a time: advance, render, frame on the host."""

    world: str = "coinrun"
    """Name of an installed world, or the folder of one."""
    ticks: Annotated[int, tyro.conf.arg(metavar="N")] = 5_200
    """How many; from 5,100 on, flatness (median around tick 5,000 over median around tick 500) is given too."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="K")] = None
    """Denoising steps a tick, the world's own unless given."""
    seed: int = 0
    """Of the world and of the sticky actions."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compare:
    """Prints the figures that two files share and their ratios, second over first."""

    before: tyro.conf.Positional[Path]
    """Lines that this tool printed."""
    after: tyro.conf.Positional[Path]
    """Lines that this tool printed, later or elsewhere."""


type Config = (
    Annotated[Interactive, tyro.conf.subcommand("interactive")] | Annotated[Compare, tyro.conf.subcommand("compare")]
)


def main(config: Config) -> int:
    """Measures and prints; 2 if something about the request was wrong."""
    from rich.console import Console

    try:
        match config:
            case Interactive():
                _print_figures(lambda: _interactive(config))
            case Compare():
                _compare(config)
    except (ValueError, OSError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    return 0


def _interactive(config: Interactive) -> "list[Figure]":
    import numpy as np

    from oyster_jax.data.policies import StickyPolicy
    from oyster_jax.evaluate.speed import WARM_UP, step_times, stepping_figures
    from oyster_jax.worlds.registry import load

    if config.ticks <= WARM_UP:
        raise ValueError(
            f"A run has to be longer than its {WARM_UP} ticks of warm-up, but {config.ticks} were asked for."
        )
    world = load(config.world)
    if config.steps is not None:
        world = world.with_sampler(steps=config.steps)
    policy = StickyPolicy(world.spec.action, 1, config.seed)
    actions = np.concatenate([policy.act(np.zeros(1, bool)) for _ in range(config.ticks)])
    print(f"Stepping {world.name} {config.ticks:,} times …", file=sys.stderr)
    times = step_times(world.tick, world.reset(config.seed), actions)
    conditions = {"world": world.name, "digest": world.record["digest"], "steps": world.model.sampler.steps}
    return stepping_figures(times, conditions)


def _print_figures(measured: "Callable[[], Iterable[Figure]]") -> None:
    from oyster_jax.evaluate.speed import as_line, surroundings

    # Before anything is measured, for it says how busy the machine is.
    about = surroundings()
    for figure in measured():
        print(as_line(figure, about), flush=True)


def _compare(config: Compare) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from oyster_jax.evaluate.speed import compare, read_lines

    pairs = compare(read_lines(config.before), read_lines(config.after))
    if not pairs:
        raise ValueError(f"{config.before} and {config.after} share no figure; give two runs of the same bench.")
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("figure", "before", "after", "unit", "after/before"):
        table.add_column(name, justify="left" if name in ("figure", "unit") else "right", no_wrap=True)
    for before, after, ratio in pairs:
        table.add_row(before.name, f"{before.value:.4g}", f"{after.value:.4g}", before.unit, f"{ratio:.3f}")
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Config, prog="tools/bench")))  # pyright: ignore[reportArgumentType]
