"""A judge on disk and in memory; how well it reads is tested where it is trained."""

import jax
import numpy as np
import pytest

from oyster_jax.core.spec import ActionSpec
from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.judge import RECORD, WEIGHTS, FrameReader, Judge, has_judge, load_judge, save_judge
from oyster_jax.models import inverse_dynamics
from oyster_jax.models.inverse_dynamics import JudgeConfig, button_table, count_peaks

CONFIG = JudgeConfig(
    height=16, width=16, press_features=8, motion_features=8, detector_features=8, kinds=(0, 2), dtype="float32"
)


@pytest.fixture(scope="module")
def params():
    return inverse_dynamics.init(CONFIG, jax.random.key(0))


@pytest.fixture(scope="module")
def judge(params):
    return Judge(CONFIG, params)


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(256, size=(70, 16, 16, 3), dtype=np.uint8)


def test_readings_have_one_row_a_step_or_a_frame(judge, frames):
    assert judge.presses(frames).shape == (69, 3)
    assert judge.motion(frames).shape == (69, 2)
    assert judge.agents(frames).shape == (70,)
    assert judge.features(frames).shape == (70, 8)
    assert 0 < judge.presses(frames).min() < judge.presses(frames).max() < 1


def test_it_is_what_other_modules_ask_for(judge):
    assert isinstance(judge, FrameReader)


def test_a_step_is_read_from_its_own_neighbours_only(judge, frames):
    # 70 frames are more than one chunk: neither chunks nor far frames make a difference.
    whole = judge.presses(frames)
    np.testing.assert_allclose(judge.presses(frames[62:68])[2], whole[64], atol=1e-6)
    np.testing.assert_allclose(judge.motion(frames[64:66])[0], judge.motion(frames)[64], atol=1e-6)
    np.testing.assert_allclose(judge.features(frames[66:67])[0], judge.features(frames)[66], atol=1e-6)


def test_beyond_the_ends_the_last_frame_stands_still(judge, frames):
    padded = np.concatenate([frames[:1], frames[:1], frames[:4]])
    np.testing.assert_allclose(judge.presses(padded)[2], judge.presses(frames[:4])[0], atol=1e-6)


def test_nothing_to_read_is_said(judge, frames):
    with pytest.raises(ValueError, match="nothing to read"):
        judge.presses(frames[:1])
    with pytest.raises(ValueError, match="16×16"):
        judge.agents(np.zeros((2, 8, 8, 3), np.uint8))


def test_a_saved_judge_reads_the_same(tmp_path, params, frames):
    stored = jax.tree.map(lambda leaf: leaf.astype("bfloat16").astype("float32"), params)
    save_judge(tmp_path / "world", CONFIG, params, {"accuracy": {"presses": 0.5}})
    assert has_judge(tmp_path / "world")
    loaded = load_judge(tmp_path / "world")
    assert loaded.config == CONFIG
    assert loaded.record["accuracy"] == {"presses": 0.5}
    np.testing.assert_array_equal(loaded.presses(frames), Judge(CONFIG, stored).presses(frames))


def test_a_missing_or_damaged_judge_is_refused(tmp_path, params):
    with pytest.raises(DatasetError, match=r"no judge\.json"):
        load_judge(tmp_path)
    save_judge(tmp_path, CONFIG, params, {})
    data = bytearray((tmp_path / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (tmp_path / WEIGHTS).write_bytes(data)
    with pytest.raises(DatasetError, match="sha256"):
        load_judge(tmp_path)
    (tmp_path / RECORD).write_text("{}")
    with pytest.raises(DatasetError, match="cannot be used"):
        load_judge(tmp_path)


def test_buttons_come_from_the_names_of_actions():
    spec = ActionSpec(names=("left", "left+jump", "noop"), idle="noop")
    np.testing.assert_array_equal(button_table(spec, ("left", "jump")), [[1, 0], [1, 1], [0, 0]])
    with pytest.raises(ValueError, match="fly"):
        button_table(spec, ("left", "fly"))


def test_peaks_are_counted_once_however_wide():
    logits = np.full((2, 8, 8), -5.0, np.float32)
    logits[0, 2, 2:4] = 1.0, 2.0
    logits[0, 6, 6] = 0.5
    logits[1, 0, 0] = -0.1
    np.testing.assert_array_equal(count_peaks(jax.numpy.asarray(logits)), [2, 0])
