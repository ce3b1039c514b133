"""One snapshot: an Orbax checkpoint of a state's leaves with digests, because Orbax loads flipped bits in silence.

One digest is of the leaves. Those of the files are looked at before Orbax is: it tells of damage late and at length.
"""

import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from orbax.checkpoint import v1 as ocp

from oyster_jax.core.state import WorldState
from oyster_jax.files import sync_names, write_whole
from oyster_jax.session.errors import SessionError
from oyster_jax.tree import named_leaves, tree_digest

type Leaves = dict[str, np.ndarray]

#: The entry of a snapshot that is the frame and not a leaf of the state.
FRAME = "frame"

#: The file that says what the snapshot holds, with the digests of its other files. Orbax would keep this, too, but
#: asking it leaks: TensorStore never frees what its specs say of themselves, some 100 KB of Python objects a snapshot.
SEAL = "seal.json"


def to_leaves(state: WorldState, frame: np.ndarray) -> Leaves:
    """Copies a state and its frame to the host, as NumPy arrays by name; a PRNG key becomes its words."""
    leaves = {f"state.{name}": np.array(_words(leaf), copy=True) for name, leaf in named_leaves(state).items()}
    return leaves | {FRAME: np.array(frame, copy=True)}


def from_leaves(leaves: Leaves, like: WorldState) -> tuple[WorldState, np.ndarray]:
    """Rebuilds a state and its frame.

    Args:
      leaves: what `to_leaves` gave.
      like: a state of the same world, or its `jax.ShapeDtypeStruct`s; says how the leaves hang together.
    """
    paths = named_leaves(like)
    values = [_like(leaves[f"state.{name}"], leaf) for name, leaf in paths.items()]
    return jax.tree.unflatten(jax.tree.structure(like), values), leaves[FRAME]


def write_snapshot(folder: Path, leaves: Leaves, identity: str) -> int:
    """Writes a snapshot, reads it back, and gives it its name only if it is whole; returns its bytes on the disk.

    A folder of that name that is already there is left as it is: the state of a tick is the same whoever computed it.

    Args:
      folder: that it shall be.
      leaves: by name.
      identity: of session, branch and tick; it cannot be read as a snapshot of another one.

    Raises:
      OSError, ValueError: Orbax could not write it.
      SessionError: what was read back is not what was written.
    """
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        # No further up: a session that was removed meanwhile stays removed.
        for parent in (folder.parent.parent, folder.parent):
            parent.mkdir(exist_ok=True)
        ocp.save(str(temporary), leaves)
        seal = {"digest": _digest(identity, leaves), "leaves": _shapes(leaves), "files": _file_digests(temporary)}
        write_whole(temporary, {SEAL: json.dumps(seal, indent=1).encode()})
        read_snapshot(temporary, identity)
        if not folder.exists():
            os.rename(temporary, folder)
            sync_names(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        # Orbax writes beside the name it was given, too. No glob: Python would keep each pattern that it compiled.
        for left in folder.parent.iterdir() if folder.parent.exists() else ():
            if left.name.startswith(temporary.name):
                shutil.rmtree(left, ignore_errors=True)
    return folder_bytes(folder)


def read_snapshot(folder: Path, identity: str) -> Leaves:
    """Reads a snapshot.

    Raises:
      SessionError: it is missing, damaged, or one of another session, branch or tick.
    """
    seal = _checked_seal(folder)
    try:
        like = {name: np.zeros(shape, jnp.dtype(dtype)) for name, (shape, dtype) in seal["leaves"].items()}
        leaves = {name: np.asarray(leaf) for name, leaf in ocp.load(str(folder), like).items()}
        digest = seal["digest"]
    except Exception as error:
        # Orbax has many kinds of exceptions for one cause.
        raise SessionError(f"The snapshot {folder} cannot be read ({_reason(error)}).") from error
    if digest != _digest(identity, leaves):
        raise SessionError(f"The snapshot {folder} is of another tick, or what it says of it is not what it holds.")
    return leaves


def folder_bytes(folder: Path) -> int:
    """Returns the bytes of all files under `folder`; one that goes away meanwhile counts as none."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except FileNotFoundError:
                continue
    return total


def _checked_seal(folder: Path) -> dict[str, Any]:
    """Returns what the seal says, once every other file is what it was."""
    try:
        seal, found = json.loads((folder / SEAL).read_bytes()), _file_digests(folder)
        said = dict(seal["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SessionError(f"The snapshot {folder} is damaged: {folder / SEAL} cannot be read ({error}).") from error
    if said != found:
        changed = min(name for name in {*found, *said} if said.get(name) != found.get(name))
        raise SessionError(f"The snapshot {folder} is damaged: {folder / changed} is not what was written.")
    return seal


def _file_digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SEAL)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _digest(identity: str, leaves: Leaves) -> str:
    return hashlib.sha256(f"{identity} {tree_digest(leaves)}".encode()).hexdigest()


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _shapes(leaves: Leaves) -> dict[str, Any]:
    return {name: [list(leaf.shape), str(leaf.dtype)] for name, leaf in leaves.items()}


def _words(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _like(array: np.ndarray, leaf: Any) -> jax.Array:
    """Puts an array on the device as a leaf of the kind of `leaf`; copied, because a tick will use it up."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.array(array, copy=True))
    return jnp.array(array, copy=True)
