"""The camera's motion: where it will be in the next tick, read off what it shows now.

Cameras of the worlds that have a map follow the agent, so this is the physics of the agent: it runs, is slowed by
walls, rises, falls and lands. All that this takes is close to the middle of the frame, to a fraction of a pixel; so a
small network reads the newest latents there, place by place and in float32, instead of what a trunk made of them. What
it gets wrong adds up over a rollout, and the map is then looked at in the wrong place.

Motion in free flight and along a floor is linear in the motion before, so the network predicts a change of it.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from oyster_jax.models.action_encoder import ActionEncoder
from oyster_jax.nn import functional
from oyster_jax.nn.dense import Dense, lifted
from oyster_jax.typing import Actions, Array, Float, Latents

#: Pixels of motion for which a number of 1 stands, a usual step of a platformer.
SCALE = 4.0

#: Wavelengths in pixels of the sines and cosines by which networks are told of motion.
WAVES = (16.0, 8.0, 4.0, 2.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraConfig:
    """The size of the network.

    Attributes:
      view: latent tokens a side of the square in the middle of the frame that it reads.
      features: its width.
      depth: its hidden layers, at least two.
    """

    view: int = 4
    features: int = 352
    depth: int = 3


class Camera(nnx.Module):
    """A multilayer perceptron: the middle of two frames, the motion between them and an action give the next motion."""

    def __init__(self, config: CameraConfig, columns: int, channels: int, actions: int, *, rngs: nnx.Rngs):
        self.view, self.columns = config.view, columns
        self.actions = ActionEncoder(actions, config.features, rngs=rngs)
        self.embed = Dense(2 * config.view**2 * channels, config.features, rngs=rngs)
        self.embed_motion = Dense(motion_features(), config.features, rngs=rngs)
        self.hidden = functional.Stack(
            lambda rngs: Dense(config.features, config.features, rngs=rngs, bias=True), config.depth - 1, rngs=rngs
        )
        self.out = Dense(config.features, 2, rngs=rngs, scale=0.0, bias=True)

    def __call__(
        self, latents: Latents, previous: Latents, motion: Float[Array, "*batch 2"], actions: Actions
    ) -> Float[Array, "*batch 2"]:
        """Returns how the camera moves to the next frame, in pixels a tick, x to the right and y downwards.

        Args:
          latents: of the newest frame.
          previous: of the one before.
          motion: how the camera moved between the two.
          actions: taken now.
        """
        return self.move(self.see(latents, previous, actions), motion)

    def see(self, latents: Latents, previous: Latents, actions: Actions) -> Float[Array, "*batch features"]:
        """Returns what of the next motion does not depend on the motion before, for `move`."""
        seen = jnp.concatenate([self._middle(latents), self._middle(previous)], axis=-1)
        return self.embed(seen.astype(jnp.float32)) + self.actions(actions)

    def move(self, seen: Float[Array, "*batch features"], motion: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        """Returns the next motion, given what `see` saw and the motion before."""
        x = jax.nn.gelu(seen + self.embed_motion(told(motion)))
        x, _ = self.hidden(x, lambda layer, x, _: (x + jax.nn.gelu(layer(x)), None))
        return motion + SCALE * self.out(x)

    def _middle(self, latents: Latents) -> Array:
        rows, first = latents.shape[-2] // self.columns, (self.columns - self.view) // 2
        top = (rows - self.view) // 2
        grid = latents.reshape(*latents.shape[:-2], rows, self.columns, latents.shape[-1])
        grid = grid[..., top : top + self.view, first : first + self.view, :]
        return grid.reshape(*latents.shape[:-2], -1)


def motion_features() -> int:
    """Returns how many numbers `told` makes of a motion."""
    return 2 + 4 * len(WAVES)


def told(motion: Float[Array, "*batch 2"]) -> Float[Array, "*batch features"]:
    """Returns a motion as networks are told of it: as it is, and in waves, for it matters to fractions of a pixel."""
    waves = (2 * jnp.pi) / jnp.array(WAVES)
    phase = (motion[..., None] * lifted(waves, motion.ndim + 1)).reshape(*motion.shape[:-1], -1)
    return jnp.concatenate([motion / SCALE, jnp.sin(phase), jnp.cos(phase) - 1], axis=-1)
