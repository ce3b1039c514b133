"""Datasets in LeRobot's format v3.0: one that LeRobot 0.4.4 wrote (`write_lerobot.py`), and others of that layout.

LeRobot itself would bring all of torch, so what varies and what is damaged is written by pyarrow and PyAV, with the
layout and the names of columns of its `dataset_writer.py` and `dataset_metadata.py`.
"""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oyster_jax.data.errors import DatasetError
from tests.data.importers.foreign import differ, imported, pictures, plan, video

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

CAMERA, WRIST = "observation.images.front", "observation.images.wrist"
LENGTHS = (12, 9, 10)
FPS = 10
ACTIONS = [np.random.default_rng(i).uniform(-1, 1, (n, 2)).astype(np.float32) for i, n in enumerate(LENGTHS)]

#: Episodes of each file: two share the first one.
FILES = ((0, 1), (2,))


def _png(frame):
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, format="PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def _rows(episode, *, images):
    count = LENGTHS[episode]
    rows = {
        "action": ACTIONS[episode].tolist(),
        "next.reward": np.linspace(0, 1, count).astype(np.float32),
        "next.success": np.arange(count) == (count - 1 if episode == 1 else -1),
        "timestamp": np.arange(count, dtype=np.float32) / FPS,
        "frame_index": np.arange(count),
        "episode_index": np.full(count, episode),
        "index": np.arange(count) + sum(LENGTHS[:episode]),
        "task_index": np.zeros(count, int),
    }
    return rows | ({CAMERA: [_png(frame) for frame in pictures(episode, count)]} if images else {})


def _joined(tables):
    return {name: [value for table in tables for value in list(table[name])] for name in tables[0]}


def _written(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), path)


def _episode_row(episode, file, images):
    start = sum(LENGTHS[before] for before in FILES[file] if before < episode) / FPS
    row = {
        "episode_index": episode,
        "tasks": ["walk"],
        "length": LENGTHS[episode],
        "data/chunk_index": 0,
        "data/file_index": file,
        "dataset_from_index": sum(LENGTHS[:episode]),
        "dataset_to_index": sum(LENGTHS[: episode + 1]),
    }
    for camera in () if images else (CAMERA, WRIST):
        row |= {
            f"videos/{camera}/chunk_index": 0,
            f"videos/{camera}/file_index": file,
            f"videos/{camera}/from_timestamp": start,
            f"videos/{camera}/to_timestamp": start + LENGTHS[episode] / FPS,
        }
    return row


def _dataset(root, *, images=False):
    """Writes a dataset of three episodes and two cameras."""
    kind = "image" if images else "video"
    features = {
        "action": {"dtype": "float32", "shape": [2], "names": ["pan", "lift"]},
        "next.reward": {"dtype": "float32", "shape": [1], "names": None},
        "next.success": {"dtype": "bool", "shape": [1], "names": None},
        CAMERA: {"dtype": kind, "shape": [48, 64, 3], "names": ["height", "width", "channels"]},
    }
    if not images:
        features[WRIST] = features[CAMERA]
    info = {
        "codebase_version": "v3.0", "robot_type": "square", "total_episodes": len(LENGTHS),
        "total_frames": sum(LENGTHS), "total_tasks": 1, "fps": FPS, "chunks_size": 1000, "features": features,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    }  # fmt: skip
    (root / "meta").mkdir(parents=True)
    (root / "meta" / "info.json").write_text(json.dumps(info))
    _written(root / "meta" / "tasks.parquet", {"task_index": [0], "task": ["walk"]})
    rows = [_episode_row(episode, file, images) for file, members in enumerate(FILES) for episode in members]
    _written(root / "meta/episodes/chunk-000/file-000.parquet", {name: [row[name] for row in rows] for name in rows[0]})
    for file, members in enumerate(FILES):
        tables = [_rows(episode, images=images) for episode in members]
        _written(root / f"data/chunk-000/file-{file:03d}.parquet", _joined(tables))
        for camera, shade in () if images else ((CAMERA, 0), (WRIST, 3)):
            folder = root / "videos" / camera / "chunk-000"
            folder.mkdir(parents=True, exist_ok=True)
            frames = np.concatenate([pictures(episode + shade, LENGTHS[episode]) for episode in members])
            video(folder / f"file-{file:03d}.mp4", frames, rate=FPS)
    return root


@pytest.mark.parametrize("images", [False, True], ids=["videos", "images"])
def test_a_dataset_comes_back(images, tmp_path):
    data = imported(_dataset(tmp_path / "robot", images=images), tmp_path / "out")
    assert data.lengths.tolist() == list(LENGTHS)
    spec = data.manifest.spec
    assert (spec.name, spec.frame.rate, spec.frame.shape) == ("robot", 10.0, (48, 64, 3))
    for index, episode in enumerate(data):
        # What videos lose is small; a picture of the next tick or of the next episode is far off.
        assert differ(episode.frames, pictures(index, LENGTHS[index])) <= (0 if images else 2)
        assert episode.terminals.any() == (index == 1)
        np.testing.assert_allclose(episode.rewards, np.linspace(0, 1, LENGTHS[index]), atol=1e-6)


@pytest.fixture
def genuine(tmp_path):
    """A copy of what LeRobot wrote: three episodes in one video of AV1."""
    return Path(shutil.copytree(Path(__file__).with_name("lerobot"), tmp_path / "square"))


def test_what_lerobot_wrote_comes_back(genuine, tmp_path):
    data = imported(genuine, tmp_path / "out", size="96x128")
    assert data.lengths.tolist() == list(LENGTHS)
    assert (data.spec.name, data.spec.frame.rate, data.spec.action.count) == ("square", 10.0, 9)
    for index, episode in enumerate(data):
        # The same scene as in the others, twice as large.
        expected = np.repeat(np.repeat(pictures(index, LENGTHS[index]), 2, axis=1), 2, axis=2)
        assert differ(episode.frames, expected) < 3
    drawn = [np.random.default_rng(i).uniform(-1, 1, (n, 2)).astype(np.float32) for i, n in enumerate(LENGTHS)]
    np.testing.assert_array_equal(plan(genuine).foreign.actions, np.concatenate(drawn))


@pytest.mark.parametrize("name", ["meta/info.json", "data/chunk-000/file-000.parquet", "VIDEO"])
@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_damage_to_what_lerobot_wrote_is_told_and_nothing_is_left(name, damage, genuine, tmp_path):
    path = genuine / name.replace("VIDEO", f"videos/{CAMERA}/chunk-000/file-000.mp4")
    if damage == "lost":
        path.unlink()
    else:
        _cut(path)
    with pytest.raises(DatasetError, match=f"{path.name}|in no format"):
        imported(genuine, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_actions_become_the_nearest_of_the_table(tmp_path):
    what = plan(_dataset(tmp_path / "robot"))
    assert what.foreign.labels == ("pan", "lift")
    assert what.spec.action.count == 9
    assert 0.5 < what.kept < 1
    np.testing.assert_array_equal(what.foreign.actions, np.concatenate(ACTIONS))


def test_another_camera_can_be_chosen(tmp_path):
    root = _dataset(tmp_path / "robot")
    data = imported(root, tmp_path / "out", camera=WRIST)
    assert differ(data[0].frames, pictures(3, LENGTHS[0])) < 2
    with pytest.raises(DatasetError, match="no camera 'back'; give one of observation"):
        plan(root, "back")


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _info(root, **changes):
    path = root / "meta" / "info.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in (told | changes).items() if value is not None}))


DATA = "data/chunk-000/file-001.parquet"
VIDEO = f"videos/{CAMERA}/chunk-000/file-001.mp4"


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda root: _info(root, codebase_version="v2.1"), "format v2.1, but v3.x is what can be imported"),
        (lambda root: _info(root, features=None), "does not tell of a LeRobot dataset"),
        (lambda root: _cut(root / "meta" / "info.json"), "does not tell of a LeRobot dataset"),
        (lambda root: _info(root, total_episodes=4), "tells of 4 episodes, but 3 are there"),
        (lambda root: _info(root, features={"action": {"dtype": "float32"}}), "has no camera"),
        (lambda root: _info(root, features={CAMERA: {"dtype": "video"}}), "has no feature 'action'"),
        (lambda root: _cut(root / DATA), "cannot be read as parquet"),
        (lambda root: (root / DATA).unlink(), "cannot be read as parquet"),
        (lambda root: _written(root / DATA, _rows(1, images=False)), "should have 10 rows of data, but has 0"),
        (lambda root: _cut(root / VIDEO), "cannot be read as a video"),
        (lambda root: (root / VIDEO).unlink(), "cannot be read as a video"),
        (lambda root: video(root / VIDEO, pictures(2, 6)), "has 6 frames, but 10 actions"),
        (lambda root: _cut(root / "meta/episodes/chunk-000/file-000.parquet"), "cannot be read as parquet"),
    ],
)
def test_damage_is_told_in_a_sentence_and_nothing_is_left(damage, sentence, tmp_path):
    root = _dataset(tmp_path / "robot")
    damage(root)
    with pytest.raises(DatasetError, match=sentence):
        imported(root, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["robot"]
