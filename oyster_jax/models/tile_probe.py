"""A probe: reads tiles, what stands on them and counts off a frame, tile by tile, and knows of no world model."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from oyster_jax.models.structure import StructureConfig
from oyster_jax.models.tokenizer import normalized
from oyster_jax.nn import functional
from oyster_jax.nn.attention import rms_norm
from oyster_jax.nn.dense import Dense
from oyster_jax.nn.patch import patchify
from oyster_jax.typing import Array, Float, Frames, Params, PRNGKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    """Two hidden layers over a tile's pixels and the mean colour of the frame, which tells how dark it is.

    Attributes:
      structure: what is read.
      side: pixels of a tile.
      hidden: width of both layers.
    """

    structure: StructureConfig
    side: int
    hidden: int = 256


class Probe(nnx.Module):
    """See `ProbeConfig`."""

    def __init__(self, config: ProbeConfig, rngs: nnx.Rngs):
        self.side = config.side
        sizes = config.structure.sizes
        #: Kinds, types and levels.
        self.sizes = (sizes[0], sizes[1], sizes[3])
        self.first = Dense(3 * config.side**2 + 3, config.hidden, rngs=rngs, bias=True)
        self.second = Dense(config.hidden, config.hidden, rngs=rngs, bias=True)
        self.out = Dense(config.hidden, sum(self.sizes), rngs=rngs, bias=True)

    def __call__(self, frames: Frames) -> tuple[Array, Array, Array]:
        """Returns logits `[*batch, tokens, …]` of the kind of tile, of each type of entity, and of the level."""
        pixels = normalized(frames)
        patches = patchify(pixels, self.side)
        mean = jnp.broadcast_to(jnp.mean(pixels, axis=(-3, -2))[..., None, :], (*patches.shape[:-1], 3))
        x = jnp.square(jax.nn.relu(self.first(jnp.concatenate([patches, mean], axis=-1))))
        x = jnp.square(jax.nn.relu(self.second(rms_norm(x))))
        read: Float[Array, ...] = self.out(rms_norm(x))
        kinds, types, levels = jnp.split(read, [self.sizes[0], self.sizes[0] + self.sizes[1]], axis=-1)
        return kinds, types, levels


def init(config: ProbeConfig, key: PRNGKey) -> Params:
    """Draws the parameters of a probe."""
    return functional.init(Probe, config, key)


def bind(config: ProbeConfig, params: Params) -> Probe:
    """Returns the probe with `params` in it, for use inside a traced function."""
    return functional.bind(Probe, config, params)
