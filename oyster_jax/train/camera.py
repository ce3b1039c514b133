"""The camera stage: learns from true frames how the camera moves, before the dynamics needs it."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from oyster_jax.data.camera import pixels_per_tile
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.data.record import RecordConfig
from oyster_jax.models import dynamics
from oyster_jax.models.camera import Camera
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import motion_loss
from oyster_jax.train.loop import BatchIterator, Stage
from oyster_jax.train.step import Batch
from oyster_jax.train.views import Views
from oyster_jax.typing import Array, Bool, Float, Params, PRNGKey

#: Pixels by which a motion may be off until every further one counts alike.
FINE = 0.02

#: Tiles by which a camera that is alone may be astray, on an axis, until it is told its true place again.
ASTRAY = 0.2

#: Pixels a tick beyond which nothing moves, whatever a camera that knows little says of itself.
FASTEST = 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraTraining:
    """How the camera learns.

    Attributes:
      training: how long.
      reading: how long what reads the lattice learns before, from latents; see `lattice_stage`.
      recording: what it learns from, a recording of its own with entities, that of the experiment unless given. A body
        comes upon each kind of edge so rarely that it takes millions of ticks.
      alone: share of windows in which it is told its own motions and places, from the first on, as in a rollout. Where
        it then stands too high or too deep, it is asked for the way to the next true place, for what stands on an
        edge, or comes to, stands there exactly; sideways bodies stop anywhere.
      mistaken: pixels by which, on an axis, a motion that it told itself may be wrong until it is told the truth again.
        What follows upon a mistake is not what it should learn: who believed to have run into a wall, and is then asked
        for the motion of who has not, learns to start off at full speed from where it stands.
      unmoved: whether it is told of no motion at a window's first tick, as a world is not. It then takes who stands
        still for one of whom nothing is known, and reads a speed off the picture of the agent.
      motion_noise: largest standard deviation in pixels of the errors of the true motions that it is told otherwise;
        each window draws its own.
      place_noise: the same, in tiles, of the error with which it is told its place between two of them, in all of a
        window's ticks, since what is read of the first frames may be wrong.
      jitter: see `Views`. The agent in the middle of a frame tells where it is, which in a rollout is where it believes
        to be: what it is told of its place should be worth more.
      colour_noise: the same, of 128, of what it sees, since a rollout's own frames are not exact.
    """

    training: TrainConfig
    reading: TrainConfig
    recording: RecordConfig | None = None
    alone: float = 0.5
    mistaken: float = math.inf
    unmoved: bool = False
    motion_noise: float = 0.02
    place_noise: float = 0.005
    jitter: float = 0.05
    colour_noise: float = 0.03


def camera_stage(config: DynamicsConfig, learning: CameraTraining, dataset: EpisodeDataset, seed: int) -> Stage:
    """Returns the stage that trains the camera of a dynamics on frames; what reads the lattice stays as it is.

    Args:
      config: of the dynamics that it is part of.
      learning: how.
      dataset: frames, with entities, which tell where it stands.
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
    camera, training = config.camera, learning.training
    seen = functools.cache(lambda: Views(dataset, camera, jitter=learning.jitter, seed=seed))

    def batches(rows: Sequence[int] | None = None) -> BatchIterator:
        drawn = WindowConfig(length=training.window, batch=training.batch, seed=seed)
        return iter(windows(seen(), drawn, rows))

    loss = functools.partial(camera_loss, config, learning)
    return Stage(name="camera", init=lambda key: dynamics.init_camera(config, key), loss=loss, batches=batches)


def camera_loss(
    config: DynamicsConfig, learning: CameraTraining, params: Params, batch: Batch, key: PRNGKey
) -> tuple[Array, dict[str, Array]]:
    """Returns how far motions and places were misread, and the drift, in pixels, of those that were told their own.

    Args:
      config: of the dynamics.
      learning: how it learns.
      params: of its camera.
      batch: arrays `[batch, ticks, …]`: of `Views`.
      key: of the errors, and of who is alone.
    """
    model = dynamics.bind_camera(config, params)
    names = ("share", "colour", "noise", "motion", "off", "place", "alone")
    keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
    rows, place = len(batch["place"]), batch["place"]
    colours = batch["colours"].astype(jnp.float32)
    share = learning.colour_noise * jax.random.uniform(keys["share"], (rows, 1, 1))
    colours = colours + share * jax.random.normal(keys["colour"], colours.shape)
    noise = learning.motion_noise * jax.random.uniform(keys["noise"], (rows, 1, 1))
    off = learning.place_noise * jax.random.uniform(keys["off"], (rows, 1, 1))
    believed = place + off * jax.random.normal(keys["place"], (rows, 1, 2))
    told = batch["motion"] + noise * jax.random.normal(keys["motion"], batch["motion"].shape)
    if learning.unmoved:
        told = told.at[:, 0].set(0.0)
    alone = jax.random.bernoulli(keys["alone"], learning.alone, (rows, 1))
    seen = model.seen(colours, batch["actions"])
    read, at = _chain(model, seen, believed, told, alone, learning.mistaken)
    astray = model.config.tile * jax.lax.stop_gradient(at - believed) * jnp.array([[[0.0, 1.0]]])
    error = motion_loss(read + astray, batch["motion"], FINE)
    return error, {"motion": error, "drift": _drift(read, batch["motion"], alone)}


def _chain(
    model: Camera,
    seen: Float[Array, "batch ticks features"],
    place: Float[Array, "batch ticks 2"],
    told: Float[Array, "batch ticks 2"],
    alone: Bool[Array, "batch 1"],
    mistaken: float,
) -> tuple[Float[Array, "batch ticks 2"], Float[Array, "batch ticks 2"]]:
    """Returns the next motion of every tick, and the place that the camera was told there.

    Rows that are `alone` are told their own motions and places from the third tick on, until they are too far astray,
    or mistaken. What they are told of themselves has no gradient: what is wrong is one motion and not those before it,
    and a camera that knows little would run away.
    """

    def tick(own: tuple[Array, Array], given: tuple[Array, ...]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        motion, at = own
        seen, place, told, first = given
        astray = jnp.max(jnp.abs(at - place), axis=-1, keepdims=True) > ASTRAY
        wrong = jnp.max(jnp.abs(motion - told), axis=-1, keepdims=True) > mistaken
        at = jnp.where(alone & ~first & ~astray & ~wrong, at, place)
        read = model.move(seen, at, jnp.where(alone & ~first & ~wrong, motion, told))
        motion = jnp.clip(jax.lax.stop_gradient(read), -FASTEST, FASTEST)
        return (motion, at + motion / model.config.tile), (read, at)

    first = jnp.arange(seen.shape[1]) < 2
    given = (*(array.swapaxes(0, 1) for array in (seen, place, told)), first)
    _, (read, at) = jax.lax.scan(tick, (told[:, 0], place[:, 0]), given)
    return read.swapaxes(0, 1), at.swapaxes(0, 1)


def _drift(read: Array, motion: Array, alone: Array) -> Array:
    """Returns how far off the place is at the end of windows in which the camera was alone, in pixels."""
    error = jnp.mean(jnp.abs(jnp.sum(read[:, 2:-1] - motion[:, 3:], axis=1)), axis=-1, keepdims=True)
    return jnp.mean(error, where=alone)
