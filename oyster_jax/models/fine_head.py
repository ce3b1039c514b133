"""A denoiser head that works on the latent's own tokens, and weighs what it expects against what it is shown.

The trunk joins neighbouring tokens into one; a head of that grid has to keep the noisy latent, what the trunk expects
and how sure it is of each of them in one vector. Here each token of the latent has its own.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from oyster_jax.nn import functional
from oyster_jax.nn.attention import ParallelBlock, rms_norm
from oyster_jax.nn.dense import Dense, lifted
from oyster_jax.nn.level import LevelEmbedding
from oyster_jax.nn.patch import split_tokens
from oyster_jax.typing import Array, Float, Latents

#: Features of one attention head.
_HEAD = 32


class FineHead(nnx.Module):
    """Predicts a clean latent from a noisy one.

    Args:
      grid: rows and columns of the latent.
      channels: features of one latent token.
      merge: `merge × merge` tokens are one of the trunk's.
      trunk: width of the trunk.
      width: of this head.
      depth: layers of it.
      draft: features of one token of a draft, 0 without a map.
      current: whether it is shown the newest latent, too.
      rngs: of the parameters.
    """

    def __init__(
        self, grid: Sequence[int], channels: int, merge: int, trunk: int, width: int, depth: int, draft: int,
        *, current: bool, rngs: nnx.Rngs,
    ):  # fmt: skip
        self.columns, self.merge = grid[1], merge
        self.features = Dense(trunk, merge**2 * width, rngs=rngs)
        self.place = nnx.Param(0.02 * jax.random.normal(rngs.params(), (grid[0] * grid[1], width)))
        self.noisy = Dense(channels, width, rngs=rngs)
        self.current = Dense(channels, width, rngs=rngs) if current else None
        self.draft = Dense(draft, width, rngs=rngs, bias=True) if draft else None
        self.signal_level = LevelEmbedding(width, rngs=rngs)
        self.step_size = LevelEmbedding(width, rngs=rngs)
        self.blocks = functional.Stack(lambda rngs: ParallelBlock(width, width // _HEAD, rngs=rngs), depth, rngs=rngs)
        self.mean = Dense(width, channels, rngs=rngs, scale=0.0, bias=True)
        self.spread = Dense(width, channels, rngs=rngs, scale=0.0, bias=True)

    def __call__(
        self,
        features: Float[Array, "*batch coarse trunk"],
        noisy: Latents,
        signal: Float[Array, "*batch"],
        size: Float[Array, "*batch"],
        draft: Float[Array, "*batch tokens features"] | None,
        current: Latents | None,
        dtype: jnp.dtype,
    ) -> Latents:
        """Predicts the clean latent at level `signal`, for a step of `size`; see `Dynamics.denoise`."""
        # The trunk's residual stream has grown tens of times as large as what is added here.
        x = self.features(rms_norm(features).astype(dtype)).astype(jnp.float32)
        x = split_tokens(x, self.merge, self.columns // self.merge)
        x = x + lifted(self.place[...], x.ndim) + self.noisy(noisy.astype(dtype)).astype(jnp.float32)
        if current is not None and self.current is not None:
            x = x + self.current(current.astype(dtype)).astype(jnp.float32)
        if draft is not None and self.draft is not None:
            x = x + self.draft(draft.astype(dtype)).astype(jnp.float32)
        x = x + (self.signal_level(signal) + self.step_size(size))[..., None, :]
        x, _ = self.blocks(x, lambda block, x, _: (block(x, dtype=dtype), None))
        x = rms_norm(x).astype(dtype)
        mean = self.mean(x).astype(jnp.float32)
        if draft is not None:
            mean = mean + draft[..., : mean.shape[-1]]
        return posterior_mean(mean, self.spread(x).astype(jnp.float32), noisy, signal)


def posterior_mean(mean: Latents, log_variance: Latents, noisy: Latents, signal: Float[Array, "*batch"]) -> Latents:
    """Returns what a clean latent is expected to be, after a noisy one of it at level `signal` was seen.

    Bayes' rule for `clean ~ N(mean, variance)` and `noisy = signal · clean + (1 - signal) · noise`: with nothing but
    noise it is the mean, near the data it is the noisy latent, and in between it depends on how sure the mean was. The
    skip connection of arXiv 2206.00364 has one variance for all features of all data; here the network says it.
    """
    signal = signal.reshape(signal.shape + (1,) * (mean.ndim - signal.ndim))
    # Bounds far beyond what latents within [-1, 1] can need keep 0 / 0 and ∞ · 0 away.
    precision = jnp.exp(-jnp.clip(log_variance, -8.0, 8.0))
    gain = signal / (jnp.square(signal) + jnp.square(1 - signal) * precision)
    return mean + gain * (noisy - signal * mean)
