"""Recordings in .npz files: one file, or a folder of them.

A file holds `frames` uint8 `[ticks, height, width, 3]` and `actions` `[ticks]` (numbers or names) or
`[ticks, components]`; `rewards` and `terminals` `[ticks]`, and `rate`, may be there. With one more axis in front of
all, a file holds several episodes. There may be one frame more than actions. `oyster session export` and `oyster
rollout` write such files.
"""

import functools
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from oyster_jax.data.errors import DatasetError
from oyster_jax.data.importers.foreign import Foreign, ForeignEpisode, by_name

#: Names under which arrays are known.
_NAMES = {
    "frames": ("frames", "observations", "images", "obs", "video"),
    "actions": ("actions", "action"),
    "rewards": ("rewards", "reward"),
    "terminals": ("terminals", "terminations", "dones", "done"),
    "rate": ("rate", "fps"),
}


def read(path: Path) -> Foreign:
    """Opens a .npz file, or all those of a folder.

    Raises:
      DatasetError: a file is damaged, or lacks an array, or its arrays do not belong together.
    """
    files = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    given = [(file, _columns(file)) for file in files]
    parts = [part for file, columns in given for part in _parts(file, columns)]
    for name, part in parts:
        if part["actions"].ndim not in (1, 2):
            shape = list(part["actions"].shape)
            raise DatasetError(f"{name} has actions of shape {shape}; they should be [ticks] or [ticks, components].")
    table, actions = by_name([np.atleast_1d(part["actions"]).tolist() for _, part in parts], str(path))
    episodes = [
        ForeignEpisode(
            name=name,
            actions=numbers,
            frames=part["frames"],
            rewards=None if part["rewards"] is None else part["rewards"].astype(np.float32),
            terminals=None if part["terminals"] is None else part["terminals"].astype(bool),
        )
        for (name, part), numbers in zip(parts, actions, strict=True)
    ]
    rate = next((float(columns["rate"]) for _, columns in given if columns["rate"] is not None), None)
    return Foreign(kind="npz", episodes=tuple(episodes), rate=rate, table=table, named=table is not None)


def _columns(file: Path) -> dict[str, np.ndarray | None]:
    """Returns the small arrays of a file under the names that they have here, and how many axes its frames have."""
    arrays = _loaded(file)
    columns = {name: next((arrays[n] for n in known if n in arrays), None) for name, known in _NAMES.items()}
    for name in ("frames", "actions"):
        if columns[name] is None:
            raise DatasetError(
                f"{file} has no {name}, only {', '.join(arrays) or 'nothing'}; name the array {_NAMES[name][0]}."
            )
    frames = columns["frames"]
    assert frames is not None, "this has just been seen"
    if frames.ndim not in (4, 5):
        raise DatasetError(
            f"{file} has frames of shape {list(frames.shape)}; they should be [ticks, height, width, 3], or the same "
            "with an axis of episodes in front."
        )
    return columns | {"frames": None, "several": np.asarray(frames.ndim == 5), "episodes": np.asarray(len(frames))}


def _parts(file: Path, columns: dict[str, np.ndarray | None]) -> Iterator[tuple[str, dict]]:
    """Yields the name and the arrays of each episode."""
    names = ("actions", "rewards", "terminals")
    if not columns["several"]:
        part = {name: columns[name] for name in names} | {"frames": _opener(file, None)}
        yield file.name, part
        return
    count = int(np.asarray(columns["episodes"]))
    for name in names:
        array = columns[name]
        if array is not None and (array.ndim < 2 or len(array) != count):
            raise DatasetError(f"{file} has frames of {count} episodes, but {name} of shape {list(array.shape)}.")
    for index in range(count):
        part = {name: None if (array := columns[name]) is None else array[index] for name in names}
        name = f"{file.name}, episode {index}"
        yield name, part | {"frames": _opener(file, index)}


def _opener(file: Path, index: int | None) -> Callable[[], Iterator[np.ndarray]]:
    def frames() -> Iterator[np.ndarray]:
        arrays = _loaded(file)
        stack = next(arrays[name] for name in _NAMES["frames"] if name in arrays)
        return iter(stack if index is None else stack[index])

    return frames


@functools.lru_cache(maxsize=1)
def _loaded(file: Path) -> dict[str, np.ndarray]:
    """Returns all arrays of a file; the last file stays in memory, for the next of its episodes."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(f"{file} is no whole .npz file of plain arrays ({error}); write it again.") from error
