"""The painter's stage: learns to draw frames from what recordings say is in them."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.data.record import RecordConfig
from oyster_jax.models import painter
from oyster_jax.models.painter import PainterConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.loop import BatchIterator, Stage
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.step import Batch
from oyster_jax.train.structure import moments_of
from oyster_jax.typing import Array, Params, PRNGKey

ARRAYS = ("frames", "tiles", "entities", "entity_mask")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PainterTraining:
    """A painter and how it trains.

    Attributes:
      recording: what it learns from, a recording of its own with tiles and named types of entities.
      features: of a pixel, between its convolutions.
      training: how long.
    """

    recording: RecordConfig
    features: int = 32
    training: TrainConfig = TrainConfig(
        steps=1200,
        batch=24,
        window=1,
        average_decay=0.99,
        optimizer=OptimizerConfig(name="adamw", learning_rate=3e-3, warmup=50, decay=0.5),
    )

    @property
    def network(self) -> PainterConfig:
        """What the painter is."""
        return PainterConfig.of(self.recording.source.spec, self.features)


def painter_stage(config: PainterConfig, training: TrainConfig, dataset: EpisodeDataset, seed: int) -> Stage:
    """Returns the stage that trains a painter on the frames of `dataset` and what it says of them.

    Raises:
      DatasetError: it does not say it.
    """
    if missing := set(ARRAYS) - set(dataset.content):
        raise DatasetError(
            f"{dataset.folder} holds no {', '.join(sorted(missing))} for a painter; record with --entities --scenery."
        )
    frame = dataset.spec.frame

    def loss(params: Params, batch: Batch, key: PRNGKey) -> tuple[Array, dict[str, Array]]:
        del key
        moments = moments_of({name: batch[name].reshape(-1, *batch[name].shape[2:]) for name in ARRAYS})
        assert moments.frame is not None
        laid = painter.laid_out(config, (frame.height, frame.width), moments)
        error = painter.bind(config, params)(laid) - moments.frame.astype(jnp.float32) / 255
        squared = jnp.mean(jnp.square(error))
        return jnp.mean(jnp.abs(error)) + 10 * squared, {"psnr": -10 * jnp.log10(squared)}

    def batches(rows: Sequence[int] | None = None) -> BatchIterator:
        drawn = WindowConfig(length=training.window, batch=training.batch, seed=seed, arrays=ARRAYS)
        return iter(windows(dataset, drawn, rows))

    return Stage(name="painter", init=lambda key: painter.init(config, key), loss=loss, batches=batches)
