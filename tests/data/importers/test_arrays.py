from typing import Any

import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.frames import write_clip
from tests.data.importers.foreign import imported, pictures, plan

ACTIONS = np.array([0, 2, 1, 1, 2, 0, 0, 2])


def _save(path, **changes):
    arrays = {"frames": pictures(0, 8), "actions": ACTIONS} | changes
    given: dict[str, Any] = {name: array for name, array in arrays.items() if array is not None}
    np.savez_compressed(path, **given)
    return path


def test_arrays_come_back_as_they_were(tmp_path):
    rewards, terminals = np.linspace(0, 1, 8), np.arange(8) == 7
    path = _save(tmp_path / "walk.npz", rewards=rewards, terminals=terminals, rate=12.0)
    data = imported(path, tmp_path / "out", licence="MIT")
    [episode] = data
    np.testing.assert_array_equal(episode.frames, pictures(0, 8))
    np.testing.assert_array_equal(episode.actions, ACTIONS)
    np.testing.assert_array_equal(episode.rewards, rewards.astype(np.float32))
    np.testing.assert_array_equal(episode.terminals, terminals)
    assert episode.metadata == {"from": "walk.npz", "ending": "terminal"}
    about = data.manifest.provenance
    assert (about.source, about.split, about.licence) == ("npz:walk.npz", "training", "MIT")
    assert (about.spec.name, about.spec.frame.rate) == ("walk", 12.0)
    assert about.spec.action.names == ("action0", "action1", "action2")


def test_an_episode_is_cut_after_every_end_of_the_world(tmp_path):
    terminals = np.isin(np.arange(8), (2, 5))
    data = imported(_save(tmp_path / "walk.npz", terminals=terminals), tmp_path / "out")
    assert data.lengths.tolist() == [3, 3, 2]
    shown = [frame for episode in data if episode.frames is not None for frame in episode.frames]
    np.testing.assert_array_equal(np.stack(shown), pictures(0, 8))
    assert [episode.metadata["ending"] for episode in data] == ["terminal", "terminal", "stopped"]


def test_a_very_long_episode_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr("oyster_jax.data.importers.conversion.LONGEST", 3)
    data = imported(_save(tmp_path / "walk.npz"), tmp_path / "out")
    assert data.lengths.tolist() == [3, 3, 2]
    np.testing.assert_array_equal(np.concatenate([episode.actions for episode in data]), ACTIONS)


def test_the_picture_after_the_last_action_is_left_out(tmp_path):
    [episode] = imported(_save(tmp_path / "walk.npz", frames=pictures(0, 9)), tmp_path / "out")
    np.testing.assert_array_equal(episode.frames, pictures(0, 8))


def test_a_folder_and_an_axis_of_episodes_hold_several(tmp_path):
    folder = tmp_path / "walks"
    folder.mkdir()
    _save(folder / "a.npz")
    both = np.stack([pictures(1, 8), pictures(2, 8)])
    _save(folder / "b.npz", frames=both, actions=np.stack([ACTIONS, ACTIONS[::-1]]))
    data = imported(folder, tmp_path / "out", held_out=True)
    assert data.manifest.provenance.split == "held-out"
    for index in range(3):
        np.testing.assert_array_equal(data[index].frames, pictures(index, 8))
    np.testing.assert_array_equal(data[2].actions, ACTIONS[::-1])


def test_names_of_actions_are_kept(tmp_path):
    names = np.array(["right", "Right+Jump", "noop", "noop", "left", "left", "right", "noop"])
    data = imported(_save(tmp_path / "walk.npz", actions=names), tmp_path / "out")
    spec = data.manifest.spec.action
    assert [spec.names[action] for action in data[0].actions] == [name.lower() for name in names]
    assert spec.idle == "noop"


def test_continuous_actions_become_the_nearest_of_a_few(tmp_path):
    actions = np.random.default_rng(0).uniform(-2, 2, size=(8, 2))
    what = plan(_save(tmp_path / "walk.npz", actions=actions))
    assert what.spec.action.count == 9
    assert 0.5 < what.kept < 1
    ends = np.asarray(what.table.values)
    assert plan(_save(tmp_path / "ends.npz", actions=ends[:8])).kept == 1


def test_buttons_become_the_combinations_that_occur(tmp_path):
    held = np.array([[0, 0, 0], [1, 0, 1], [0, 1, 0]])[[0, 1, 2, 2, 1, 0, 0, 1]]
    what = plan(_save(tmp_path / "walk.npz", actions=held))
    assert what.spec.action.names == ("noop", "b1", "b0+b2")
    assert what.kept == 1


def test_what_the_numbers_stand_for_can_be_said(tmp_path):
    path = _save(tmp_path / "walk.npz")
    data = imported(path, tmp_path / "out", actions="noop,left,right", size="32x32", rate=5.0, name="mine")
    spec = data.manifest.spec
    assert (spec.name, spec.action.names, spec.frame.shape, spec.frame.rate) == (
        "mine", ("noop", "left", "right"), (32, 32, 3), 5.0,
    )  # fmt: skip
    np.testing.assert_array_equal(data[0].actions, ACTIONS)


def test_a_clip_of_our_own_can_be_imported(tmp_path):
    write_clip(tmp_path / "clip.npz", pictures(0, 9), rate=15.0, actions=ACTIONS, start=0)
    [episode] = imported(tmp_path / "clip.npz", tmp_path / "out")
    np.testing.assert_array_equal(episode.actions, ACTIONS)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"frames": None}, "has no frames, only actions"),
        ({"actions": None}, "has no actions, only frames"),
        ({"frames": np.zeros((8, 48, 64), np.uint8)}, "should be \\[ticks, height, width, 3\\]"),
        ({"frames": np.zeros((8, 48, 64, 3))}, "A picture is uint8"),
        ({"frames": pictures(0, 6)}, "has 6 frames, but 8 actions"),
        ({"frames": pictures(0, 10)}, "has 10 frames, but 8 actions"),
        ({"actions": np.zeros((8, 2, 2))}, "has actions of shape"),
        ({"actions": np.array([None] * 8)}, "no whole .npz file"),
        ({"rewards": np.zeros(3)}, "has 8 actions, but 3 rewards"),
        ({"frames": pictures(0, 8)[None]}, "frames of 1 episodes, but actions of shape \\[8\\]"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_left(changes, sentence, tmp_path):
    path = _save(tmp_path / "walk.npz", **changes)
    with pytest.raises(DatasetError, match=sentence):
        imported(path, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["walk.npz"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_file_is_refused_and_nothing_is_left(damage, tmp_path):
    path = _save(
        tmp_path / "walk.npz", frames=np.random.default_rng(0).integers(256, size=(8, 32, 32, 3), dtype=np.uint8)
    )
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes({"cut": data[: len(data) // 2], "flipped": data, "empty": b""}[damage])
    with pytest.raises(DatasetError, match=r"is no whole \.npz file"):
        imported(path, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["walk.npz"]


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"actions": "left=0:1"}, "is 1 numbers, but 2 stand in --actions"),
        ({"size": "50x50"}, "multiples of 16"),
        ({"rate": -1.0}, "some ticks a second"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(wishes, sentence, tmp_path):
    with pytest.raises(DatasetError, match=sentence):
        imported(_save(tmp_path / "walk.npz"), tmp_path / "out", **wishes)


def test_a_folder_in_use_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="is not empty"):
        imported(_save(tmp_path / "walk.npz"), tmp_path)
