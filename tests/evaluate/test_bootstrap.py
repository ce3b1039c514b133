import numpy as np

from oyster_jax.evaluate.bootstrap import Bootstrap


def test_the_interval_of_a_mean_is_about_two_standard_errors():
    samples = np.random.default_rng(0).normal(3, 2, 400)
    estimate = Bootstrap(np.arange(400), seed=0).estimate(np.asarray, samples)
    reach = 1.96 * samples.std() / 20
    np.testing.assert_allclose(estimate.value, samples.mean())
    np.testing.assert_allclose([estimate.low, estimate.high], samples.mean() + reach * np.asarray([-1, 1]), atol=0.04)


def test_windows_of_one_episode_count_once():
    """Four copies of each window in one episode tell no more than one."""
    samples = np.random.default_rng(0).normal(0, 1, 100)
    alone = Bootstrap(np.arange(100), seed=0).estimate(np.asarray, samples)
    copied = Bootstrap(np.repeat(np.arange(100), 4), seed=0).estimate(np.asarray, np.repeat(samples, 4))
    np.testing.assert_allclose([copied.low, copied.high], [alone.low, alone.high], atol=1e-9)


def test_a_difference_is_taken_on_the_same_resample():
    samples = np.random.default_rng(0).normal(0, 1, 100)
    estimate = Bootstrap(np.arange(100), seed=0).estimate(np.subtract, samples + 5, samples)
    np.testing.assert_allclose([estimate.value, estimate.low, estimate.high], 5, atol=1e-9)
