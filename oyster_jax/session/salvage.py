"""What can still be read of a session that is too damaged to be opened, put into a new folder."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

from oyster_jax.session.branch import MAIN, Branch
from oyster_jax.session.document import read_document, write_document
from oyster_jax.session.errors import SessionError
from oyster_jax.session.layout import BRANCH, BRANCHES, ENDS, MANIFEST, SNAPSHOTS, only_begun
from oyster_jax.session.lock import is_held
from oyster_jax.session.log import Log, LogContent

_UNKNOWN = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Salvaged:
    """What came of it.

    Attributes:
      ends: the last tick of each branch that is there again.
      lost: what is not, as sentences.
    """

    ends: dict[str, int]
    lost: tuple[str, ...]


def salvage(folder: Path, out: Path) -> Salvaged:
    """Makes a session of all that can still be read of another one; the damaged one stays as it is.

    Of each branch the ticks up to the first damage that both files of its log have are taken, and of its snapshots
    those that lie within. A branch is lost that leaves another one at a tick that is.

    Args:
      folder: of the damaged session, which nobody may be living in.
      out: of the new one; must not be there yet, or be empty.

    Raises:
      SessionError: the manifest, or the log of the first branch, cannot be read; somebody lives in the session; or
        `out` cannot be written.
    """
    if not folder.is_dir():
        raise SessionError(f"There is no folder {folder}; give that of a session.")
    if is_held(folder):
        raise SessionError(f"{folder} is being lived in; close it there before it is salvaged.")
    manifest, lost = read_document(folder, MANIFEST).content, list[str]()
    if out.exists() and not only_begun(out):
        raise SessionError(f"{out} is not empty; choose another folder for what is salvaged.")
    found = _readable(folder, manifest["id"], lost)
    try:
        for name, (branch, log) in found.items():
            _copy(folder, out, branch, log, f"{manifest['id']}/{name}")
        # What it began from, and what it cut to.
        for path in folder.glob("[!.]*.npz"):
            shutil.copy2(path, out / path.name)
        ends = {name: (branch.end, log.size) for name, (branch, log) in found.items()}
        write_document(out, ENDS, ends, identity=manifest["id"])
        # The manifest comes last, and makes it a session.
        write_document(out, MANIFEST, manifest)
    except OSError as error:
        shutil.rmtree(out, ignore_errors=True)
        raise SessionError(f"What is salvaged cannot be written to {out} ({error.strerror}).") from error
    return Salvaged(ends={name: branch.end for name, (branch, _) in found.items()}, lost=tuple(lost))


def _readable(folder: Path, identity: str, lost: list[str]) -> dict[str, tuple[Branch, LogContent]]:
    """Returns the branches that can be read and hang together, with what their logs hold; tells what is lost."""
    found = dict[str, tuple[Branch, LogContent]]()
    names, ends = {path.name for path in (folder / BRANCHES).glob("[!.]*")}, _ends(folder, identity)
    for name in sorted({MAIN, *names, *ends}):
        path = folder / BRANCHES / name
        try:
            branch = _branch(path, f"{identity}/{name}")
            found[name] = branch, branch.read(path, f"{identity}/{name}")
        except SessionError as error:
            lost.append(f"'{name}' is lost: {error}")
    for name, (branch, log) in found.items():
        if log.broken or branch.end < ends.get(name, 0):
            lost.append(
                f"'{name}' can be read up to tick {branch.end}, but was lived beyond it; labels written since are lost."
            )
    while orphans := [branch for branch, _ in found.values() if not _is_rooted(branch, found)]:
        for branch in orphans:
            del found[branch.name]
            lost.append(
                f"'{branch.name}' is lost: it leaves '{branch.parent}' at tick {branch.at}, which cannot be read."
            )
    if MAIN not in found:
        raise SessionError(f"Nothing of {folder} can be salvaged. {' '.join(lost)}")
    return found


def _branch(path: Path, identity: str) -> Branch:
    """Returns a branch without its log; what the first one's document says goes without saying, but for its age."""
    try:
        return Branch(**read_document(path, BRANCH, identity=identity).content)
    except SessionError:
        if path.name != MAIN:
            raise
        return Branch(name=MAIN, parent=None, at=0, created=_UNKNOWN)


def _ends(folder: Path, identity: str) -> dict[str, int]:
    """Returns the ticks that branches came to at least, as far as that is known."""
    try:
        return {name: tick for name, (tick, _) in read_document(folder, ENDS, identity=identity).content.items()}
    except SessionError:
        return {}


def _is_rooted(branch: Branch, found: dict[str, Any]) -> bool:
    return branch.leaves(found[branch.parent][0] if branch.parent in found else None)


def _copy(folder: Path, out: Path, branch: Branch, log: LogContent, identity: str) -> None:
    """Writes a branch, its log and the snapshots that it reaches."""
    path = out / BRANCHES / branch.name
    write_document(path, BRANCH, branch.to_json(), identity=identity)
    Log(path, identity).append(list(log.entries))
    # Snapshots are sealed with the age of their branch.
    for snapshot in () if branch.created == _UNKNOWN else (folder / SNAPSHOTS / branch.name).glob("[0-9]*"):
        if snapshot.name.isdecimal() and int(snapshot.name) <= branch.end and snapshot.is_dir():
            shutil.copytree(snapshot, out / SNAPSHOTS / branch.name / snapshot.name)
