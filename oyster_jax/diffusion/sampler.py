"""Drawing a latent: K steps of a denoiser from noise to data."""

import jax
import jax.numpy as jnp

from oyster_jax.diffusion.objective import Denoise
from oyster_jax.diffusion.schedule import toward
from oyster_jax.typing import Array


def sample(denoise: Denoise, noise: Array, steps: int, *, size: float | None = None) -> Array:
    """Takes `steps` equal steps from `noise` to a clean latent.

    Args:
      denoise: the denoiser; level and size are scalars.
      noise: standard normal, of the latent's shape.
      steps: how many.
      size: the step size that the denoiser is told, `1 / steps` unless given. One step that is told the finest size
        gives the expected latent instead of a drawn one.
    """
    told, stride = jnp.float32(1 / steps if size is None else size), jnp.float32(1 / steps)

    def step(index: Array, latent: Array) -> Array:
        signal = index.astype(jnp.float32) * stride
        return toward(latent, denoise(latent, signal, told), signal, stride)

    # Few steps are a tick's, which must be fast; many are a dream's, which must not take long to compile.
    return jax.lax.fori_loop(0, steps, step, noise, unroll=steps <= 4)
