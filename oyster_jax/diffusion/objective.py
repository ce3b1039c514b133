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

#: Picks some rows out of an array `[batch, …]`.
type Choose = Callable[[Array], Array]

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
    config: ObjectiveConfig, denoise: Callable[[Choose], Denoise], clean: Float[Array, "batch ticks tokens channels"],
    key: PRNGKey, emphasis: Float[Array, "batch ticks tokens"] | None = None,
) -> Float[Array, "batch ticks"]:  # fmt: skip
    """Returns the weighted squared error of every tick; some rows of the batch learn the larger steps.

    Args:
      config: weights.
      denoise: gives the denoiser for chosen rows of the batch.
      clean: the latents to predict.
      key: randomness of noise and levels.
      emphasis: how much the error of each token counts, all alike unless given.
    """
    rows = larger_rows(config, len(clean))
    fine_key, coarse_key, noise_key = jax.random.split(key, 3)
    sizes, ticks = config.finest.bit_length(), clean.shape[1]
    each = len(clean) // max(rows, 1)
    if rows:
        coarse = draw_levels(coarse_key, (rows, 1, ticks), config.finest // 2, max(1, sizes - 1), 0.25)
        fine = draw_levels(fine_key, (rows, each - 1, ticks), config.finest, 1, config.zero)
        pairs = zip(coarse, fine, strict=True)
        signal, size = (jnp.concatenate(pair, axis=1).reshape(-1, ticks) for pair in pairs)
    else:
        signal, size = draw_levels(fine_key, (len(clean), ticks), config.finest, 1, config.zero)
    noisy = mix(clean, jax.random.normal(noise_key, clean.shape), signal)
    target = clean
    if rows:

        def first(x: Array) -> Array:
            return x.reshape(rows, each, *x.shape[1:])[:, 0]

        ahead = two_steps(denoise(first), first(noisy), first(signal), first(size))
        others = clean.reshape(rows, each, *clean.shape[1:])[:, 1:]
        target = jax.lax.stop_gradient(jnp.concatenate([ahead[:, None], others], axis=1).reshape(clean.shape))
    error = jnp.mean(jnp.square(denoise(lambda x: x)(noisy, signal, size) - target), axis=-1)
    error = jnp.mean(error if emphasis is None else emphasis * error, axis=-1)
    return (config.ramp * signal + (1 - config.ramp)) * error


def larger_rows(config: ObjectiveConfig, batch: int) -> int:
    """Returns how many rows of a batch learn larger steps: at most their share, and a divisor of the batch.

    Every so many-th row is one of them, so that devices that share a batch get as many of them each.
    """
    if config.finest == 1:
        return 0
    return next((rows for rows in range(round(batch * config.bootstrap), 0, -1) if batch % rows == 0), 0)


def two_steps(denoise: Denoise, noisy: Array, signal: Array, size: Array) -> Array:
    """Returns the clean latent that one step of `size` must predict to land where two halves of it do."""
    half = size / 2
    middle = toward(noisy, denoise(noisy, signal, half), signal, half)
    end = toward(middle, denoise(middle, signal + half, half), signal + half, half)
    share = size / (1 - signal)
    return noisy + (end - noisy) / share.reshape(share.shape + (1,) * (noisy.ndim - share.ndim))
