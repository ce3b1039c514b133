"""A level between 0 and 1 as a vector."""

import jax.numpy as jnp
from flax import nnx

from oyster_jax.nn.dense import Dense, lifted
from oyster_jax.typing import Array, Float


class LevelEmbedding(nnx.Module):
    """A number in [0, 1] as a vector, through cosines of it."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.map = Dense(16, width, rngs=rngs)

    def __call__(self, level: Float[Array, "*batch"]) -> Float[Array, "*batch width"]:
        """Embeds a signal level, noise level or step size."""
        frequency = jnp.pi * jnp.arange(16, dtype=jnp.float32)
        return self.map(jnp.cos(level[..., None] * lifted(frequency, level.ndim + 1)))
