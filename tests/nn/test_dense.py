"""The matrix product whose gradient is written by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from oyster_jax.nn.dense import Dense, lifted, matmul


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_gradient_is_that_of_a_plain_product(dtype: str) -> None:
    x, w, g = (
        jax.random.normal(jax.random.key(seed), shape, jnp.dtype(dtype))
        for seed, shape in enumerate([(7, 5), (5, 3), (7, 3)])
    )
    one = jax.vjp(matmul, x, w)[1](g)
    other = jax.vjp(lambda x, w: x @ w, x, w)[1](g)
    for mine, plain in zip(one, other, strict=True):
        assert mine.dtype == plain.dtype
        np.testing.assert_allclose(np.float32(mine), np.float32(plain), rtol=2e-2 if dtype == "bfloat16" else 1e-5)


def test_dense_maps_the_last_axis_and_keeps_the_dtype() -> None:
    layer = Dense(4, 6, rngs=nnx.Rngs(0), bias=True)
    assert layer.bias is not None
    layer.bias[...] = jnp.ones(6)
    x = jax.random.normal(jax.random.key(1), (2, 3, 4))
    np.testing.assert_allclose(layer(x), x @ layer.kernel[...] + 1.0, rtol=1e-4, atol=1e-5)
    assert layer(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_a_scale_of_zero_begins_at_zero() -> None:
    layer = Dense(4, 6, rngs=nnx.Rngs(0), scale=0.0)
    assert not np.any(layer(jnp.ones((2, 4))))


def test_lifted_adds_leading_axes() -> None:
    assert lifted(jnp.ones((2, 3)), 4).shape == (1, 1, 2, 3)
