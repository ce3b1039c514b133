"""Drawing a latent: K steps of a denoiser from noise to data."""

import jax
import jax.numpy as jnp

from oyster_jax.diffusion.objective import Denoise
from oyster_jax.diffusion.schedule import toward
from oyster_jax.typing import Array


def sample(
    denoise: Denoise, noise: Array, steps: int, *, size: float | None = None, first: Array | None = None
) -> Array:
    """Takes `steps` equal steps from `noise` to a clean latent.

    Args:
      denoise: the denoiser; level and size are scalars.
      noise: standard normal, of the latent's shape.
      steps: how many.
      size: the step size that the denoiser is told, `1 / steps` unless given. One step that is told the finest size
        gives the expected latent instead of a drawn one.
      first: the clean latent that the first step goes toward, where it is known already; the denoiser's unless given.
    """
    told, stride = jnp.float32(1 / steps if size is None else size), jnp.float32(1 / steps)

    def step(index: Array, latent: Array) -> Array:
        signal = index.astype(jnp.float32) * stride
        return toward(latent, denoise(latent, signal, told), signal, stride)

    begun = noise if first is None else toward(noise, first, jnp.float32(0), stride)
    # Few steps are a tick's, which must be fast; many are a dream's, which must not take long to compile.
    return jax.lax.fori_loop(0 if first is None else 1, steps, step, begun, unroll=steps <= 4)
