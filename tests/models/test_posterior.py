"""What the head expects and what the noisy latent shows are weighed against each other as Bayes' rule says."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.diffusion.schedule import mix
from oyster_jax.models import dynamics
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.fine_head import posterior_mean

TINY = DynamicsConfig(tokens=16, columns=4, channels=4, features=16, heads=2, head_depth=1, posterior=True)


def test_noise_alone_leaves_the_mean() -> None:
    mean, noisy = jax.random.normal(jax.random.key(0), (2, 3, 16, 4))
    chex.assert_trees_all_equal(posterior_mean(mean, jnp.zeros_like(mean), noisy, jnp.zeros(3)), mean)


@pytest.mark.parametrize("log_variance", [-1e9, 1e9])
def test_a_certain_mean_stays_and_an_unsure_one_gives_way(log_variance: float) -> None:
    mean, clean = jax.random.normal(jax.random.key(1), (2, 3, 16, 4))
    signal = jnp.full((3,), 0.5)
    found = posterior_mean(mean, jnp.full_like(mean, log_variance), signal[:, None, None] * clean, signal)
    chex.assert_trees_all_close(found, mean if log_variance < 0 else clean, atol=2e-2)


@pytest.mark.parametrize("level", [0.125, 0.5, 0.875])
def test_no_other_weight_is_nearer_to_the_clean_latent(level: float) -> None:
    clean_key, noise_key = jax.random.split(jax.random.key(2))
    mean, spread = 0.4, 0.3
    clean = mean + spread * jax.random.normal(clean_key, (4096, 4, 4))
    signal = jnp.full((4096,), level)
    noisy = mix(clean, jax.random.normal(noise_key, clean.shape), signal)
    least = float("inf")
    for factor in (1.0, 0.25, 4.0):
        said = jnp.full_like(clean, 2 * np.log(spread) + np.log(factor))
        error = float(jnp.mean(jnp.square(posterior_mean(jnp.full_like(clean, mean), said, noisy, signal) - clean)))
        assert factor == 1.0 or error > least
        least = min(least, error)


def test_gradients_are_finite_whatever_is_said() -> None:
    def total(said: jax.Array) -> jax.Array:
        return jnp.sum(posterior_mean(jnp.ones((4, 1)), said, jnp.zeros((4, 1)), jnp.float32(0.875)))

    chex.assert_tree_all_finite(jax.grad(total)(jnp.array([[-1e9], [-8.0], [0.0], [1e9]])))


def test_a_new_head_already_listens_to_what_is_nearly_clean() -> None:
    features = 50 * jax.random.normal(jax.random.key(3), (TINY.coarse + TINY.registers, TINY.features))
    clean = jax.random.normal(jax.random.key(4), (TINY.tokens, TINY.channels))
    errors = []
    for changes in ({}, {"fine_head": 32}, {"fine_head": 32, "fine_current": True}, {"posterior": False}):
        config = dataclasses.replace(TINY, **changes)
        model = dynamics.bind(config, dynamics.init(config, jax.random.key(5)))
        said = model.denoise(features, 0.9 * clean, jnp.float32(0.9), jnp.float32(0.1), current=clean)
        errors.append(float(jnp.mean(jnp.square(said - clean))))
    assert max(errors[:3]) < 0.02 < errors[3]


def test_only_a_head_that_is_shown_the_newest_latent_depends_on_it() -> None:
    features = jax.random.normal(jax.random.key(3), (TINY.coarse + TINY.registers, TINY.features))
    noisy, current = jax.random.normal(jax.random.key(4), (2, TINY.tokens, TINY.channels))
    for shown in (True, False):
        config = dataclasses.replace(TINY, fine_head=32, fine_current=shown)
        params = dynamics.init(config, jax.random.key(5))
        # A new head says nothing yet.
        params["fine"]["mean"]["kernel"] = jnp.ones_like(params["fine"]["mean"]["kernel"])
        model = dynamics.bind(config, params)
        said = [model.denoise(features, noisy, jnp.float32(0), jnp.float32(0.1), current=x) for x in (None, current)]
        assert bool((said[0] != said[1]).any()) == shown
