"""The probe's stage: learns to read tiles, entities and counts off real frames, and off nothing else."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.episode import STRUCTURE
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.models import structure, tile_probe
from oyster_jax.models.tile_probe import ProbeConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.loop import BatchIterator, Stage
from oyster_jax.train.step import Batch
from oyster_jax.train.structure import moments_of
from oyster_jax.typing import Array, Params, PRNGKey


def probe_stage(config: ProbeConfig, training: TrainConfig, dataset: EpisodeDataset, seed: int) -> Stage:
    """Returns the stage that trains a probe on the frames and the structure of `dataset`."""
    tiled = jnp.asarray(config.structure.tiled, jnp.float32)
    shown = jnp.asarray(config.structure.spots.sum(axis=0))

    def loss(params: Params, batch: Batch, key: PRNGKey) -> tuple[Array, dict[str, Array]]:
        del key
        moments = moments_of({name: array.reshape(-1, *array.shape[2:]) for name, array in batch.items()})
        true = structure.cells(config.structure, moments)
        assert moments.frame is not None
        kinds, types, levels = tile_probe.bind(config, params)(moments.frame)
        with jax.numpy_rank_promotion("allow"):
            each = tiled * (
                optax.softmax_cross_entropy(kinds, true.kinds)
                + optax.sigmoid_binary_cross_entropy(types, jnp.clip(true.types, 0, 1)).sum(axis=-1)
            ) + shown * optax.softmax_cross_entropy(levels, true.levels)
            right = jnp.mean((jnp.argmax(kinds, -1) == jnp.argmax(true.kinds, -1)), where=tiled > 0)
        return jnp.mean(each), {"tiles_right": right}

    def batches(rows: Sequence[int] | None = None) -> BatchIterator:
        drawn = WindowConfig(length=training.window, batch=training.batch, seed=seed, arrays=("frames", *STRUCTURE))
        return iter(windows(dataset, drawn, rows))

    return Stage(name="probe", init=lambda key: tile_probe.init(config, key), loss=loss, batches=batches)
