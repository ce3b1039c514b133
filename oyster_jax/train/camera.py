"""The camera stage: learns from true frames where tiles lie and how the camera moves, before the dynamics needs it."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.camera import pixels_per_tile
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.models import dynamics
from oyster_jax.models.camera import Camera
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.lattice import turned
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import motion_loss, told_motion
from oyster_jax.train.loop import BatchIterator, Stage
from oyster_jax.train.step import Batch
from oyster_jax.typing import Array, Bool, Float, Params, PRNGKey

#: What the stage reads of a recording.
ARRAYS = ("frames", "latents", "actions", "motion", "entities")

#: Pixels by which a motion may be off until every further one counts alike.
FINE = 0.02

#: Pixels a tick beyond which nothing moves, whatever a camera that knows little says of itself.
FASTEST = 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraTraining:
    """How the camera learns.

    Attributes:
      training: how long.
      alone: share of windows in which it is told its own motions, from the first on, as in a rollout; in the others it
        is told true ones with errors.
      motion_noise: largest standard deviation in pixels of these errors; each window draws its own.
      place_noise: the same, in tiles, of the error with which it is told its place between two of them, in all of a
        window's ticks, since what is read of the first frames may be wrong.
      colour_noise: the same, of 128, of what it sees, since a rollout's own frames are not exact.
      reading: weight of reading where tiles lie.
    """

    training: TrainConfig
    alone: float = 0.5
    motion_noise: float = 0.1
    place_noise: float = 0.01
    colour_noise: float = 0.03
    reading: float = 0.1


def camera_stage(config: DynamicsConfig, learning: CameraTraining, dataset: EpisodeDataset, seed: int) -> Stage:
    """Returns the stage that trains the camera of a dynamics on cached latents and their frames.

    Args:
      config: of the dynamics that it is part of.
      learning: how.
      dataset: frames and latents, with the camera's motion and with entities, which tell where it stands.
      seed: of the order of the windows.

    Raises:
      ValueError: tiles are of another size than the configuration says.
    """
    scale = pixels_per_tile(dataset.spec)
    if config.camera is None or abs(config.camera.tile - scale) > 0.01:
        raise ValueError(
            f"Tiles of '{dataset.spec.name}' are {scale:.3f} pixels wide; say so in `CameraConfig.tile`, "
            f"where it now says {config.camera and config.camera.tile}."
        )

    def loss(params: Params, batch: Batch, key: PRNGKey) -> tuple[Array, dict[str, Array]]:
        entities = batch.pop("entities")
        return camera_loss(config, learning, params, {**batch, "place": agent_places(dataset.spec, entities)}, key)

    def batches(rows: Sequence[int] | None = None) -> BatchIterator:
        training = learning.training
        drawn = WindowConfig(length=training.window, batch=training.batch, seed=seed, arrays=ARRAYS)
        return iter(windows(dataset, drawn, rows))

    return Stage(name="camera", init=lambda key: dynamics.init_camera(config, key), loss=loss, batches=batches)


def camera_loss(
    config: DynamicsConfig, learning: CameraTraining, params: Params, batch: Batch, key: PRNGKey
) -> tuple[Array, dict[str, Array]]:
    """Returns how far motions and places were misread, and the drift, in pixels, of those that were told their own.

    Args:
      config: of the dynamics.
      learning: how it learns.
      params: of its camera.
      batch: arrays `[batch, ticks, …]`: "frames", "latents", "actions", "motion", and "place", where the camera stands
        in the level, in tiles, x to the right and y downwards.
      key: of the errors, and of who is alone.
    """
    model = dynamics.bind_camera(config, params)
    names = ("share", "colour", "noise", "motion", "off", "place", "alone")
    keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
    rows, place = len(batch["place"]), batch["place"]
    colours = model.around(batch["frames"], place)
    share = learning.colour_noise * jax.random.uniform(keys["share"], (rows, 1, 1))
    colours = colours + share * jax.random.normal(keys["colour"], colours.shape)
    noise = learning.motion_noise * jax.random.uniform(keys["noise"], (rows, 1, 1))
    off = learning.place_noise * jax.random.uniform(keys["off"], (rows, 1, 1))
    believed = place + off * jax.random.normal(keys["place"], (rows, 1, 2))
    told = told_motion(noise, batch["motion"], keys["motion"])
    alone = jax.random.bernoulli(keys["alone"], learning.alone, (rows, 1))
    seen = model.seen(colours, batch["actions"])
    read = _chain(model, seen, believed, told, alone)
    error = motion_loss(read, batch["motion"], FINE)
    # Where tiles lie is easily learned, of one frame a window.
    said = model.lattice(batch["latents"][:, 0], config.columns, batch["frames"].shape[-2] // config.columns)
    straight = jnp.broadcast_to(jnp.array([1.0, 0.0]), said.shape)
    reading = jnp.mean(jnp.square(said - turned(straight, place[:, 0])))
    parts = {"motion": error, "reading": reading, "drift": _drift(read, batch["motion"], alone)}
    return error + learning.reading * reading, parts


def agent_places(spec: WorldSpec, entities: Float[Array, "*batch capacity fields"]) -> Float[Array, "*batch 2"]:
    """Returns where the camera stands in the level, with its agent: tiles, x to the right and y downwards."""
    assert spec.entity is not None, "worlds whose camera is known have entities"
    x, y = (entities[..., 0, spec.entity.column(name)] for name in ("x", "y"))
    return jnp.stack([x, -y], axis=-1)


def _chain(
    model: Camera,
    seen: Float[Array, "batch ticks features"],
    place: Float[Array, "batch ticks 2"],
    told: Float[Array, "batch ticks 2"],
    alone: Bool[Array, "batch 1"],
) -> Float[Array, "batch ticks 2"]:
    """Returns the next motion of every tick; rows that are `alone` are told their own from the third tick on.

    What they are told of themselves has no gradient: what is wrong is one motion and not those before it, and a camera
    that knows little would run away. Their place stays the frame's, for a world draws frames where it believes to be.
    """

    def tick(own: Array, given: tuple[Array, ...]) -> tuple[Array, Array]:
        seen, place, told, first = given
        read = model.move(seen, place, jnp.where(alone & ~first, own, told))
        return jnp.clip(jax.lax.stop_gradient(read), -FASTEST, FASTEST), read

    first = jnp.arange(seen.shape[1]) < 2
    _, read = jax.lax.scan(tick, told[:, 0], (*(array.swapaxes(0, 1) for array in (seen, place, told)), first))
    return read.swapaxes(0, 1)


def _drift(read: Array, motion: Array, alone: Array) -> Array:
    """Returns how far off the place is at the end of windows in which the camera was alone, in pixels."""
    error = jnp.mean(jnp.abs(jnp.sum(read[:, 2:-1] - motion[:, 3:], axis=1)), axis=-1, keepdims=True)
    return jnp.mean(error, where=alone)
