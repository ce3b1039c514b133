import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.core import layout
from oyster_jax.core.layout import layout_of

LAYERS, WIDTH = 3, 128
X = jnp.ones((4, WIDTH))


@jax.custom_vjp
def multiply(x, w):
    return x @ w


multiply.defvjp(lambda x, w: (x @ w, (x, w)), lambda kept, y: (y @ kept[1].T, kept[0].T @ y))


def network(params, x):
    """Uses parameters in every way that there is: cast or not, scanned or not, behind calls, in two ways at once."""

    @jax.jit
    def layer(x, w):
        return jnp.tanh(multiply(x.astype(jnp.bfloat16), w.astype(jnp.bfloat16)).astype(jnp.float32)), None

    def layers(x, _):
        return jax.lax.scan(layer, x, params["stacked"], unroll=True)[0], None

    def changed(w, _):
        return jnp.tanh(w.astype(jnp.bfloat16)).astype(w.dtype), None

    # As a sampler does, which runs its layers in each of its steps, and may have one.
    x, _ = jax.lax.scan(layers, x, None, length=1)
    carried, _ = jax.lax.scan(changed, params["carried"], None, length=2)
    x = x @ carried
    x = x + (x.astype(jnp.bfloat16) @ params["cast"].T.astype(jnp.bfloat16)).astype(jnp.float32)
    x = x @ params["plain"]
    x = x + (x.astype(jnp.bfloat16) @ params["both"].astype(jnp.bfloat16)).astype(jnp.float32) @ params["both"]
    rolled, _ = jax.lax.scan(lambda x, w: (x @ w, None), x, params["rolled"])
    return rolled + params["small"].astype(jnp.bfloat16).astype(jnp.float32)[None, :]


@pytest.fixture(scope="module")
def params():
    square = (WIDTH, WIDTH)
    shapes = {
        "stacked": (LAYERS, *square), "cast": square, "plain": square, "both": square, "carried": square,
        "rolled": (LAYERS, *square), "small": (WIDTH,), "unused": square,
    }  # fmt: skip
    keys = jax.random.split(jax.random.key(0), len(shapes))
    return {
        name: WIDTH**-0.5 * jax.random.normal(key, shape)
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }


@pytest.fixture(scope="module")
def found(params):
    return layout_of(network, params, X)


def test_only_what_is_always_cast_is_cast_beforehand(params, found):
    cast = dict(zip(sorted(params), found.dtypes, strict=True))
    assert {name for name, dtype in cast.items() if dtype is not None} == {"stacked", "cast"}
    assert cast["stacked"] == jnp.bfloat16


def test_only_what_is_run_along_without_a_loop_is_taken_apart(params, found):
    assert [name for name, stacked in zip(sorted(params), found.stacked, strict=True) if stacked] == ["stacked"]


def test_laid_out_the_numbers_are_the_same(params, found):
    leaves = found.apart(params)
    layers = leaves[sorted(params).index("stacked")]
    assert [layer.shape for layer in layers] == [(WIDTH, WIDTH)] * LAYERS
    assert layers[0].dtype == jnp.bfloat16
    np.testing.assert_array_equal(
        jax.jit(lambda leaves, x: network(found.together(leaves), x))(leaves, X), jax.jit(network)(params, X)
    )


def test_a_program_is_given_less_to_read(params, found):
    def arguments(function, given):
        memory = jax.jit(function).lower(given, X).compile().memory_analysis()
        assert memory is not None
        return memory.argument_size_in_bytes

    def laid_out(leaves, x):
        return network(found.together(leaves), x)

    # Three layers and one more matrix are given in two bytes a number instead of four.
    saved = arguments(network, params) - arguments(laid_out, found.apart(params))
    assert saved == (LAYERS + 1) * WIDTH**2 * 2


def test_what_is_returned_as_it_came_stays_as_it_is(params):
    def returned(params, x):
        return x.astype(jnp.bfloat16) @ params["cast"].astype(jnp.bfloat16), params["cast"]

    assert set(layout_of(returned, params, X).dtypes) == {None}


def test_what_is_not_cast_to_something_smaller_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(layout, "SMALLEST", 0)
    narrow = {"w": jnp.ones((4, 4), jnp.bfloat16)}
    assert layout_of(lambda params, x: x @ params["w"].astype(jnp.float32), narrow, jnp.ones((2, 4))).dtypes == (None,)
