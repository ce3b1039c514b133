"""The lattice stage: learns to read off latents where tiles lie, before a camera needs it."""

import functools
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.camera import camera_positions, pixels_per_tile
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.models import dynamics
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.lattice import turned
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.loop import BatchIterator, Stage
from oyster_jax.train.step import Batch
from oyster_jax.typing import Array, Params, PRNGKey


def lattice_stage(config: DynamicsConfig, training: TrainConfig, dataset: EpisodeDataset, seed: int) -> Stage:
    """Returns the stage that trains what reads the lattice, as it stands under "lattice" in a camera's parameters.

    Args:
      config: of the dynamics that it is part of.
      training: how long.
      dataset: latents, with entities, which tell where the camera stands.
      seed: of the order of the windows.
    """
    loss = functools.partial(lattice_loss, config, dataset.spec.frame.width // config.columns)

    def batches(rows: Sequence[int] | None = None) -> BatchIterator:
        arrays = ("latents", "entities")
        drawn = WindowConfig(length=training.window, batch=training.batch, seed=seed, arrays=arrays)
        return iter(windows(dataset, drawn, rows).map(functools.partial(_placed, dataset.spec)))

    return Stage(name="lattice", init=functools.partial(dynamics.init_lattice, config), loss=loss, batches=batches)


def lattice_loss(
    config: DynamicsConfig, patch: int, params: Params, batch: Batch, key: PRNGKey
) -> tuple[Array, dict[str, Array]]:
    """Returns the mean squared error of readings, which shall be of length one, and the metrics: "reading", the same.

    Args:
      config: of the dynamics.
      patch: side in pixels of what a token shows.
      params: of its reader.
      batch: "latents" `[batch, ticks, tokens, channels]` and "place" `[batch, ticks, 2]`, where the middles of their
        frames lie, in tiles.
      key: not needed.
    """
    del key
    said = dynamics.bind_lattice(config, params)(batch["latents"], config.columns, patch)
    straight = jnp.broadcast_to(jnp.array([1.0, 0.0]), said.shape)
    error = jnp.mean(jnp.square(said - turned(straight, batch["place"])))
    return error, {"reading": error}


def _placed(spec: WorldSpec, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns latents, and where the middle of each frame lies."""
    entities = batch["entities"]
    pixels = camera_positions(spec, entities.reshape(-1, *entities.shape[2:])).reshape(*entities.shape[:2], 2)
    return {"latents": batch["latents"], "place": pixels / np.float32(pixels_per_tile(spec))}
