"""Prints how well structure survives the latents of a run's tokenizer, on a held-out recording.

    .venv/bin/python tools/structure_figures.py configs/craftax_nano.py RUN --data TRAINING --held-out HELD_OUT

A probe is trained first, on real frames of the training recording, in the run's folder.
"""

import dataclasses
import functools
from pathlib import Path
from typing import Annotated

import tyro


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """What is measured."""

    experiment: tyro.conf.Positional[Path]
    """The configuration file."""
    run: tyro.conf.Positional[Path]
    """The run, whose tokenizer has a checkpoint."""
    data: Path
    """A recording of training levels, which the probe learns from."""
    held_out: Path
    """A recording of held-out levels."""
    moments: Annotated[int, tyro.conf.arg(metavar="N")] = 2048
    """How many moments are measured."""
    steps: Annotated[int, tyro.conf.arg(metavar="N")] = 600
    """Updates of the probe."""


def main(config: Config) -> int:
    """Trains the probe and prints a table."""
    from oyster_jax.cli.train import load_experiment
    from oyster_jax.data.dataset import EpisodeDataset
    from oyster_jax.evaluate.structure import structure_figures
    from oyster_jax.models import tokenizer
    from oyster_jax.models.tile_probe import ProbeConfig
    from oyster_jax.train.config import TrainConfig
    from oyster_jax.train.loop import fit
    from oyster_jax.train.optimizer import OptimizerConfig
    from oyster_jax.train.probe import probe_stage
    from oyster_jax.train.stages import restored

    experiment = load_experiment(config.experiment)
    network = experiment.tokenizer
    assert network.structure is not None, "the experiment's tokenizer has no structure to measure"
    probe = ProbeConfig(structure=network.structure, side=network.patch)
    optimizer = OptimizerConfig(learning_rate=2e-3, warmup=20, decay=0.4)
    training = TrainConfig(steps=config.steps, batch=64, window=1, average_decay=0.98, optimizer=optimizer)
    stage = probe_stage(probe, training, EpisodeDataset(config.data), seed=1)
    judged = fit(stage, training, config.run / stage.name, seed=1).average
    init = functools.partial(tokenizer.init, network)
    params = restored(init, experiment.tokenizer_training, config.run / "tokenizer")
    found = structure_figures(network, params, probe, judged, EpisodeDataset(config.held_out), config.moments)
    print(f"{'':10}{'tiles':>10}{'creatures':>11}{'F1':>8}{'place':>8}{'shown':>8}")
    for name, figures in found.items():
        print(
            f"{name:10}{figures.tiles:10.4f}{figures.creatures:11.4f}{figures.f1:8.4f}{figures.place:8.3f}"
            f"{figures.quantities:8.4f}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Config)))
