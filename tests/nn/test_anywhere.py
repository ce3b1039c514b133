"""A branch that stays one in a batch, is differentiable, and gives what it gives without a batch."""

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.nn.anywhere import anywhere


def doubled(x, needed):
    return jax.lax.cond(anywhere(needed), lambda: jnp.where(needed, 2 * x, x), lambda: x)


X, NEEDED = jnp.arange(6.0).reshape(3, 2), jnp.array([False, True, False])
EXPECTED = np.array([[0, 1], [4, 6], [4, 5]], np.float32)


def test_rows_get_what_they_would_alone():
    np.testing.assert_array_equal(jax.jit(jax.vmap(doubled))(X, NEEDED), EXPECTED)
    np.testing.assert_array_equal(jnp.stack([doubled(x, one) for x, one in zip(X, NEEDED, strict=True)]), EXPECTED)
    np.testing.assert_array_equal(jax.vmap(jax.vmap(doubled))(X[None], NEEDED[None])[0], EXPECTED)
    np.testing.assert_array_equal(jax.vmap(doubled, (0, None))(X, NEEDED[0]), X)


def test_the_batch_has_a_branch_and_no_selection_of_both_sides():
    program = str(jax.make_jaxpr(jax.vmap(doubled))(X, NEEDED))
    assert "cond[" in program
    outside = program[: program.index("cond[")]
    assert "mul" not in outside
    assert "select_n" not in outside


def test_gradients_pass():
    def total(x, needed):
        return doubled(x, needed).sum()

    np.testing.assert_array_equal(jax.grad(total)(X[1], NEEDED[1]), [2, 2])
    np.testing.assert_array_equal(jax.vmap(jax.grad(total))(X, NEEDED), [[1, 1], [2, 2], [1, 1]])
