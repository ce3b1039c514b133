"""Datasets of Minari (Younis et al. 2024, https://minari.farama.org) in its HDF5 format.

A dataset is a folder `data` with `main_data.hdf5` and `metadata.json`; the file has a group `episode_N` for each
episode with `observations` (`ticks + 1` of them, in one array or in a group of arrays, pictures as JPEG or plain),
`actions`, `rewards` and `terminations`. What an action is comes from the space in `metadata.json`, by the rules of
`action_table`.
"""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.data import action_table
from oyster_jax.data.action_table import ActionTable
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.importers.foreign import Foreign, ForeignEpisode
from oyster_jax.data.pictures import decoded, is_picture

_JPEG = b"\xff\xd8\xff"

FILE, METADATA = "main_data.hdf5", "metadata.json"


def found(path: Path) -> Path | None:
    """Returns the folder of the data of a dataset that lies at `path`, or None if none does."""
    places = (path, path / "data", path.parent)
    return next((place for place in places if (place / FILE).is_file()), None)


def read(path: Path) -> Foreign:
    """Opens a dataset: its folder, or the file in it.

    Raises:
      DatasetError: a file is missing or damaged, or the dataset holds no pictures, or its actions cannot be named.
    """
    folder = found(path)
    if folder is None:
        raise DatasetError(f"{path} holds no {FILE}; give the folder of one Minari dataset.")
    table = _metadata(folder / METADATA)
    try:
        with _opened(folder / FILE) as file:
            names = sorted((name for name in file if name.startswith("episode_")), key=lambda name: int(name[8:]))
            episodes = tuple(_episode(folder / FILE, file[name], name) for name in names)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        if isinstance(error, DatasetError):
            raise
        raise _damaged(folder / FILE, error) from error
    return Foreign(kind="minari", episodes=episodes, table=table)


def _episode(path: Path, group: Any, name: str) -> ForeignEpisode:
    actions = np.asarray(group["actions"], np.float64)
    picture = _picture(group["observations"], "observations")
    if picture is None:
        raise DatasetError(
            f"{path} has no pictures among its observations, only {_kinds(group['observations'])}; record its "
            "environment again with `oyster record gym:ENV_ID`."
        )
    return ForeignEpisode(
        name=f"{name} of {path}",
        actions=actions.reshape(len(actions), -1),
        frames=functools.partial(_frames, path, f"{name}/{picture}"),
        rewards=np.asarray(group["rewards"], np.float32),
        terminals=np.asarray(group["terminations"], bool),
    )


def _frames(path: Path, name: str) -> Iterator[np.ndarray]:
    try:
        with _opened(path) as file:
            stack = file[name]
            jpeg = _is_jpeg(stack)
            for index in range(len(stack)):
                yield decoded(stack[index].tobytes()) if jpeg else stack[index]
    except (OSError, KeyError, RuntimeError) as error:
        raise _damaged(path, error) from error


def _picture(observations: Any, name: str) -> str | None:
    """Returns the name of the first array of pictures among observations."""
    if hasattr(observations, "shape"):
        return name if _is_jpeg(observations) or is_picture(observations.shape[1:], observations.dtype) else None
    inner = (_picture(observations[key], f"{name}/{key}") for key in observations)
    return next((each for each in inner if each is not None), None)


def _is_jpeg(array: Any) -> bool:
    """Returns whether an array holds one encoded picture a row, as Minari stores pictures unless told otherwise."""
    if array.ndim not in (1, 2) or not len(array):
        return False
    first = np.asarray(array[0])
    return first.dtype == np.uint8 and first.ndim == 1 and first[: len(_JPEG)].tobytes() == _JPEG


def _kinds(observations: Any) -> str:
    if hasattr(observations, "shape"):
        return f"{observations.dtype} {list(observations.shape[1:])}"
    return ", ".join(f"{key}: {_kinds(observations[key])}" for key in observations)


def _metadata(path: Path) -> ActionTable:
    """Returns what the actions of a dataset are."""
    try:
        return _table(json.loads(json.loads(path.read_text("utf-8"))["action_space"]), path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{path} does not tell of a Minari dataset ({error!r}); restore it.") from error


def _table(space: dict[str, Any], path: Path) -> ActionTable:
    match space["type"]:
        case "Discrete":
            count, start = int(space["n"]), int(space.get("start", 0))
            return action_table.of_choices([f"action{index}" for index in range(count)], start)
        case "MultiBinary":
            return action_table.of_buttons(int(np.prod(space["n"])))
        case "MultiDiscrete":
            counts = np.ravel(space["nvec"]).tolist()
            return action_table.of_several(counts, np.ravel(space.get("start", [0] * len(counts))).tolist())
        case "Box":
            low, high = (np.ravel(np.asarray(space[end], np.float64)) for end in ("low", "high"))
            return action_table.of_ranges(low, high)
    raise DatasetError(
        f"{path} has actions of {space['type']}, which cannot be named; wrap the environment and record."
    )


def _opened(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise DatasetError(
            "Reading HDF5 needs the package h5py; install it with `pip install oyster-jax[studies]`."
        ) from error
    return h5py.File(path, "r")


def _damaged(path: Path, error: Exception) -> DatasetError:
    return DatasetError(f"{path} cannot be read as a Minari dataset ({error}); restore it or fetch it again.")
