"""Numbers about the look of one frame, which a world that wears out loses: sharpness, colours, entropy.

    sharpness = mean over places of sqrt(dx² + dy²),    dx, dy: differences of grey between neighbouring pixels
    entropy   = -Σ p log2 p over a histogram of grey levels, in bits

Grey is the mean of the three channels; all pixels are scaled to [0, 1]. None of these says that a frame makes sense.
"""

import jax.numpy as jnp

from oyster_jax.typing import Array, Float32, Frames

#: What `appearance` returns, in its order: colours are means and standard deviations over a frame's pixels.
APPEARANCE = (
    "sharpness", "entropy", "red", "green", "blue", "red_contrast", "green_contrast", "blue_contrast",
)  # fmt: skip

#: Bins of the histogram of grey levels.
LEVELS = 64


def appearance(frames: Frames) -> Float32[Array, "*batch statistics"]:
    """Returns the statistics `APPEARANCE` of each uint8 frame `[…, height, width, 3]`."""
    pixels = frames.astype(jnp.float32) / 255
    grey = jnp.mean(pixels, axis=-1)
    down = grey[..., 1:, :-1] - grey[..., :-1, :-1]
    across = grey[..., :-1, 1:] - grey[..., :-1, :-1]
    sharpness = jnp.mean(jnp.sqrt(down * down + across * across), axis=(-2, -1))
    means, contrasts = jnp.mean(pixels, axis=(-3, -2)), jnp.std(pixels, axis=(-3, -2))
    return jnp.concatenate([sharpness[..., None], _entropy(grey)[..., None], means, contrasts], axis=-1)


def _entropy(grey: Array) -> Array:
    *batch, height, width = grey.shape
    level = jnp.minimum((grey * LEVELS).astype(jnp.int32), LEVELS - 1).reshape(-1, height * width)
    rows = jnp.arange(len(level))[:, None]
    counts = jnp.zeros((len(level), LEVELS)).at[rows, level].add(1.0)
    share = counts / (height * width)
    bits = -jnp.sum(share * jnp.log2(jnp.where(share > 0, share, 1.0)), axis=-1)
    return bits.reshape(batch)
