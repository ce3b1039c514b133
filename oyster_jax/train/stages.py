"""The stages of an experiment in their order: record, tokenizer, cached latents, dynamics."""

from pathlib import Path

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.manifest import MANIFEST
from oyster_jax.data.record import Progress, record
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.loop import fit
from oyster_jax.train.tokenizer import tokenizer_stage


def recorded(config: ExperimentConfig, folder: Path, progress: Progress | None = None) -> EpisodeDataset:
    """Returns the training data in `folder`, recording it first where it is not there."""
    if not (folder / MANIFEST).exists():
        record(config.recording, folder, progress)
    return EpisodeDataset(folder)


def run(config: ExperimentConfig, folder: Path, data: Path | None = None) -> None:
    """Runs all stages, each from where it was left."""
    dataset = recorded(config, data or folder / "data")
    stage = tokenizer_stage(
        config.tokenizer, config.tokenizer_loss, config.tokenizer_training, dataset, config.seed
    )
    fit(stage, config.tokenizer_training, folder / stage.name, config.seed)
