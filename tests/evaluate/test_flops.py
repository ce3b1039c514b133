import jax
import jax.numpy as jnp
import pytest

from oyster_jax.evaluate.flops import matmul_flops, matmul_shapes

X = jax.ShapeDtypeStruct((4, 8), jnp.float32)
W = jax.ShapeDtypeStruct((8, 8), jnp.float32)
ONE = 2 * 4 * 8 * 8


def test_a_product_and_a_batch_of_them():
    assert matmul_flops(jnp.matmul, X, W) == ONE
    assert matmul_flops(jax.vmap(jnp.matmul, (0, None)), jax.ShapeDtypeStruct((5, 4, 8), jnp.float32), W) == 5 * ONE


def test_gradients_cost_two_more_products():
    def loss(x, w):
        return jnp.sum(jnp.square(jax.jit(jnp.matmul)(x, w)))

    assert matmul_flops(jax.grad(loss, 1), X, W) == 2 * ONE
    assert matmul_flops(jax.grad(loss, (0, 1)), X, W) == 3 * ONE


def test_what_runs_several_times_counts_several_times():
    def repeated(x, w):
        return jax.lax.scan(lambda x, _: (jax.checkpoint(jnp.matmul)(x, w), None), x, None, length=7)

    assert matmul_flops(repeated, X, W) == 7 * ONE


def test_a_convolution_is_the_product_that_it_stands_for():
    image, kernel = jax.ShapeDtypeStruct((2, 6, 6, 3), jnp.float32), jax.ShapeDtypeStruct((2, 2, 3, 5), jnp.float32)

    def convolved(image, kernel):
        return jax.lax.conv_general_dilated(image, kernel, (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    assert matmul_flops(convolved, image, kernel) == 2 * (2 * 3 * 3) * (2 * 2 * 3) * 5


def test_a_loop_without_a_known_end_is_refused():
    def endless(x, w):
        return jax.lax.while_loop(lambda x: jnp.sum(x) < 1, lambda x: x @ w, x)

    with pytest.raises(ValueError, match="while loop"):
        matmul_flops(endless, X, W)


def test_products_are_listed_by_shape_with_how_often_they_run():
    w = jax.ShapeDtypeStruct((8, 8), jnp.float32)

    def repeated(x, w):
        x, _ = jax.lax.scan(lambda x, _: (jax.jit(jnp.matmul)(x, w), None), x, None, length=7)
        return x @ w[:, :2], jnp.einsum("bij,bjk->bik", x[None], w[None])

    # Attention's products, with a batch axis, have no weights and are left out.
    x = jax.ShapeDtypeStruct((4, 8), jnp.float32)
    assert matmul_shapes(repeated, x, w) == {(4, 8, 8): 7, (4, 8, 2): 1}
