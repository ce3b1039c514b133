import dataclasses

import numpy as np
import pytest

from oyster_jax.evaluate.bootstrap import Bootstrap
from oyster_jax.evaluate.control import action_effect
from oyster_jax.evaluate.fidelity import HIGHEST_PSNR, psnr
from oyster_jax.evaluate.open_loop import CEILING, COPY_LAST, MODEL, RANDOM_ACTIONS, OpenLoopConfig, measure_open_loop
from oyster_jax.evaluate.open_loop_figures import open_loop_figures
from tests.evaluate.toy import Exact

CONFIG = OpenLoopConfig(windows=21, context=3, horizons=(1, 4, 6), chunk=8, shown=2)


@pytest.fixture(scope="module")
def exact(dataset):
    return measure_open_loop(Exact(), {}, dataset, CONFIG)


@pytest.fixture(scope="module")
def still(dataset):
    return measure_open_loop(Exact(moves=False), {}, dataset, CONFIG)


def test_a_world_that_is_the_truth_makes_no_error(exact):
    np.testing.assert_array_equal(exact.errors[MODEL], np.zeros((21, 6)))
    np.testing.assert_array_equal(exact.errors[CEILING], np.zeros((21, 3)))
    np.testing.assert_array_equal(exact.frames, exact.truth)
    assert exact.truth.shape == (2, 7, 16, 16, 3)
    found = open_loop_figures([exact])
    assert found.ceiling_psnr.value == found.psnr[MODEL][6].value == HIGHEST_PSNR
    np.testing.assert_allclose(found.ssim[MODEL][6].value, 1, atol=1e-6)
    assert found.gain[1].value > 50


def test_a_world_that_stands_still_is_copy_last(still):
    np.testing.assert_array_equal(still.errors[MODEL], still.errors[COPY_LAST])
    np.testing.assert_array_equal(still.similarities[MODEL], still.similarities[COPY_LAST])
    assert still.errors[COPY_LAST].max() > 0
    found = open_loop_figures([still])
    for horizon in CONFIG.horizons:
        gain = found.gain[horizon]
        assert gain.value == gain.low == gain.high == 0


def test_copy_last_is_the_error_of_the_last_context_frame(dataset, exact):
    episode, start = exact.windows.episodes[0], exact.windows.starts[0]
    frames = dataset[int(episode)].frames[start : start + CONFIG.length] / 255
    expected = np.square(frames[3:] - frames[2]).mean((1, 2, 3))
    np.testing.assert_allclose(exact.errors[COPY_LAST][0], expected, rtol=1e-5)
    assert found_gain(exact, 4) == pytest.approx(HIGHEST_PSNR - pooled(exact, COPY_LAST, 4))


def found_gain(measurements, horizon: int) -> float:
    return open_loop_figures([measurements]).gain[horizon].value


def pooled(measurements, method: str, horizon: int) -> float:
    return float(psnr(measurements.errors[method][:, horizon - 1].astype(np.float64).mean()))


def effect_of(measurements):
    under_true, under_random = (measurements.error(method, 4) for method in (MODEL, RANDOM_ACTIONS))
    return action_effect(under_true, under_random, Bootstrap(measurements.windows.episodes, seed=0))


def test_random_actions_lead_the_truth_astray(exact):
    effect = effect_of(exact)
    assert effect.pooled.value == pytest.approx(HIGHEST_PSNR - pooled(exact, RANDOM_ACTIONS, 4))
    each = psnr(exact.errors[RANDOM_ACTIONS][:, 3])
    assert effect.mean_of_windows.value == pytest.approx(HIGHEST_PSNR - each.mean())
    assert effect.pooled.value > 50


def test_a_world_that_ignores_its_actions_has_no_effect_of_them(dataset):
    effect = effect_of(measure_open_loop(Exact(heeds=False), {}, dataset, CONFIG))
    for estimate in (effect.pooled, effect.mean_of_windows):
        assert estimate.value == estimate.low == estimate.high == 0


@pytest.mark.parametrize("chunk", [1, 21])
def test_the_chunk_changes_nothing(dataset, still, chunk):
    again = measure_open_loop(Exact(moves=False), {}, dataset, dataclasses.replace(CONFIG, chunk=chunk))
    np.testing.assert_array_equal(again.windows.starts, still.windows.starts)
    for method, errors in still.errors.items():
        np.testing.assert_allclose(again.errors[method], errors, rtol=1e-6)
    np.testing.assert_array_equal(again.frames, still.frames)


def test_the_seed_decides(dataset, exact):
    again = measure_open_loop(Exact(), {}, dataset, CONFIG)
    other = measure_open_loop(Exact(), {}, dataset, dataclasses.replace(CONFIG, seed=1))
    np.testing.assert_array_equal(again.errors[RANDOM_ACTIONS], exact.errors[RANDOM_ACTIONS])
    assert (other.errors[RANDOM_ACTIONS] != exact.errors[RANDOM_ACTIONS]).any()


def test_progress_ends_with_all_windows(dataset):
    seen = []
    measure_open_loop(Exact(), {}, dataset, CONFIG, lambda done, total: seen.append((done, total)))
    assert seen == [(8, 21), (16, 21), (21, 21)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"windows": 0}, "at least 1 of its windows"),
        ({"context": 0}, "at least 1 of its context"),
        ({"horizons": (4, 1)}, "Horizons are positive and ascend"),
        ({"seed": -1}, "A seed is not negative"),
    ],
)
def test_a_senseless_request_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        OpenLoopConfig(**change)


def test_groups_of_windows_give_each_horizon_its_own_figures(dataset):
    near = OpenLoopConfig(windows=9, context=3, horizons=(1, 4), chunk=8)
    far = OpenLoopConfig(windows=2, context=3, horizons=(40,), chunk=8, random=False, spread=True)
    groups = [measure_open_loop(Exact(moves=False), {}, dataset, config) for config in (near, far)]
    found = open_loop_figures(groups)
    assert found.horizons == (1, 4, 40)
    assert found.windows == {1: 9, 4: 9, 40: 2}
    assert found.psnr[MODEL][40].value == pytest.approx(pooled(groups[1], MODEL, 40))
    assert set(found.psnr[RANDOM_ACTIONS]) == {1, 4}
    assert {last: len(curves[MODEL]) for last, curves in found.curves.items()} == {4: 4, 40: 40}


def test_rollouts_longer_than_a_block_stay_with_the_truth(dataset):
    measured = measure_open_loop(
        Exact(), {}, dataset, OpenLoopConfig(windows=5, context=3, horizons=(45,), random=False)
    )
    np.testing.assert_array_equal(measured.errors[MODEL], np.zeros((5, 45)))
    np.testing.assert_array_equal(measured.real, measured.drawn)
