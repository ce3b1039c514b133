"""The path between noise and data, and the grid of signal levels on it.

A latent at signal level τ is `τ · clean + (1 − τ) · noise`, with τ = 0 for noise alone and τ = 1 for the clean latent
(flow matching, arXiv 2210.02747). Levels lie on a grid of `finest` steps; a step of size d leads from τ to τ + d.
"""

import jax
import jax.numpy as jnp

from oyster_jax.typing import Array, Float, PRNGKey


def mix(clean: Array, noise: Array, signal: Float[Array, "..."]) -> Array:
    """Returns the latent at level `signal`, which is broadcast over trailing axes."""
    signal = signal.reshape(signal.shape + (1,) * (clean.ndim - signal.ndim))
    return signal * clean + (1 - signal) * noise


def toward(noisy: Array, clean: Array, signal: Float[Array, "..."], size: Float[Array, "..."]) -> Array:
    """Takes a step of `size` along the straight line from `noisy` at level `signal` to the predicted `clean`."""
    share = size / (1 - signal)
    return noisy + share.reshape(share.shape + (1,) * (clean.ndim - share.ndim)) * (clean - noisy)


def draw_levels(
    key: PRNGKey, shape: tuple[int, ...], finest: int, sizes: int, zero: float
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Draws step sizes `2^-i`, i in [0, sizes), and signal levels on the grid of each.

    Args:
      key: randomness.
      shape: of both results.
      finest: steps of the finest grid, a power of two.
      sizes: how many sizes to draw from, counted from the finest (1 gives the finest alone).
      zero: share of levels that are set to 0, where a rollout begins.

    Returns:
      Signal levels and step sizes; `signal + size ≤ 1`.
    """
    size_key, level_key, zero_key = jax.random.split(key, 3)
    steps = (finest // 2 ** jax.random.randint(size_key, shape, 0, sizes)).astype(jnp.float32)
    level = jnp.floor(jax.random.uniform(level_key, shape) * steps)
    level = jnp.where(jax.random.uniform(zero_key, shape) < zero, 0.0, level)
    return level / steps, 1.0 / steps
