"""The camera's motion: where it will be in the next tick, from what is around it now.

Cameras of the worlds that have a map follow the agent, so this is the physics of the agent: it runs, is slowed by
walls, rises, falls and lands. What it gets wrong adds up over a rollout, and the map is then looked at in the wrong
place; worst of all, a body that misses an edge by a hair falls. So a small network in float32 looks at the tiles around
the middle of the frame, from where their edges are (see `lattice`), and is told how far it is from these.

Motion in free flight and along a floor is linear in the motion before, so the network predicts a change of it.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from oyster_jax.models.action_encoder import ActionEncoder
from oyster_jax.models.lattice import LatticeReader, surroundings
from oyster_jax.nn import functional
from oyster_jax.nn.dense import Dense, lifted
from oyster_jax.typing import Actions, Array, Float, Frames

#: Pixels of motion for which a number of 1 stands, a usual step of a platformer.
SCALE = 4.0

#: Wavelengths in pixels of the sines and cosines by which networks are told of motion.
WAVES = (16.0, 8.0, 4.0, 2.0)

#: The same for the camera. Half a pixel a tick may be the slowest that a body walks, and a little less is standing.
CLOSE = (*WAVES, 1.0, 0.5)

#: Parts of a tile that are wavelengths of those by which the camera is told where it is between two.
PARTS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraConfig:
    """The size of the network, and what it sees.

    Attributes:
      tile: side of a tile of the level, in pixels.
      beside: tiles that it sees left and right of the one in the middle.
      above: tiles that it sees above and below it.
      samples: places of a tile that it sees, along each axis.
      features: its width.
      depth: its hidden layers, at least two.
      reader: width of the network that reads where the tiles lie.
      drawn: what a frame that the world drew counts where the tiles lie, of what a given frame does.
      keeps: share of what was read of that before which is kept from tick to tick.
    """

    tile: float
    beside: int = 2
    above: int = 3
    samples: int = 2
    features: int = 248
    depth: int = 6
    reader: int = 64
    drawn: float = 0.1
    keeps: float = 0.99


class Camera(nnx.Module):
    """A multilayer perceptron: the tiles around, the motion before, and an action give the next motion."""

    def __init__(self, config: CameraConfig, channels: int, actions: int, *, rngs: nnx.Rngs):
        self.config = config
        tiles = (2 * config.beside + 1) * (2 * config.above + 1)
        self.lattice = LatticeReader(channels, config.reader, config.tile, rngs=rngs)
        self.actions = ActionEncoder(actions, config.features, rngs=rngs)
        self.embed = Dense(3 * tiles * config.samples**2, config.features, rngs=rngs)
        self.embed_place = Dense(4 * len(PARTS), config.features, rngs=rngs)
        self.embed_motion = Dense(motion_features(CLOSE), config.features, rngs=rngs)
        self.hidden = functional.Stack(
            lambda rngs: Dense(config.features, config.features, rngs=rngs, bias=True), config.depth - 1, rngs=rngs
        )
        self.out = Dense(config.features, 2, rngs=rngs, scale=0.0, bias=True)

    def __call__(
        self, frames: Frames, place: Float[Array, "*batch 2"], motion: Float[Array, "*batch 2"], actions: Actions
    ) -> Float[Array, "*batch 2"]:
        """Returns how the camera moves to the next frame, in pixels a tick, x to the right and y downwards.

        Args:
          frames: the newest frame.
          place: how far its middle lies between two tiles, in tiles.
          motion: how the camera moved to it.
          actions: taken now.
        """
        return self.move(self.seen(around(self.config, frames, place), actions), place, motion)

    def seen(self, colours: Float[Array, "*batch colours"], actions: Actions) -> Float[Array, "*batch features"]:
        """Returns what of the next motion depends on the colours that it sees, and on the action, alone, for `move`."""
        return self.embed(colours) + self.actions(actions)

    def move(
        self, seen: Float[Array, "*batch features"], place: Float[Array, "*batch 2"], motion: Float[Array, "*batch 2"]
    ) -> Float[Array, "*batch 2"]:
        """Returns the next motion, given what `seen` returned, the place between tiles and the motion before."""
        x = jax.nn.gelu(seen + self.embed_place(_between_tiles(place)) + self.embed_motion(told(motion, CLOSE)))
        x, _ = self.hidden(x, lambda layer, x, _: (x + jax.nn.gelu(layer(x)), None))
        return motion + SCALE * self.out(x)


def around(config: CameraConfig, frames: Frames, place: Float[Array, "*batch 2"]) -> Float[Array, "*batch colours"]:
    """Returns the colours that a camera sees of a frame, for `Camera.seen`."""
    found = surroundings(frames, place, config.tile, (config.beside, config.above), config.samples)
    return found.reshape(*place.shape[:-1], -1)


def motion_features(waves: tuple[float, ...] = WAVES) -> int:
    """Returns how many numbers `told` makes of a motion."""
    return 2 + 4 * len(waves)


def told(motion: Float[Array, "*batch 2"], waves: tuple[float, ...] = WAVES) -> Float[Array, "*batch features"]:
    """Returns a motion as networks are told of it: as it is, and in waves, for it matters to fractions of a pixel."""
    sin, cos = _waves(motion, 1 / jnp.array(waves))
    return jnp.concatenate([motion / SCALE, sin, cos - 1], axis=-1)


def _between_tiles(place: Float[Array, "*batch 2"]) -> Float[Array, "*batch features"]:
    return jnp.concatenate(_waves(place, jnp.array(PARTS)), axis=-1)


def _waves(x: Float[Array, "*batch 2"], turns: Float[Array, "waves"]) -> tuple[Array, Array]:
    """Returns sines and cosines, which turn so often while a number grows by one."""
    phase = (2 * jnp.pi * x[..., None] * lifted(turns, x.ndim + 1)).reshape(*x.shape[:-1], -1)
    return jnp.sin(phase), jnp.cos(phase)
