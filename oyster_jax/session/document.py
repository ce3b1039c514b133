"""Small JSON documents in two sealed copies: a damaged copy is noticed and mended from the other."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from oyster_jax.files import write_whole
from oyster_jax.session.errors import SessionError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Document:
    """What was read.

    Attributes:
      content: of the newest sound copy.
      revision: how often it was written before.
      damaged: names of copies that are missing, damaged or out of date.
    """

    content: dict[str, Any]
    revision: int
    damaged: tuple[str, ...]


def copies(name: str) -> tuple[str, str]:
    """Returns the names of both copies of the document `name`."""
    return f"{name}.json", f"{name}.copy.json"


def write_document(folder: Path, name: str, content: dict[str, Any], revision: int = 0, *, identity: str = "") -> None:
    """Writes both copies, each of them whole or not at all; what was sealed for one identity is none of another."""
    sealed = {"content": content, "revision": revision, "sha256": _seal(content, revision, identity)}
    data = (json.dumps(sealed, indent=1) + "\n").encode()
    write_whole(folder, dict.fromkeys(copies(name), data))


def read_document(folder: Path, name: str, *, identity: str = "") -> Document:
    """Reads the newest sound copy.

    Args:
      folder: that it lies in.
      name: of the document.
      identity: that it was written with.

    Raises:
      SessionError: neither copy is sound.
    """
    found = {copy: _read(folder / copy, identity) for copy in copies(name)}
    sound = [sealed for sealed in found.values() if sealed is not None]
    if not sound:
        first, second = copies(name)
        raise SessionError(
            f"Neither {folder / first} nor {folder / second} can be read: both are missing or damaged. Restore one of "
            "them from a copy of the session."
        )
    newest = max(sound, key=lambda sealed: sealed["revision"])
    behind = tuple(copy for copy, sealed in found.items() if sealed != newest)
    return Document(content=newest["content"], revision=newest["revision"], damaged=behind)


def _read(path: Path, identity: str) -> dict[str, Any] | None:
    """Returns a sealed document, None where it is missing or damaged."""
    try:
        sealed = json.loads(path.read_bytes())
        if sealed["sha256"] == _seal(sealed["content"], sealed["revision"], identity):
            return sealed
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return None


def _seal(content: dict[str, Any], revision: int, identity: str) -> str:
    return hashlib.sha256(json.dumps([content, revision, identity], sort_keys=True).encode()).hexdigest()
