"""`oyster bench`: measures speed and prints one line of JSON a figure, so that two machines or versions compare."""

import dataclasses
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from oyster_jax.data.dataset import EpisodeDataset
    from oyster_jax.evaluate.speed import Figure
    from oyster_jax.train.experiment import ExperimentConfig
    from oyster_jax.train.loop import Stage, TrainConfig


#: Frames that training is measured on; what they show makes no difference to the time.
_RECORDED = 6_000


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
class Train:
    """Measures the updates of one training stage beside the machine's fastest matrix product."""

    config: tyro.conf.Positional[Path] = Path("configs/coinrun_nano.py")
    """The experiment: a file that `oyster train` takes."""
    updates: Annotated[int, tyro.conf.arg(metavar="N")] = 10
    """How many are measured."""


class TrainTokenizer(Train):
    """Measures the tokenizer's training: frames/s, and GFLOP/s beside the machine's fastest matrix product."""


class TrainDynamics(Train):
    """Measures the dynamics' training: frames/s, and GFLOP/s beside the machine's fastest matrix product."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compare:
    """Prints the figures that two files share and their ratios, second over first."""

    before: tyro.conf.Positional[Path]
    """Lines that this tool printed."""
    after: tyro.conf.Positional[Path]
    """Lines that this tool printed, later or elsewhere."""


type Config = (
    Annotated[Interactive, tyro.conf.subcommand("interactive")]
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
            _print_figures(lambda: _interactive(config))
        case Train():
            _print_figures(lambda: _train(config))
        case Compare():
            _compare(config)
    return 0


def _interactive(config: Interactive) -> "list[Figure]":
    import numpy as np

    from oyster_jax.cli.errors import UsageError
    from oyster_jax.cli.opening import open_world
    from oyster_jax.data.policies import StickyPolicy
    from oyster_jax.evaluate.speed import WARM_UP, step_times, stepping_figures

    if config.ticks <= WARM_UP:
        raise UsageError(
            f"A run has to be longer than its {WARM_UP} ticks of warm-up, but {config.ticks} were asked for."
        )
    world = open_world(config.world, config.steps)
    policy = StickyPolicy(world.spec.action, 1, config.seed)
    actions = np.concatenate([policy.act(np.zeros(1, bool)) for _ in range(config.ticks)])
    print(f"Stepping {world.name} {config.ticks:,} times …", file=sys.stderr)
    times = step_times(world.tick, world.reset(config.seed), actions)
    conditions = {"world": world.name, "digest": world.record["digest"], "steps": world.model.sampler.steps}
    return stepping_figures(times, conditions)


def _train(config: Train) -> "list[Figure]":
    import tempfile

    from oyster_jax.cli.errors import UsageError
    from oyster_jax.cli.opening import keep_compiled
    from oyster_jax.cli.train import load_experiment
    from oyster_jax.evaluate.speed import matmul_peak

    if config.updates < 1:
        raise UsageError(f"At least one update has to be measured, but {config.updates} were asked for.")
    experiment = load_experiment(config.config)
    keep_compiled()
    peak = matmul_peak()
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(config, TrainTokenizer):
            stage, training = _tokenizer_stage(experiment, Path(folder)), experiment.tokenizer_training
        else:
            stage, training = _dynamics_stage(experiment, Path(folder)), experiment.dynamics_training
        print(f"Training the {stage.name} of {experiment.name} for {config.updates} updates …", file=sys.stderr)
        figures = _updates(stage, training, config.updates, peak)
    return [peak, *figures]


def _updates(stage: "Stage", training: "TrainConfig", updates: int, peak: "Figure") -> "list[Figure]":
    """Measures updates as the training loop does them, batches from the loader included."""
    import jax

    from oyster_jax.evaluate.flops import matmul_flops
    from oyster_jax.evaluate.speed import training_figures
    from oyster_jax.train.state import TrainState
    from oyster_jax.train.step import make_step

    optimizer = training.optimizer.build(training.steps)
    step = make_step(stage.loss, optimizer, training.average_decay)
    batches = stage.batches()
    state = TrainState.begin(stage.init(jax.random.key(0)), optimizer, jax.random.key(1))
    batch = next(batches)
    gradient = jax.value_and_grad(stage.loss, has_aux=True)
    flops = matmul_flops(gradient, state.params, batch, state.key)
    conditions = {
        "batch": training.batch,
        "window": training.window,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(state.params)),
        # Products of the optimizer itself: they take time, but are no part of the rate.
        "optimizer_gflop": round((matmul_flops(step, state, batch) - flops) / 1e9, 2),
    }
    return training_figures(
        stage.name,
        lambda state: step(state, next(batches)),
        state,
        steps=updates,
        frames=training.batch * training.window,
        flops=flops,
        peak=peak,
        conditions=conditions,
    )


def _tokenizer_stage(experiment: "ExperimentConfig", folder: Path) -> "Stage":
    from oyster_jax.train.tokenizer import tokenizer_stage

    dataset = _recorded(experiment, folder)
    training, weights = experiment.tokenizer_training, experiment.tokenizer_loss
    return tokenizer_stage(experiment.tokenizer, weights, training, dataset, experiment.seed)


def _dynamics_stage(experiment: "ExperimentConfig", folder: Path) -> "Stage":
    import jax

    from oyster_jax.data.latents import cache_latents
    from oyster_jax.models import tokenizer
    from oyster_jax.train.dynamics import dynamics_stage

    # What the latents say makes no difference to the time it takes to learn from them.
    params = tokenizer.init(experiment.tokenizer, jax.random.key(0))
    encode = jax.jit(lambda frames: tokenizer.bind(experiment.tokenizer, params).encoder(frames))
    latents = cache_latents(_recorded(experiment, folder), encode, "untrained", folder / "latents")
    training, weights = experiment.dynamics_training, experiment.dynamics_loss
    return dynamics_stage(experiment.dynamics, weights, training, latents, experiment.seed)


def _recorded(experiment: "ExperimentConfig", folder: Path) -> "EpisodeDataset":
    """Records a little of what the experiment learns from."""
    from oyster_jax.data.dataset import EpisodeDataset
    from oyster_jax.data.record import record

    record(dataclasses.replace(experiment.recording, frames=_RECORDED), folder / "frames")
    return EpisodeDataset(folder / "frames")


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

    from oyster_jax.cli.errors import UsageError
    from oyster_jax.evaluate.speed import compare, read_lines

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
