from typing import Any

import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.patches import Patches, nearest, revealed_patches, sample_patches
from oyster_jax.evaluate.revealed import RevealedConfig, measure_revealed, revealed_figures
from tests.evaluate import scroller
from tests.evaluate.scroller import Walker
from tests.evaluate.toy import Exact

CONFIG = RevealedConfig(windows=6, samples=3, context=3, horizons=(4, 20), bank=800, chunk=4)


@pytest.fixture(scope="module")
def level(tmp_path_factory):
    return scroller.write(tmp_path_factory.mktemp("level") / "data")


def figures(model, level) -> dict[int, Any]:
    return revealed_figures(measure_revealed(model, {}, level, CONFIG)).horizons


def test_a_world_that_knows_everything_invents_nothing_and_looks_real(level):
    for found in figures(Walker(knows=True), level).values():
        assert found.diversity.value == found.error.value == 0
    far = figures(Walker(knows=True), level)[20]
    assert far.patches > 10
    assert far.implausibility.value == far.texture.value == pytest.approx(1)


def test_a_world_that_draws_black_is_neither_varied_nor_plausible(level):
    found = figures(Walker(), level)[20]
    assert 0.2 < found.share < 1
    assert found.diversity.value == 0
    assert found.spread.value == 0
    # Brightness is 40 to 254: black is that far from everything.
    assert 0.4 < found.error.value < 0.7
    assert found.texture.value == 0
    assert found.implausibility.value > 2


def test_the_spread_of_inventions_is_that_of_their_keys(level):
    measured = measure_revealed(Walker(invents=True), {}, level, CONFIG)
    found: Any = revealed_figures(measured).horizons[20]
    # One brightness a rollout, uniform in [0, 1): two differ by sqrt(1/6) on average.
    assert 0.2 < found.diversity.value < 0.65
    shown = measured.frames
    assert not np.array_equal(shown[:, 0], shown[:, 1])
    again = measure_revealed(Walker(invents=True), {}, level, CONFIG)
    np.testing.assert_array_equal(again.spread, measured.spread)
    np.testing.assert_array_equal(again.distances["model"], measured.distances["model"])


def test_where_nothing_is_revealed_there_is_no_patch():
    assert revealed_patches(np.zeros((16, 16, 3), np.float32), np.zeros((16, 16), bool)).shape == (0, 192)


def test_patches_lie_wholly_in_the_region():
    frame = np.arange(16 * 16 * 3, dtype=np.float32).reshape(16, 16, 3)
    mask = np.zeros((16, 16), bool)
    mask[4:13, :9] = True
    patches = revealed_patches(frame, mask)
    np.testing.assert_array_equal(patches, frame[4:12, :8].reshape(1, -1))


def test_the_nearest_patch_is_of_another_episode():
    values = np.asarray([[0.0] * 192, [0.5] * 192, [1.0] * 192], np.float32)
    bank = Patches(values=values, episodes=np.asarray([0, 1, 2], np.int32))
    asked = np.asarray([[0.1] * 192, [0.9] * 192], np.float32)
    np.testing.assert_allclose(nearest(asked, bank, other_than=0), [0.4, 0.1], atol=1e-4)
    np.testing.assert_allclose(nearest(asked, bank, other_than=2), [0.1, 0.4], atol=1e-4)


def test_sampled_patches_are_of_their_episodes(level):
    bank = sample_patches(level, 100, seed=0)
    assert bank.values.shape == (100, 192)
    frames = level[int(bank.episodes[40])].frames / np.float32(255)
    views = np.lib.stride_tricks.sliding_window_view(frames, (8, 8), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    assert (views.reshape(-1, 192) == bank.values[40]).all(1).any()


def test_a_recording_without_a_camera_is_refused(dataset):
    with pytest.raises(DatasetError, match="does not tell where the camera was"):
        measure_revealed(Exact(), {}, dataset, CONFIG)


@pytest.mark.parametrize(("change", "sentence"), [({"samples": 1}, "at least 2"), ({"horizons": ()}, "ascend")])
def test_a_senseless_request_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        RevealedConfig(**change)
