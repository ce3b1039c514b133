"""The shortcut-forcing objective in x-space (arXiv 2410.12557; x-prediction as in arXiv 2509.24527).

For the finest step size d the target of a prediction is the clean latent itself. For a larger size it is what two
steps of half the size arrive at, by the network itself and without gradient, so that one step learns to do the work
of many. The error at signal level τ is weighted by `ramp · τ + (1 − ramp)`.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from oyster_jax.diffusion.schedule import draw_levels, mix, toward
from oyster_jax.typing import Array, Float, PRNGKey

#: `denoise(noisy, signal, size) → clean`, with `signal` and `size` of the leading axes of `noisy`.
type Denoise = Callable[[Array, Array, Array], Array]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """Weights of shortcut forcing.

    Attributes:
      finest: steps of the finest grid, a power of two.
      bootstrap: share of batch rows that learn larger steps.
      ramp: how much more a level near the data counts than one near the noise, 0 (not at all) to 1.
      zero: share of signal levels set to 0, the level whose prediction is the expected next latent.
    """

    finest: int = 8
    bootstrap: float = 0.25
    ramp: float = 0.9
    zero: float = 0.0

    def __post_init__(self) -> None:
        if self.finest < 1 or self.finest & (self.finest - 1):
            raise ValueError(f"The finest grid has a power of two of steps, but was {self.finest}.")


def shortcut_loss(
    config: ObjectiveConfig, denoise: Callable[[slice], Denoise], clean: Float[Array, "batch ticks tokens channels"],
    key: PRNGKey,
) -> Float[Array, "batch ticks"]:  # fmt: skip
    """Returns the weighted squared error of every tick; the first rows of the batch learn the larger steps.

    Args:
      config: weights.
      denoise: gives the denoiser for some rows of the batch.
      clean: the latents to predict.
      key: randomness of noise and levels.
    """
    rows = round(len(clean) * config.bootstrap) if config.finest > 1 else 0
    fine_key, coarse_key, noise_key = jax.random.split(key, 3)
    sizes = config.finest.bit_length()
    coarse = draw_levels(coarse_key, (rows, clean.shape[1]), config.finest // 2, max(1, sizes - 1), 0.25)
    fine = draw_levels(fine_key, (len(clean) - rows, clean.shape[1]), config.finest, 1, config.zero)
    signal, size = (jnp.concatenate(parts) for parts in zip(coarse, fine, strict=True))
    noisy = mix(clean, jax.random.normal(noise_key, clean.shape), signal)
    target = clean
    if rows:
        ahead = two_steps(denoise(slice(0, rows)), noisy[:rows], signal[:rows], size[:rows])
        target = jax.lax.stop_gradient(jnp.concatenate([ahead, clean[rows:]]))
    error = jnp.mean(jnp.square(denoise(slice(None))(noisy, signal, size) - target), axis=(-2, -1))
    return (config.ramp * signal + (1 - config.ramp)) * error


def two_steps(denoise: Denoise, noisy: Array, signal: Array, size: Array) -> Array:
    """Returns the clean latent that one step of `size` must predict to land where two halves of it do."""
    half = size / 2
    middle = toward(noisy, denoise(noisy, signal, half), signal, half)
    end = toward(middle, denoise(middle, signal + half, half), signal + half, half)
    share = size / (1 - signal)
    return noisy + (end - noisy) / share.reshape(share.shape + (1,) * (noisy.ndim - share.ndim))
