import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.evaluate import products


def test_products_are_measured_in_every_form_and_summed():
    shapes = {(4, 8, 8): 3, (2, 8, 16): 1, (1, 1, 1): 1}
    found = products.product_figures(shapes, weights=200, rounds=3, conditions={"world": "toy"}, most=2)
    figures = {figure.name: figure for figure in found}
    forms = ("float32", "bfloat16", "int8", "int8_alone")
    names = [f"product.{shape}.{form}" for shape in ("4x8x8", "2x8x16") for form in forms]
    assert list(figures) == [*names, *(f"product.tick.{form}" for form in forms)]
    assert figures["product.4x8x8.int8"].conditions == {"world": "toy", "times_a_tick": 3}
    assert figures["product.tick.int8"].conditions["shapes"] == ["4x8x8", "2x8x16"]
    assert all(figure.value > 0 for figure in found)


def test_a_tick_costs_each_product_as_often_as_it_does_it(monkeypatch):
    monkeypatch.setattr(
        products, "_shape_times", lambda shape, weights, rounds: dict.fromkeys(products._FORMS, np.full(rounds, 1e-3))
    )
    found = products.product_figures({(4, 8, 8): 3, (2, 2, 2): 5}, weights=200, rounds=3, conditions={})
    assert found[-1].value == pytest.approx(8)
    assert found[0].value == pytest.approx(1_000)


@pytest.mark.parametrize(("form", "error"), [("float32", 1e-6), ("bfloat16", 0.02), ("int8", 0.03)])
def test_every_form_is_the_same_product(form, error):
    generator = np.random.default_rng(0)
    x, weights = (jnp.asarray(generator.normal(size=shape), jnp.float32) for shape in ((20, 64), (64, 32)))
    multiply, prepare = products._FORMS[form]
    exact = np.asarray(x) @ np.asarray(weights)
    off = np.asarray(multiply(x, prepare(weights))) - exact
    assert np.sqrt(np.mean(off**2) / np.mean(exact**2)) < error
