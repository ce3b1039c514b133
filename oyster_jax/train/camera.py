"""The camera stage: learns how the camera moves from true latents, by itself, before the dynamics needs it."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.models import dynamics
from oyster_jax.models.camera import Camera
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import FINE, motion_loss, told_motion, with_previous
from oyster_jax.train.loop import BatchIterator, Stage
from oyster_jax.train.step import Batch
from oyster_jax.typing import Array, Bool, Float, Params, PRNGKey

#: What the stage reads of a recording.
ARRAYS = ("latents", "actions", "motion")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraTraining:
    """How the camera learns.

    Attributes:
      training: how long.
      alone: share of windows in which it is told its own motions, from the first on, as in a rollout; in the others it
        is told true ones with errors.
      motion_noise: largest standard deviation in pixels of these errors; each window draws its own.
      latent_noise: the same of the latents, since a rollout's own are not exact.
    """

    training: TrainConfig
    alone: float = 0.5
    motion_noise: float = 0.3
    latent_noise: float = 0.05


def camera_stage(config: DynamicsConfig, learning: CameraTraining, dataset: EpisodeDataset, seed: int) -> Stage:
    """Returns the stage that trains the camera of a dynamics on cached latents.

    Args:
      config: of the dynamics that it is part of.
      learning: how.
      dataset: latents, with the camera's motion.
      seed: of the order of the windows.
    """

    def loss(params: Params, batch: Batch, key: PRNGKey) -> tuple[Array, dict[str, Array]]:
        return camera_loss(config, learning, params, batch, key)

    def batches(rows: Sequence[int] | None = None) -> BatchIterator:
        training = learning.training
        drawn = WindowConfig(length=training.window, batch=training.batch, seed=seed, arrays=ARRAYS)
        return iter(windows(dataset, drawn, rows))

    return Stage(name="camera", init=lambda key: dynamics.init_camera(config, key), loss=loss, batches=batches)


def camera_loss(
    config: DynamicsConfig, learning: CameraTraining, params: Params, batch: Batch, key: PRNGKey
) -> tuple[Array, dict[str, Array]]:
    """Returns how far motions were misread, and besides the drift, in pixels, of those that were told their own.

    Args:
      config: of the dynamics.
      learning: how it learns.
      params: of its camera.
      batch: arrays `[batch, ticks, …]`, named as in `ARRAYS`.
      key: of the errors, and of who is alone.
    """
    model = dynamics.bind_camera(config, params)
    share_key, latent_key, noise_key, motion_key, alone_key = jax.random.split(key, 5)
    latents = batch["latents"].astype(jnp.float32)
    share = learning.latent_noise * jax.random.uniform(share_key, (len(latents), 1, 1, 1))
    latents = latents + share * jax.random.normal(latent_key, latents.shape)
    noise = learning.motion_noise * jax.random.uniform(noise_key, (len(latents), 1, 1))
    told = told_motion(noise, batch["motion"], motion_key)
    alone = jax.random.bernoulli(alone_key, learning.alone, (len(latents), 1))
    read = _chain(model, model.see(*with_previous(latents), batch["actions"]), told, alone)
    error = motion_loss(read, batch["motion"], FINE)
    return error, {"motion": error, "drift": _drift(read, batch["motion"], alone)}


def _chain(
    model: Camera,
    seen: Float[Array, "batch ticks features"],
    told: Float[Array, "batch ticks 2"],
    alone: Bool[Array, "batch 1"],
) -> Float[Array, "batch ticks 2"]:
    """Returns the next motion of every tick; rows that are `alone` are told their own from the third tick on."""

    def tick(own: Array, given: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        seen, told, first = given
        moved = model.move(seen, jnp.where(alone & ~first, own, told))
        return moved, moved

    first = jnp.arange(seen.shape[1]) < 2
    _, read = jax.lax.scan(tick, told[:, 0], (seen.swapaxes(0, 1), told.swapaxes(0, 1), first))
    return read.swapaxes(0, 1)


def _drift(read: Array, motion: Array, alone: Array) -> Array:
    """Returns how far off the place is at the end of windows in which the camera was alone, in pixels."""
    error = jnp.mean(jnp.abs(jnp.sum(read[:, 2:-1] - motion[:, 3:], axis=1)), axis=-1, keepdims=True)
    return jnp.mean(error, where=alone)
