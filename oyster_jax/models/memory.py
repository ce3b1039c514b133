"""The long-range memory: registers write what matters of every tick, all tokens read it ever after."""

import jax
import jax.numpy as jnp
from flax import nnx

from oyster_jax.nn.attention import rms_norm
from oyster_jax.nn.dense import Dense, lifted
from oyster_jax.nn.recurrence import delta_step, read, unit
from oyster_jax.parallel import rules
from oyster_jax.typing import Array, Float


class LongRangeMemory(nnx.Module):
    """A residual layer around a gated-delta-rule memory (see `nn.recurrence`).

    Args:
      width: features of a token.
      heads: independent memories.
      features: length of keys and of values of one head.
      writers: how many tokens of a tick, counted from the last, write.
    """

    def __init__(self, width: int, heads: int, features: int, writers: int, *, rngs: nnx.Rngs):
        self.heads, self.features, self.writers = heads, features, writers
        self.query = Dense(width, heads * features, rngs=rngs)
        self.write = Dense(width, 2 * heads * (features + 1), rngs=rngs)
        # sigmoid(4) = 0.98: a tick begins by forgetting two per cent.
        self.gate = nnx.Param(jnp.repeat(jnp.array([[0.0], [4.0]]), heads, axis=1))
        self.out = Dense(heads * features, width, rngs=rngs, scale=0.0)

    def written(self, x: Float[Array, "*batch tokens width"], dtype: jnp.dtype) -> tuple[Array, Array, Array, Array]:
        """Returns keys, values, strengths and decay of a tick, as `delta_step` takes them."""
        # Few as they are, writers are whole on all devices that share a layer: else each tick would wait for a sum.
        writers = rules.constrain(x[..., -self.writers :, :], None, None)
        y = self.write(rms_norm(writers).astype(dtype)).astype(jnp.float32)
        parts = jnp.split(y, [self.heads * self.features, 2 * self.heads * self.features], axis=-1)
        key, value = (part.reshape(*part.shape[:-1], self.heads, self.features) for part in parts[:2])
        gate = parts[2].reshape(*parts[2].shape[:-1], 2, self.heads)
        gate = jax.nn.sigmoid(gate + lifted(self.gate[...], gate.ndim))
        return unit(key), value, gate[..., 0, :], jnp.mean(gate[..., 1, :], axis=-2)

    def recall(self, x: Array, memory: Array, dtype: jnp.dtype) -> Array:
        """Adds what every token reads to the residual stream `x`."""
        query = self.query(rms_norm(x).astype(dtype)).astype(jnp.float32)
        query = unit(query.reshape(*query.shape[:-1], self.heads, self.features))
        found = rms_norm(read(memory, query))
        return x + self.out(found.reshape(*found.shape[:-2], -1).astype(dtype)).astype(jnp.float32)

    def step(
        self, x: Float[Array, "tokens width"], memory: Float[Array, "heads keys values"], *, dtype: jnp.dtype
    ) -> tuple[Array, Array]:
        """One tick of one world: returns the new residual stream and the new memory."""
        memory = delta_step(memory, *self.written(x, dtype))
        return self.recall(x, memory, dtype), memory

    def sequence(self, x: Float[Array, "batch ticks tokens width"], *, dtype: jnp.dtype) -> Array:
        """All ticks of a batch of windows, from an empty memory; the same numbers as `step` after `step`."""
        memory = jnp.zeros((x.shape[0], self.heads, self.features, self.features), jnp.float32)

        def tick(memory: Array, writes: tuple[Array, ...]) -> tuple[Array, Array]:
            memory = delta_step(memory, *writes)
            return memory, memory

        writes = jax.tree.map(lambda y: y.swapaxes(0, 1), self.written(x, dtype))
        _, memories = jax.lax.scan(tick, memory, writes)
        return self.recall(x, memories.swapaxes(0, 1), dtype)
