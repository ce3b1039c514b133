"""The recorded moments that a session begins from or cuts to, each in two copies: no log could make them again."""

import contextlib
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from oyster_jax.files import write_whole
from oyster_jax.session.errors import SessionError

#: Both files of what a session begins from.
PROMPTS = ("prompt.npz", "prompt.copy.npz")


def cut_names(digest: str) -> tuple[str, str]:
    """Returns the names of both files of what a session cuts to."""
    return f"cut-{digest[:16]}.npz", f"cut-{digest[:16]}.copy.npz"


def packed_prompt(frames: np.ndarray, actions: np.ndarray) -> tuple[bytes, str]:
    """Returns what either file holds, for frames and the actions between them, and the digest that tells it whole."""
    file = io.BytesIO()
    np.savez_compressed(file, frames=frames, actions=actions)
    return file.getvalue(), _digest(file.getvalue())


def keep_cut(folder: Path, data: bytes, digest: str) -> None:
    """Writes both files of what a session cuts to; they are on the disk before its log can speak of them.

    Raises:
      SessionError: the disk would not take them.
    """
    names = cut_names(digest)
    try:
        write_whole(folder, dict.fromkeys(names, data))
    except OSError as error:
        raise SessionError(f"{folder / names[0]} cannot be written ({error.strerror}); nothing was cut.") from error


def check_prompt(
    folder: Path, digest: str, names: tuple[str, str], report: Callable[[str], None], *, mend: bool
) -> None:
    """Looks at both copies in the folder of a session.

    Args:
      folder: of the session.
      digest: of what they should hold.
      names: of both.
      report: told of those that are not sound, as a sentence.
      mend: write those anew, where the other one is sound.
    """
    found = {name: _sound(folder / name, digest) for name in names}
    whole = next((data for data in found.values() if data is not None), None)
    damaged = [name for name, data in found.items() if data is None]
    if whole is None:
        paths = " and ".join(str(folder / name) for name in names)
        report(f"{paths} are missing or damaged: what came from them before a snapshot cannot be shown again.")
        return
    for name in damaged:
        report(f"{folder / name} was missing or damaged; its copy stands in for it.")
    if damaged and mend:
        with contextlib.suppress(OSError):
            write_whole(folder, dict.fromkeys(damaged, whole))


def read_prompt(folder: Path, digest: str, names: tuple[str, str] = PROMPTS) -> tuple[np.ndarray, np.ndarray]:
    """Returns frames and actions of a recorded moment that the session in a folder begins from or cuts to.

    Args:
      folder: of the session.
      digest: of what either file holds.
      names: of both files.

    Raises:
      SessionError: both copies are missing or damaged.
    """
    data = next((data for name in names if (data := _sound(folder / name, digest)) is not None), None)
    if data is None:
        first, second = (folder / name for name in names)
        raise SessionError(
            f"Neither {first} nor {second} is what was written, and the session goes on from it. Restore one of them."
        )
    with np.load(io.BytesIO(data)) as arrays:
        return arrays["frames"], arrays["actions"]


def _sound(path: Path, digest: str) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if _digest(data) == digest else None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
