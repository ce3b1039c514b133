"""The recorded moment that a session begins from, in two copies: no log could make it again."""

import hashlib
import io
from pathlib import Path

import numpy as np

from oyster_jax.session.errors import SessionError

PROMPTS = ("prompt.npz", "prompt.copy.npz")


def prompt_files(frames: np.ndarray, actions: np.ndarray) -> tuple[dict[str, bytes], str]:
    """Returns both files by name, for frames and the actions between them, and the digest that tells them whole."""
    file = io.BytesIO()
    np.savez_compressed(file, frames=frames, actions=actions)
    return dict.fromkeys(PROMPTS, file.getvalue()), _digest(file.getvalue())


def find_prompt(folder: Path, digest: str) -> tuple[bytes | None, tuple[str, ...]]:
    """Returns what a sound copy in a folder holds, None without one, and the names of those that are not sound."""
    found = {name: _sound(folder / name, digest) for name in PROMPTS}
    whole = next((data for data in found.values() if data is not None), None)
    return whole, tuple(name for name, data in found.items() if data is None)


def read_prompt(folder: Path, digest: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns frames and actions of the recorded moment that the session in a folder began from.

    Raises:
      SessionError: both copies are missing or damaged.
    """
    data, _ = find_prompt(folder, digest)
    if data is None:
        first, second = (folder / name for name in PROMPTS)
        raise SessionError(
            f"Neither {first} nor {second} is what was written, and the session begins from it. Restore one of them."
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
