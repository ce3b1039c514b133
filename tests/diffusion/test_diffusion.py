"""Shortcut forcing: path, objective, sampler."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.diffusion.objective import Choose, Denoise, ObjectiveConfig, larger_rows, shortcut_loss, two_steps
from oyster_jax.diffusion.sampler import sample
from oyster_jax.diffusion.schedule import draw_levels, mix, toward

CLEAN = jax.random.normal(jax.random.key(0), (8, 3, 4, 2))
NOISE = jax.random.normal(jax.random.key(1), CLEAN.shape)


def _perfect(noisy: jax.Array, signal: jax.Array, size: jax.Array) -> jax.Array:
    return CLEAN


def test_a_step_toward_the_data_stays_on_the_path() -> None:
    signal, size = jnp.full((8, 3), 0.25), jnp.full((8, 3), 0.5)
    np.testing.assert_allclose(
        toward(mix(CLEAN, NOISE, signal), CLEAN, signal, size), mix(CLEAN, NOISE, signal + size), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_a_perfect_denoiser_arrives_in_any_number_of_steps(steps: int) -> None:
    np.testing.assert_allclose(sample(_perfect, NOISE, steps), CLEAN, rtol=1e-4, atol=1e-5)


def test_levels_lie_on_the_grid_of_their_size() -> None:
    signal, size = draw_levels(jax.random.key(2), (4000,), 8, 4, 0.0)
    assert set(np.unique(size)) == {0.125, 0.25, 0.5, 1.0}
    np.testing.assert_array_equal(np.asarray(signal / size), np.round(signal / size))
    assert np.all(np.asarray(signal + size) <= 1)
    assert np.mean(draw_levels(jax.random.key(2), (4000,), 8, 1, 0.5)[0] == 0) == pytest.approx(0.56, abs=0.03)


def test_a_perfect_denoiser_has_no_loss_and_a_wrong_one_has() -> None:
    config = ObjectiveConfig(bootstrap=0.25, zero=0.5)

    def denoise(choose: Choose) -> Denoise:
        return lambda noisy, signal, size: choose(CLEAN)

    np.testing.assert_allclose(shortcut_loss(config, denoise, CLEAN, jax.random.key(0)), 0.0, atol=1e-9)

    def wrong(choose: Choose) -> Denoise:
        return lambda noisy, signal, size: choose(CLEAN) + 1.0

    flat = ObjectiveConfig(bootstrap=0.0, ramp=0.0)
    np.testing.assert_allclose(shortcut_loss(flat, wrong, CLEAN, jax.random.key(0)), 1.0, rtol=1e-4)


def test_the_target_of_a_large_step_is_where_two_halves_lead() -> None:
    signal, size = jnp.zeros((8, 3)), jnp.ones((8, 3))

    def denoise(noisy: jax.Array, signal: jax.Array, size: jax.Array) -> jax.Array:
        return 0.5 * noisy + 1.0

    target = two_steps(denoise, NOISE, signal, size)
    half = jnp.full((8, 3), 0.5)
    middle = toward(NOISE, denoise(NOISE, signal, half), signal, half)
    end = toward(middle, denoise(middle, half, half), half, half)
    np.testing.assert_allclose(toward(NOISE, target, signal, size), end, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("batch", "share", "rows"), [(16, 0.25, 4), (12, 0.125, 2), (9, 0.25, 1), (8, 0.0, 0), (4, 1.0, 4), (1, 0.25, 0)]
)
def test_rows_that_learn_larger_steps_divide_the_batch(batch: int, share: float, rows: int) -> None:
    assert larger_rows(ObjectiveConfig(bootstrap=share), batch) == rows


def test_bootstrap_targets_give_no_gradient() -> None:
    def loss(weight: jax.Array) -> jax.Array:
        def denoise(choose: Choose) -> Denoise:
            return lambda noisy, signal, size: weight * noisy

        return jnp.sum(shortcut_loss(ObjectiveConfig(bootstrap=1.0, ramp=0.0), denoise, CLEAN, jax.random.key(0)))

    weight, small = jnp.float32(0.7), 1e-3
    slope = (loss(weight + small) - loss(weight - small)) / (2 * small)
    assert abs(float(jax.grad(loss)(weight) - slope)) > 1e-2 * abs(float(slope))


def test_a_grid_that_is_no_power_of_two_is_refused() -> None:
    with pytest.raises(ValueError, match="power of two"):
        ObjectiveConfig(finest=6)
