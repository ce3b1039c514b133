"""Attention, its block and its positions."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from oyster_jax.nn.attention import ParallelBlock, attend, rms_norm
from oyster_jax.nn.ring_cache import write, written
from oyster_jax.nn.rope import rotate


def test_attend_equals_the_formula_and_obeys_its_mask() -> None:
    q, k, v = (jax.random.normal(jax.random.key(seed), (2, 5, 3, 4)) for seed in range(3))
    mask = jnp.tril(jnp.ones((5, 5), bool))
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / 2.0
    weights = jax.nn.softmax(jnp.where(mask[None, None], scores, -jnp.inf))
    np.testing.assert_allclose(attend(q, k, v, mask), jnp.einsum("bhqk,bkhd->bqhd", weights, v), rtol=1e-4, atol=1e-5)


def test_a_new_block_changes_nothing_and_norm_scales_to_one() -> None:
    block = ParallelBlock(8, 2, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(0), (3, 5, 8))
    np.testing.assert_array_equal(block(x, dtype=jnp.dtype("float32")), x)
    np.testing.assert_allclose(jnp.mean(jnp.square(rms_norm(7.0 * x)), -1), np.ones((3, 5)), rtol=1e-4)


def test_rotated_products_depend_on_differences_of_position_only() -> None:
    q, k = (jax.random.normal(jax.random.key(seed), (1, 1, 8)) for seed in range(2))
    products = [
        jnp.sum(rotate(q, jnp.array([start + 5])) * rotate(k, jnp.array([start]))) for start in (0, 3, 1000, 27_000)
    ]
    np.testing.assert_allclose(products, products[0], rtol=5e-3, atol=5e-3)
    assert abs(float(products[0] - jnp.sum(q * k))) > 1e-2


def test_the_ring_keeps_the_newest() -> None:
    ring = jnp.zeros((3, 1))
    for step in range(5):
        ring = write(ring, jnp.full((1,), step, jnp.float32), jnp.int32(step))
    np.testing.assert_array_equal(ring[:, 0], [3, 4, 2])
    np.testing.assert_array_equal(written(3, jnp.int32(1)), [[True, True, False]])
