"""The gated delta rule: an associative memory of fixed size that overwrites instead of piling up.

For one head with keys `k`, values `v` (one pair a writer), write strengths `β` and a decay `α`, a tick does

    S ← α S + (1 / writers) Σ β (v − α S k) kᵀ

which is the gated delta rule of arXiv 2412.06464, with the writers of one tick taking part side by side. Keys have
unit length, so the mean over writers keeps every eigenvalue of `I − Σ β k kᵀ / writers` in [0, 1]: the memory cannot
blow up by writing, and its norm is clamped besides.
"""

import jax
import jax.numpy as jnp

from oyster_jax.typing import Array, Float

#: Largest Frobenius norm of one head's memory.
NORM_LIMIT = 64.0


def unit(x: Float[Array, "... features"]) -> Float[Array, "... features"]:
    """Scales the last axis to length one, in float32."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True) + 1e-6)


def delta_step(
    memory: Float[Array, "*batch heads keys values"],
    key: Float[Array, "*batch writers heads keys"],
    value: Float[Array, "*batch writers heads values"],
    strength: Float[Array, "*batch writers heads"],
    decay: Float[Array, "*batch heads"],
) -> Float[Array, "*batch heads keys values"]:
    """Returns the memory after one tick; keys have unit length, strength and decay lie in (0, 1), all float32."""
    memory = memory * decay[..., None, None]
    known = jnp.einsum("...whk,...hkv->...whv", key, memory)
    change = strength[..., None] * (value - known) / key.shape[-3]
    memory = memory + jnp.einsum("...whk,...whv->...hkv", key, change)
    norm = jnp.sqrt(jnp.sum(jnp.square(memory), axis=(-2, -1), keepdims=True) + 1e-6)
    return memory * jnp.minimum(1.0, NORM_LIMIT / norm)


def read(
    memory: Float[Array, "*batch heads keys values"], query: Float[Array, "*batch readers heads keys"]
) -> Float[Array, "*batch readers heads values"]:
    """Returns what the memory holds for each query."""
    return jnp.einsum("...rhk,...hkv->...rhv", query, memory)
