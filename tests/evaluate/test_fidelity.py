import jax
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from oyster_jax.evaluate.fidelity import HIGHEST_PSNR, psnr, squared_error, ssim


def pictures(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Smooth pictures with some noise, so that no term of SSIM is negligible."""
    noise = np.random.default_rng(seed).random(shape) * 255
    return np.clip(2 * gaussian_filter(noise, (0, 2, 2, 0)) - 128 + 0.1 * noise, 0, 255).astype(np.uint8)


def reference_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """The paper's formula for one channel, in float64 and with scipy's Gaussian, without the 5 pixels at the edge."""
    x, y = x / 255.0, y / 255.0

    def mean(image):
        return gaussian_filter(image, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]

    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    similarity = (2 * mx * my + 1e-4) * (2 * vxy + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    return float(similarity.mean())


def test_ssim_agrees_with_a_reference_in_float64():
    x, y = pictures(0, (3, 24, 31, 3)), pictures(1, (3, 24, 31, 3))
    y[1] = np.clip(x[1].astype(int) + 20, 0, 255)
    expected = [np.mean([reference_ssim(a[..., c], b[..., c]) for c in range(3)]) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(jax.jit(ssim)(x, y), expected, atol=2e-5)
    assert expected[0] < 0.5 < expected[1]


def test_equal_frames_are_as_similar_as_can_be():
    x = jax.numpy.asarray(pictures(2, (2, 16, 16, 3)))
    np.testing.assert_allclose(ssim(x, x), 1, atol=1e-6)
    np.testing.assert_array_equal(psnr(np.asarray(squared_error(x, x))), HIGHEST_PSNR)


def test_psnr_of_a_known_error():
    black = jax.numpy.zeros((2, 16, 16, 3), jax.numpy.uint8)
    grey = jax.numpy.full((2, 16, 16, 3), 51, jax.numpy.uint8)
    # An error of a fifth everywhere: -10 log10(1/25).
    np.testing.assert_allclose(psnr(np.asarray(squared_error(black, grey))), 13.9794, atol=1e-4)


def test_frames_smaller_than_the_window_are_refused():
    small = jax.numpy.zeros((10, 64, 3), jax.numpy.uint8)
    with pytest.raises(ValueError, match="at least 11 × 11"):
        ssim(small, small)
