"""How close a simulated frame comes to the true one: PSNR and SSIM, both on pixels scaled to [0, 1].

PSNR, the peak signal-to-noise ratio, with a peak of 1 (Wang and Bovik 2009, https://doi.org/10.1109/MSP.2008.930649):

    PSNR = -10 · log10(MSE),    MSE = mean((x - y)²)

where the mean runs over pixels, channels and, when figures are pooled, over frames too. Pooling before the logarithm
matters: a mean of per-frame PSNR flatters frames in which nothing moves.

SSIM, the structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004, https://doi.org/10.1109/TIP.2003.819861):

    SSIM = mean over places of  (2 μx μy + c1)(2 σxy + c2) / ((μx² + μy² + c1)(σx² + σy² + c2))

with means, variances and covariance under an 11 × 11 Gaussian window of σ = 1.5 that lies wholly inside the frame,
c1 = 0.01² and c2 = 0.03². It is computed on each of the three channels and averaged over them.
"""

import jax.numpy as jnp
import numpy as np

from oyster_jax.typing import Array, Float32, Frames

#: What frames that equal each other to the last bit score, in dB: their PSNR is infinite, but figures must be numbers.
HIGHEST_PSNR = 100.0

WINDOW = 11
SIGMA = 1.5
C1 = 0.01**2
C2 = 0.03**2


def squared_error(frames: Frames, truth: Frames) -> Float32[Array, "*batch"]:
    """Returns the mean squared error of each frame, over its pixels and channels, in [0, 1].

    Args:
      frames: uint8 `[…, height, width, 3]`.
      truth: the same shape.
    """
    return jnp.mean(squared_errors(frames, truth), axis=(-2, -1))


def squared_errors(frames: Frames, truth: Frames) -> Float32[Array, "*batch height width"]:
    """Returns the squared error of each pixel, averaged over channels, in [0, 1].

    Args:
      frames: uint8 `[…, height, width, 3]`.
      truth: the same shape.
    """
    # Subtracting whole numbers first leaves exactly nothing of frames that are equal.
    difference = (frames.astype(jnp.int32) - truth.astype(jnp.int32)).astype(jnp.float32)
    return jnp.mean(jnp.square(difference), axis=-1) / 255**2


def psnr(error: np.ndarray | float) -> np.ndarray:
    """Returns the PSNR in dB of mean squared errors of any shape, at most `HIGHEST_PSNR`."""
    floor = 10 ** (-HIGHEST_PSNR / 10)
    return np.asarray(-10 * np.log10(np.maximum(error, floor, dtype=np.float64)))


def ssim(frames: Frames, truth: Frames) -> Float32[Array, "*batch"]:
    """Returns the SSIM of each frame, 1 where it equals the truth.

    Args:
      frames: uint8 `[…, height, width, 3]`.
      truth: the same shape.

    Raises:
      ValueError: the frames are smaller than the window.
    """
    return jnp.mean(ssim_map(frames, truth), axis=(-2, -1))


def ssim_map(frames: Frames, truth: Frames) -> Float32[Array, "*batch rows columns"]:
    """Returns the similarity at every place, averaged over channels; the window's middle lies in `interior`.

    Args:
      frames: uint8 `[…, height, width, 3]`.
      truth: the same shape.

    Raises:
      ValueError: the frames are smaller than the window.
    """
    height, width = frames.shape[-3:-1]
    if min(height, width) < WINDOW:
        raise ValueError(f"SSIM needs frames of at least {WINDOW} × {WINDOW} pixels; these have {height} × {width}.")
    x, y = _scaled(frames), _scaled(truth)
    # The window is separable, so that the means over all places are two small matrix products.
    rows, columns = _window_matrix(height), _window_matrix(width)

    def mean(image: Array) -> Array:
        return jnp.einsum("ph,...hwc,qw->...pqc", rows, image, columns)

    mean_x, mean_y = mean(x), mean(y)
    variances = mean(x * x) - mean_x * mean_x + mean(y * y) - mean_y * mean_y
    covariance = mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x * mean_x + mean_y * mean_y + C1)
    structure = (2 * covariance + C2) / (variances + C2)
    return jnp.mean(luminance * structure, axis=-1)


def interior[Masks: (np.ndarray, Array)](masks: Masks) -> Masks:
    """Returns of masks `[…, height, width]` of pixels those of the places of `ssim_map`."""
    edge = WINDOW // 2
    return masks[..., edge:-edge, edge:-edge]


def _scaled(frames: Array) -> Array:
    return frames.astype(jnp.float32) / 255


def _window_matrix(size: int) -> np.ndarray:
    """Returns float32 `[places, size]`: row p holds the Gaussian that begins at pixel p."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    matrix = np.zeros((size - WINDOW + 1, size), np.float32)
    for place, row in enumerate(matrix):
        row[place : place + WINDOW] = weights / weights.sum()
    return matrix
