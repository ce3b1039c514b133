"""Which formats there are, and telling which one a path is in."""

from collections.abc import Callable
from pathlib import Path

from oyster_jax.data.errors import DatasetError
from oyster_jax.data.importers import arrays, clips, lerobot, minari
from oyster_jax.data.importers.foreign import Foreign

#: What opens each format.
READERS: dict[str, Callable[[Path], Foreign]] = {
    "clips": clips.read,
    "npz": arrays.read,
    "minari": minari.read,
    "lerobot": lerobot.read,
}


def format_of(path: Path) -> str:
    """Returns the format of a file or folder, one of `READERS`.

    Raises:
      DatasetError: there is no such path, or it is in none of them.
    """
    if not path.exists():
        raise DatasetError(f"There is no {path}; give a file or folder.")
    if minari.found(path) is not None:
        return "minari"
    if (path / lerobot.INFO).is_file():
        return "lerobot"
    if path.suffix == ".npz" or any(path.glob("*.npz")):
        return "npz"
    if path.is_dir() and any(file.suffix in clips.VIDEOS for file in path.iterdir()):
        return "clips"
    raise DatasetError(
        f"{path} is in no format that can be imported. It may be a folder of {' or '.join(clips.VIDEOS)} with actions "
        "beside them, a .npz file or a folder of them, a Minari dataset in HDF5, or a LeRobot dataset of format v3."
    )


def opened(path: Path, kind: str, camera: str | None = None) -> Foreign:
    """Opens a recording of the format `kind`.

    Args:
      path: of the file or folder.
      kind: one of `READERS`.
      camera: which pictures are taken where a LeRobot dataset has several.

    Raises:
      DatasetError: it is damaged, or has no such camera.
    """
    if camera is None:
        return READERS[kind](path)
    if kind != "lerobot":
        raise DatasetError(f"A camera can be chosen of a LeRobot dataset, but {path} is of the format {kind}.")
    return lerobot.read(path, camera)
