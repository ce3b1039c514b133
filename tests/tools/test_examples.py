from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

from tests.tools import modules

EXAMPLES = modules.TOOLS / "examples"


def example(name):
    return modules.tool(name, EXAMPLES)


@pytest.fixture(scope="module")
def ppo():
    return example("ppo")


@pytest.fixture(scope="module")
def ranks():
    return example("ranks")


def test_rank_correlations_are_those_of_scipy(ranks):
    generator = np.random.default_rng(0)
    one, other = generator.integers(4, size=(2, 5, 12))
    expected: list[Any] = [spearmanr(a, b)[0] for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(ranks.spearman(one, other), expected)


def test_an_interval_is_as_wide_as_theory_says(ranks):
    values = np.random.default_rng(1).normal(size=400)
    drawn = ranks.resamples(400, 0)
    value, low, high = ranks.interval(values[drawn].mean(axis=1))
    assert value == values.mean()
    np.testing.assert_allclose(high - low, 2 * 1.96 * values.std() / 20, rtol=0.15)


def test_advantages_add_up_to_the_return(ppo):
    generator = np.random.default_rng(2)
    reward, value = generator.normal(size=(2, 6, 3)).astype(np.float32)
    done = np.zeros((6, 3), bool)
    done[3, 1] = True
    last = generator.normal(size=3).astype(np.float32)
    batch = {name: jnp.asarray(array) for name, array in {"reward": reward, "value": value, "done": done}.items()}
    found = np.asarray(ppo.advantages(batch, jnp.asarray(last), 1.0))
    expected, later = np.zeros((6, 3)), last.astype(np.float64)
    for tick in reversed(range(6)):
        later = reward[tick] + ppo.DISCOUNT * np.where(done[tick], 0, later)
        expected[tick] = later - value[tick]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_ppo_learns_what_is_rewarded(ppo):
    layers = ppo.network(jax.random.key(0), 8, 3)
    latent = jax.random.normal(jax.random.key(1), (16, 8, 4, 2))
    wanted = (latent[..., 0, 0] > 0).astype(jnp.int32)
    state = ppo.OPTIMIZER.init(layers)

    def act(layers, key):
        action, row = ppo.decide(layers, latent, key)
        return row | {"reward": (action == wanted).astype(jnp.float32), "done": jnp.ones((16, 8), bool)}

    before = float(act(layers, jax.random.key(2))["reward"].mean())
    assert before < 0.5
    # Optax counts its steps in whole numbers and multiplies by them.
    with jax.numpy_dtype_promotion("standard"):
        for number in range(60):
            key = jax.random.key(number)
            layers, state = ppo.update(layers, state, act(layers, key), jnp.zeros(8), key)
    assert float(act(layers, jax.random.key(2))["reward"].mean()) > 0.9
