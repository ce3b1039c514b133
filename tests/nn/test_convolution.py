import jax
import numpy as np
import pytest
from flax import nnx

from oyster_jax.nn.convolution import Convolution


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (2, 1), (1, 1)])
def test_equals_the_library_convolution(kernel, stride):
    layer = Convolution(3, 5, kernel=kernel, stride=stride, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(1), (2, 8, 12, 3))
    weights = layer.dense.kernel[...].reshape(kernel, kernel, 3, 5)
    before = (kernel - 1) // 2
    expected = jax.lax.conv_general_dilated(
        x, weights, (stride, stride), [(before, kernel - 1 - before)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)
