"""Datasets of LeRobot (https://github.com/huggingface/lerobot) in its format v3.0: parquet and video.

    meta/info.json                              rate, features, where files lie
    meta/episodes/chunk-000/file-000.parquet    of each episode its length, and the files and times that hold it
    data/chunk-000/file-000.parquet             a row a tick: action, episode_index, frame_index, possibly next.reward …
    videos/CAMERA/chunk-000/file-000.mp4        episodes one after the other

Pictures come from one camera; they may also lie in the rows of the data, as PNG or JPEG.
"""

import functools
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.data.errors import DatasetError
from oyster_jax.data.importers.foreign import Foreign, ForeignEpisode
from oyster_jax.data.importers.video import pictures
from oyster_jax.data.pictures import decoded

INFO = Path("meta") / "info.json"
VERSION = "v3."

#: What may tell that the world ended with a tick; `next.done` alone is true at the end of every episode.
_TERMINAL, _REWARD = "next.success", "next.reward"


def read(path: Path, camera: str | None = None) -> Foreign:
    """Opens a dataset by its folder.

    Args:
      path: the folder that holds `meta`.
      camera: the feature whose pictures are taken, the first one unless given.

    Raises:
      DatasetError: it is of another version, a file is missing or damaged, or there is no such camera.
    """
    info = _info(path / INFO)
    features = info["features"]
    camera = _camera(features, camera, path)
    if "action" not in features:
        raise DatasetError(f"{path} has no feature 'action', only {', '.join(features)}; it cannot become a world.")
    rows = _Rows(path, info, features[camera]["dtype"] == "image" and camera)
    episodes = tuple(_episode(path, info, rows, camera, row) for row in _episode_rows(path))
    if (told := info["total_episodes"]) != len(episodes):
        raise DatasetError(f"{path / INFO} tells of {told} episodes, but {len(episodes)} are there; fetch it again.")
    names = features["action"].get("names")
    labels = tuple(map(str, names)) if isinstance(names, list) else ()
    return Foreign(kind="lerobot", episodes=episodes, rate=float(info["fps"]), labels=labels)


class _Rows:
    """The rows of the data files; the last file read stays in memory."""

    def __init__(self, path: Path, info: Mapping[str, Any], images: str | bool) -> None:
        self._path, self._info, self._images = path, info, images or None
        self._columns = functools.lru_cache(maxsize=1)(self._read)

    def of(self, row: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns the columns of an episode, in the order of its ticks."""
        columns = self._columns(row["data/chunk_index"], row["data/file_index"])
        mine = np.flatnonzero(columns["episode_index"] == row["episode_index"])
        mine = mine[np.argsort(columns["frame_index"][mine], kind="stable")]
        return {name: column[mine] for name, column in columns.items()}

    def images(self, row: Mapping[str, Any]) -> Iterator[np.ndarray]:
        """Yields the pictures of an episode that lie in its rows."""
        for stored in self.of(row)[str(self._images)]:
            yield decoded(stored["bytes"])

    def _read(self, chunk: int, number: int) -> dict[str, np.ndarray]:
        file = self._path / self._info["data_path"].format(chunk_index=chunk, file_index=number)
        optional = [name for name in (_TERMINAL, _REWARD) if name in self._info["features"]]
        names = ["action", "episode_index", "frame_index", *optional, *([str(self._images)] if self._images else [])]
        table = _parquet(file, names)
        return {name: _column(table[name].to_pylist()) for name in names}


def _column(values: list[Any]) -> np.ndarray:
    if values and isinstance(values[0], dict):
        column = np.empty(len(values), object)
        column[:] = values
        return column
    return np.asarray(values)


def _episode(path: Path, info: Mapping[str, Any], rows: _Rows, camera: str, row: Mapping[str, Any]) -> ForeignEpisode:
    columns, name = rows.of(row), f"episode {row['episode_index']} of {path}"
    actions = np.asarray(columns["action"], np.float64)
    if (ticks := len(actions)) != row["length"]:
        raise DatasetError(f"{name} should have {row['length']} rows of data, but has {ticks}; fetch it again.")
    return ForeignEpisode(
        name=name,
        actions=actions.reshape(ticks, -1),
        frames=_frames(path, info, rows, camera, row),
        rewards=np.ravel(columns[_REWARD]).astype(np.float32) if _REWARD in columns else None,
        terminals=np.ravel(columns[_TERMINAL]).astype(bool) if _TERMINAL in columns else None,
    )


def _frames(
    path: Path, info: Mapping[str, Any], rows: _Rows, camera: str, row: Mapping[str, Any]
) -> Callable[[], Iterator[np.ndarray]]:
    if info["features"][camera]["dtype"] == "image":
        return functools.partial(rows.images, row)
    chunk, number = (row[f"videos/{camera}/{part}_index"] for part in ("chunk", "file"))
    file = path / info["video_path"].format(video_key=camera, chunk_index=chunk, file_index=number)
    start = float(row[f"videos/{camera}/from_timestamp"])
    return lambda: itertools.islice(pictures(file, start), row["length"])


def _info(path: Path) -> dict[str, Any]:
    try:
        info = json.loads(path.read_text("utf-8"))
        version = str(info["codebase_version"])
        if not version.startswith(VERSION):
            raise DatasetError(
                f"{path} is of LeRobot's format {version}, but {VERSION}x is what can be imported; convert it with "
                "lerobot's own tool."
            )
        missing = [name for name in ("features", "fps", "total_episodes", "data_path") if name not in info]
        if missing:
            raise KeyError(", ".join(missing))
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{path} does not tell of a LeRobot dataset ({error!r}); fetch it again.") from error
    return info


def _camera(features: Mapping[str, Any], wanted: str | None, path: Path) -> str:
    cameras = [name for name, feature in features.items() if feature["dtype"] in ("video", "image")]
    if not cameras:
        raise DatasetError(f"{path} has no camera, only {', '.join(features)}; it cannot become a world.")
    if wanted is not None and wanted not in cameras:
        raise DatasetError(f"{path} has no camera '{wanted}'; give one of {', '.join(cameras)}.")
    return wanted or cameras[0]


def _episode_rows(path: Path) -> list[dict[str, Any]]:
    files = sorted((path / "meta" / "episodes").glob("chunk-*/file-*.parquet"))
    rows = [row for file in files for row in _parquet(file).to_pylist()]
    return sorted(rows, key=lambda row: row["episode_index"])


def _parquet(file: Path, names: list[str] | None = None) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DatasetError(
            "Reading parquet needs the package pyarrow; install it with `pip install oyster-jax[studies]`."
        ) from error
    try:
        return pyarrow.parquet.read_table(file, columns=names)
    except (OSError, pyarrow.ArrowException) as error:
        raise DatasetError(f"{file} cannot be read as parquet ({error}); fetch it again.") from error
