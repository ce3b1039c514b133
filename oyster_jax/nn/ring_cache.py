"""A ring of the last keys and values: fixed bytes, flat latency, however long the world lives."""

import jax
import jax.numpy as jnp

from oyster_jax.typing import Array, Bool, Float, Int32


def write(ring: Float[Array, "window ..."], entry: Float[Array, "..."], step: Int32[Array, ""]) -> Array:
    """Puts the entry of tick `step` in the place of the one `window` ticks older."""
    return jax.lax.dynamic_update_index_in_dim(ring, entry.astype(ring.dtype), step % ring.shape[0], axis=0)


def written(window: int, step: Int32[Array, ""]) -> Bool[Array, "1 window"]:
    """Tells which places of the ring hold an entry once tick `step` is written; a mask for one query."""
    return (jnp.arange(window) <= step)[None, :]
