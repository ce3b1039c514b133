"""Which worlds are installed, and loading one by its name or from its folder."""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.record import RECORD, read_record

if TYPE_CHECKING:
    from oyster_jax.worlds.world import World


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorldSummary:
    """An installed world in short.

    Attributes:
      name: what `load` knows it by.
      folder: where it is.
      record: the content of its `world.json`; empty where that cannot be read.
      problem: why it cannot be read, as a sentence, or None.
    """

    name: str
    folder: Path
    record: dict[str, Any]
    problem: str | None = None


def data_home() -> Path:
    """Returns the user's own folder for Oyster, `$XDG_DATA_HOME/oyster` or `~/.local/share/oyster`."""
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "oyster"


def places() -> tuple[Path, ...]:
    """Returns the folders that hold installed worlds, the user's own first, so that it may stand for a shipped one."""
    return (data_home() / "worlds", Path(__file__).parent)


def installed() -> list[WorldSummary]:
    """Returns the worlds that `load` knows by name, sorted by it; nothing of their weights is read."""
    found: dict[str, Path] = {}
    for place in places():
        for path in sorted(place.glob(f"*/{RECORD}")):
            found.setdefault(path.parent.name, path.parent)
    return [_summary(name, folder) for name, folder in sorted(found.items())]


def find(world: str | os.PathLike[str]) -> Path:
    """Returns the folder of a world given by its name or by its path.

    Raises:
      WorldError: there is none.
    """
    text = os.fspath(world)
    if isinstance(world, str) and not any(mark in text for mark in ("/", os.sep)):
        for place in places():
            if (place / text / RECORD).exists():
                return place / text
    if (Path(text) / RECORD).exists():
        return Path(text)
    names = ", ".join(summary.name for summary in installed()) or "none"
    raise WorldError(
        f"There is no world '{text}': it is not installed (installed: {names}), and there is no {Path(text) / RECORD}. "
        "Give one of these names or the folder of a world."
    )


def load(world: str | os.PathLike[str], *, dtype: str | None = None) -> "World":
    """Loads a world by the name under which it is installed, or from its folder.

    Args:
      world: as in `coinrun`, or a path.
      dtype: of the parameters in memory, "float32" (unless given) or "bfloat16".

    Raises:
      WorldError: there is no such world, or its files are damaged, foreign or of another version.
    """
    from oyster_jax.worlds.storage import read_world

    return read_world(find(world), dtype=dtype)


def _summary(name: str, folder: Path) -> WorldSummary:
    try:
        return WorldSummary(name=name, folder=folder, record=read_record(folder))
    except WorldError as error:
        return WorldSummary(name=name, folder=folder, record={}, problem=str(error))
