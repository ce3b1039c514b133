"""Datasets that Minari itself wrote, from environments that it watched."""

import gc
import json
import warnings

import gymnasium
import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from tests.data.importers.foreign import HEIGHT, WIDTH, differ, imported, pictures, plan

minari = pytest.importorskip("minari")
pytest.importorskip("h5py")

SPACES = gymnasium.spaces


class Walk(gymnasium.Env):
    """Shows `pictures`, ends after eight ticks; what it is given is kept by whoever records it."""

    def __init__(self, action_space, inside):
        self.action_space, self.inside = action_space, inside
        picture = SPACES.Box(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        self.observation_space = SPACES.Dict({"at": SPACES.Discrete(9), "camera": picture}) if inside else picture
        self.episode = -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.tick = self.episode + 1, 0
        return self.observation(), {}

    def step(self, action):
        self.tick += 1
        return self.observation(), float(self.tick), self.tick == 8, False, {}

    def observation(self):
        picture = pictures(self.episode, 9)[self.tick]
        return {"at": self.tick, "camera": picture} if self.inside else picture


def _record(folder, monkeypatch, action_space=None, *, inside=False, jpeg=True):
    """Lets Minari record two episodes; returns the folder of its dataset, and the actions."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder))
    action_space = action_space or SPACES.Discrete(3)
    action_space.seed(5)
    collector = minari.DataCollector(Walk(action_space, inside), data_format="hdf5", jpeg_encoding=jpeg)
    actions = []
    for _ in range(2):
        collector.reset(seed=0)
        for _ in range(8):
            actions.append(action_space.sample())
            collector.step(actions[-1])
    with warnings.catch_warnings():
        # Of what a dataset for others should say of itself.
        warnings.simplefilter("ignore")
        collector.create_dataset("walk/test-v0")
        collector.close()
        # It leaves a folder to the collector of garbage, which would complain later.
        del collector
        gc.collect()
    return folder / "walk" / "test-v0", np.asarray(actions)


@pytest.mark.parametrize("inside", [False, True], ids=["picture", "dictionary"])
@pytest.mark.parametrize("jpeg", [True, False], ids=["jpeg", "plain"])
def test_what_minari_recorded_comes_back(inside, jpeg, tmp_path, monkeypatch):
    path, actions = _record(tmp_path / "minari", monkeypatch, inside=inside, jpeg=jpeg)
    data = imported(path, tmp_path / "out")
    assert data.lengths.tolist() == [8, 8]
    np.testing.assert_array_equal(np.concatenate([episode.actions for episode in data]), actions)
    for index, episode in enumerate(data):
        assert differ(episode.frames, pictures(index, 8)) <= (1.5 if jpeg else 0)
        assert episode.rewards.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
        assert episode.terminals.tolist() == [False] * 7 + [True]
        assert episode.metadata["ending"] == "terminal"
    assert data.manifest.provenance.source == "minari:test-v0"


@pytest.mark.parametrize(
    ("space", "count"),
    [
        (SPACES.Discrete(4, start=2), 4),
        (SPACES.MultiBinary(3), 8),
        (SPACES.MultiDiscrete([3, 2]), 6),
        (SPACES.Box(-1, 1, (2,), np.float32), 9),
    ],
    ids=["Discrete", "MultiBinary", "MultiDiscrete", "Box"],
)
def test_actions_of_every_kind_become_the_nearest_of_the_table(space, count, tmp_path, monkeypatch):
    path, actions = _record(tmp_path / "minari", monkeypatch, space)
    what = plan(path)
    assert what.spec.action.count == count
    assert (what.kept == 1) == (not isinstance(space, SPACES.Box))
    rows = np.asarray(what.table.values)[np.concatenate([e.actions for e in imported(path, tmp_path / "out")])]
    assert np.abs(rows - actions.reshape(len(rows), -1)).max() <= 0.5


def test_the_file_and_the_folder_around_it_are_known_too(tmp_path, monkeypatch):
    path, _ = _record(tmp_path / "minari", monkeypatch)
    assert plan(path / "data").foreign.kind == plan(path / "data" / "main_data.hdf5").foreign.kind == "minari"


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _without(path, key):
    told = json.loads(path.read_text())
    del told[key]
    path.write_text(json.dumps(told))


def _changed(path, name, change):
    import h5py

    with h5py.File(path, "r+") as file:
        stored = file[name]
        assert isinstance(stored, h5py.Dataset)
        array = stored[()]
        del file[name]
        if (changed := change(array)) is not None:
            file[name] = changed


MAIN, ABOUT = "data/main_data.hdf5", "data/metadata.json"


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda path: _cut(path / MAIN), "cannot be read as a Minari dataset"),
        (lambda path: (path / MAIN).write_bytes(b""), "cannot be read as a Minari dataset"),
        (lambda path: (path / ABOUT).unlink(), "does not tell of a Minari dataset"),
        (lambda path: _cut(path / ABOUT), "does not tell of a Minari dataset"),
        (lambda path: _without(path / ABOUT, "action_space"), "does not tell of a Minari dataset"),
        (lambda path: _changed(path / MAIN, "episode_1/actions", lambda a: None), "cannot be read as a Minari dataset"),
        (lambda path: _changed(path / MAIN, "episode_1/actions", lambda a: a[:5]), "has 5 actions, but 8 rewards"),
        (lambda path: _changed(path / MAIN, "episode_1/observations", lambda a: a[:5]), "has 5 frames, but 8 actions"),
        (
            lambda path: _changed(path / MAIN, "episode_1/observations", lambda a: np.stack([x[:300] for x in a])),
            "cannot be decoded",
        ),
        (lambda path: _changed(path / MAIN, "episode_0/observations", lambda a: np.zeros((9, 4))), "has no pictures"),
    ],
)
def test_damage_is_told_in_a_sentence_and_nothing_is_left(damage, sentence, tmp_path, monkeypatch):
    path, _ = _record(tmp_path / "minari", monkeypatch)
    damage(path)
    with pytest.raises(DatasetError, match=sentence):
        imported(path, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["minari"]


def test_actions_without_a_name_are_refused(tmp_path, monkeypatch):
    path, _ = _record(tmp_path / "minari", monkeypatch)
    told = json.loads((path / ABOUT).read_text())
    (path / ABOUT).write_text(json.dumps(told | {"action_space": '{"type": "Text"}'}))
    with pytest.raises(DatasetError, match="actions of Text, which cannot be named"):
        plan(path)
