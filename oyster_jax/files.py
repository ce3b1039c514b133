"""Files that are written whole or not at all."""

import os
from collections.abc import Mapping
from pathlib import Path


def write_whole(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes several files of a folder: none takes its name before all are on the disk.

    Args:
      folder: created when missing; its other files are left alone.
      files: contents by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = {name: folder / f".{name}.{os.getpid()}" for name in files}
    try:
        for name, data in files.items():
            with temporary[name].open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for name, path in temporary.items():
            path.replace(folder / name)
        sync_names(folder)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def sync_names(folder: Path) -> None:
    """Puts the names in a folder on the disk, so that not even a power failure takes those that are new."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
