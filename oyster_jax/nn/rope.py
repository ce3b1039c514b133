"""Rotary position embedding (arXiv 2104.09864) over time."""

import jax.numpy as jnp

from oyster_jax.nn.dense import lifted
from oyster_jax.typing import Array, Float, Int

#: The slowest rotation turns once in about this many ticks times 2π.
PERIOD = 1000.0


def rotate(x: Float[Array, "*batch ticks heads features"], position: Int[Array, "ticks"]) -> Array:
    """Rotates pairs of features by angles that grow with `position`, so that products depend on its differences.

    Angles are float32: at tick 108,000 (30 minutes at 60 Hz) the fastest is right to 0.01 rad.
    """
    half = x.shape[-1] // 2
    frequency = PERIOD ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angle = position.astype(jnp.float32)[:, None, None] * frequency[None, None, :]
    cos, sin = lifted(jnp.cos(angle), x.ndim), lifted(jnp.sin(angle), x.ndim)
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    rotated = jnp.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)
    return rotated.astype(x.dtype)
