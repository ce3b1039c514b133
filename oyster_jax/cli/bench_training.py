"""The part of `oyster bench` that measures training."""

import contextlib
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from oyster_jax.data.dataset import EpisodeDataset
    from oyster_jax.evaluate.figure import Figure
    from oyster_jax.train.config import TrainConfig
    from oyster_jax.train.experiment import ExperimentConfig
    from oyster_jax.train.loop import Stage

#: Frames that training is measured on; what they show makes no difference to the time.
_RECORDED = 6_000


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


def train(config: Train) -> "list[Figure]":
    """Measures the updates of a stage, after the peak of a plain matrix product."""
    import tempfile

    from oyster_jax.cli.errors import UsageError
    from oyster_jax.cli.opening import keep_compiled
    from oyster_jax.cli.train import load_experiment
    from oyster_jax.evaluate.training_speed import matmul_peak

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
    from oyster_jax.evaluate.training_speed import training_figures
    from oyster_jax.parallel.mesh import MeshConfig
    from oyster_jax.train.program import train_program

    program = train_program(stage.init, stage.loss, training, MeshConfig().build())
    step, batches = program.step, stage.batches()
    state = program.begin(stage.init(jax.random.key(0)), jax.random.key(1))
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

    from oyster_jax.models import tokenizer
    from oyster_jax.train.dynamics import dynamics_stage
    from oyster_jax.train.stages import cached

    # What the latents say makes no difference to the time it takes to learn from them.
    params = tokenizer.init(experiment.tokenizer, jax.random.key(0))
    with contextlib.redirect_stdout(sys.stderr):  # the progress is no figure
        latents = cached(experiment, params, _recorded(experiment, folder), folder / "latents")
    training, weights = experiment.dynamics_training, experiment.dynamics_loss
    return dynamics_stage(experiment.dynamics, weights, training, latents, experiment.seed)


def _recorded(experiment: "ExperimentConfig", folder: Path) -> "EpisodeDataset":
    """Records a little of what the experiment learns from."""
    from oyster_jax.data.dataset import EpisodeDataset
    from oyster_jax.data.record import record

    record(dataclasses.replace(experiment.recording, frames=_RECORDED), folder / "frames")
    return EpisodeDataset(folder / "frames")
