"""The folder of a session: manifest, branches with their logs, snapshots; one writer, and a thread of its own.

    session/
      manifest.json, manifest.copy.json      which world, seed, versions; each copy sealed with its digest
      prompt.npz                             the recorded moment it began from, if any
      branches/NAME/branch.json, branch.copy.json, log, log.copy
      snapshots/NAME/TICK/                   Orbax, with a digest

The log is the session: with the manifest it makes every state again. Snapshots only save the time to do so.
"""

import errno
import fcntl
import itertools
import os
import threading
import time
import uuid
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.files import write_whole
from oyster_jax.session.branch import MAIN, Branch, Event, frame_digest, tick_entry
from oyster_jax.session.document import copies, read_document, write_document
from oyster_jax.session.errors import SessionError
from oyster_jax.session.log import NAMES, Entry, Log, read_log
from oyster_jax.session.snapshot import Leaves
from oyster_jax.session.snapshots import Snapshots

SCHEMA = 1
MANIFEST, PROMPT = "manifest", "prompt.npz"
_BRANCH = "branch"

#: Seconds between two writes of the log. What was lived in the last interval, and while the disk takes it, is lost by a
#: crash; nothing before that is.
LOG_SECONDS = 0.05
#: Seconds until a disk that would not take the log is asked again.
RETRY_SECONDS = 1.0
#: Seconds to wait for another writer to let go: a killed one's process for snapshots may still be ending.
LOCK_SECONDS = 5.0
_PROBLEMS = 100


class Archive:
    """An open session folder. Ticks and events are noted at once and written by a thread of its own.

    Args:
      folder: of the session.
      write: hold the lock and write; without, only what is on the disk is read.

    Attributes:
      folder: of the session.
      manifest: the content of its manifest.
      branches: by name, each with what its log holds.
      snapshots: of all branches.
      problems: what went wrong and was mended or worked around, as sentences, the newest hundred.

    Raises:
      SessionError: there is no session, another process writes it, or it is damaged beyond what its copies mend.
    """

    def __init__(self, folder: Path, *, write: bool = True):
        self.folder, self.problems = folder, deque[str](maxlen=_PROBLEMS)
        if not is_session(folder):
            raise SessionError(f"There is no session in {folder}: it has no {copies(MANIFEST)[0]}. Check the path.")
        self._lock = _locked(folder) if write else None
        self._changed = threading.Condition()
        self._entries: list[tuple[Branch, int | None, Any]] = []
        self._due: list[tuple[str, int, Leaves]] = []
        self._closing, self._flushing, self._trouble = False, False, None
        self._durable: dict[str, int] = {}
        try:
            document = read_document(folder, MANIFEST)
            self.manifest, self._revision = document.content, document.revision
            _check_schema(folder, self.manifest)
            self._mend(folder, MANIFEST, document.damaged, document.content, document.revision)
            self.snapshots = Snapshots(
                folder / "snapshots", int(self.manifest["snapshot_bytes"]), self._report, write=write
            )
            self._logs: dict[str, Log] = {}
            self.branches: dict[str, Branch] = {}
            for path in sorted((folder / "branches").glob("*")):
                self._read_branch(path)
            self._check_branches()
        except BaseException:
            self._unlock()
            raise
        self._thread = threading.Thread(target=self._run, name="session log", daemon=True)
        if write:
            self._thread.start()

    @classmethod
    def create(cls, folder: Path, manifest: dict[str, Any], files: dict[str, bytes]) -> "Archive":
        """Makes a session folder and opens it.

        Args:
          folder: must not be there yet, or be empty.
          manifest: what opens it again, `snapshot_bytes` among it; `schema` and `id` are added.
          files: further files of the session, by name.

        Raises:
          SessionError: there is something in the folder already.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SessionError(
                f"{folder} is not empty, and a session begins in a folder of its own; choose another, or open the "
                "session that is there."
            )
        write_whole(folder, files)
        branch = Branch(name=MAIN, parent=None, at=0, created=time.time())
        path = folder / "branches" / MAIN
        path.mkdir(parents=True)
        write_document(path, _BRANCH, branch.to_json())
        write_document(folder, MANIFEST, {"schema": SCHEMA, "id": uuid.uuid4().hex, **manifest})
        return cls(folder)

    @property
    def trouble(self) -> str | None:
        """Why the log cannot be written just now, None if it can."""
        return self._trouble

    @property
    def disk_bytes(self) -> int:
        """What the session takes on the disk, but for a few hundred bytes of its manifest."""
        return self.snapshots.bytes + sum(
            path.stat().st_size for path in (self.folder / PROMPT, *self.folder.glob("branches/*/*")) if path.exists()
        )

    @property
    def latest(self) -> Branch:
        """The branch on which the last tick was lived."""
        return max(self.branches.values(), key=lambda branch: (branch.lived(branch.end) or 0.0, branch.created))

    def branch(self, name: str) -> Branch:
        """Returns a branch by its name.

        Raises:
          SessionError: there is none.
        """
        if name not in self.branches:
            names = ", ".join(self.branches)
            raise SessionError(f"There is no branch '{name}' in this session; it has {names}.")
        return self.branches[name]

    def durable(self, branch: str) -> int:
        """Returns the last tick of a branch that a crash cannot take back."""
        return self._durable[branch]

    def add_tick(self, branch: Branch, action: int, lived: float, frame: np.ndarray) -> None:
        """Notes a tick: at once in memory, soon on the disk."""
        branch.add(action, lived)
        with self._changed:
            self._entries.append((branch, branch.end, (action, lived, frame)))

    def add_event(self, branch: Branch, kind: str, tick: int, text: str = "") -> None:
        """Notes an event: at once in memory, soon on the disk."""
        event = Event(kind=kind, tick=tick, text=text, time=time.time())
        branch.events.append(event)
        with self._changed:
            self._entries.append((branch, None, event))

    def add_snapshot(self, branch: str, tick: int, leaves: Leaves) -> None:
        """Keeps a state once its tick is on the disk; left out where the writer cannot keep up."""
        with self._changed:
            self._due.append((branch, tick, leaves))

    def add_branch(self, name: str | None, parent: str, at: int) -> str:
        """Makes a branch, which is on the disk when this returns, and returns its name.

        Args:
          name: letters, digits, - and _; `branch-1` and so on unless given.
          parent: the branch that it leaves.
          at: the tick at which it does.

        Raises:
          SessionError: the name is taken or not a plain one, or the disk would not take it.
        """
        name = name or next(name for i in itertools.count(1) if (name := f"branch-{i}") not in self.branches)
        if name in self.branches:
            raise SessionError(f"There is a branch '{name}' already; choose another name.")
        if not name.replace("-", "").replace("_", "").isalnum():
            raise SessionError(f"A branch is named with letters, digits, - and _, but '{name}' is not.")
        branch = Branch(name=name, parent=parent, at=at, created=time.time())
        path = self.folder / "branches" / name
        try:
            write_document(path, _BRANCH, branch.to_json())
        except OSError as error:
            raise SessionError(f"The branch '{name}' cannot be written to {path} ({error.strerror}).") from error
        self._durable[name] = at
        self._logs[name] = Log(path, self._identity(name))
        self.branches[name] = branch
        return name

    def change_manifest(self, **changes: Any) -> None:
        """Writes the manifest anew, with changes."""
        write_document(self.folder, MANIFEST, self.manifest | changes, self._revision + 1)
        self.manifest, self._revision = self.manifest | changes, self._revision + 1

    def flush(self) -> None:
        """Returns when all that was noted is on the disk, snapshots included, or the disk has refused it."""
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._flushing or not self._thread.is_alive())
        self.snapshots.wait()

    def close(self) -> None:
        """Writes what is left and lets go of the lock."""
        if self._lock is None or self._closing:
            return
        self.flush()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self.snapshots.close()
        self._unlock()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._flushing, timeout=self._pause)
                closing, flushing = self._closing, self._flushing
                entries, due = self._entries, self._due
                self._entries, self._due = [], []
            left = self._write(entries)
            with self._changed:
                self._entries = left + self._entries
                unwritten = {branch.name for branch, _, _ in left}
                self._due = [item for item in due if item[0] in unwritten][-2:] + self._due
                if flushing:
                    self._flushing = False
                    self._changed.notify_all()
            for branch, tick, leaves in due:
                if branch not in unwritten:
                    self.snapshots.submit(branch, tick, leaves)
            if closing:
                return

    @property
    def _pause(self) -> float:
        return RETRY_SECONDS if self._trouble else LOG_SECONDS

    def _write(self, entries: list[tuple[Branch, int | None, Any]]) -> list[tuple[Branch, int | None, Any]]:
        """Writes entries; returns those that the disk would not take, whose frames are no longer held."""
        left: list[tuple[Branch, int | None, Any]] = []
        names = dict.fromkeys(branch.name for branch, _, _ in entries)
        for name in names:
            own = [
                (branch, tick, _encoded(branch, tick, what)) for branch, tick, what in entries if branch.name == name
            ]
            try:
                self._logs[name].append([entry for _, _, entry in own])
            except OSError as error:
                left += own
                self._trouble = _trouble(self.folder, error, self._durable[name])
                continue
            self._durable[name] = max([self._durable[name], *(tick for _, tick, _ in own if tick is not None)])
            self._trouble = None
        return left

    def _read_branch(self, path: Path) -> None:
        try:
            document = read_document(path, _BRANCH)
        except SessionError as error:
            if not any((path / name).exists() for name in NAMES):
                self._report(f"The branch in {path} was never finished and is left out.")
                return
            raise SessionError(f"{error} It says where a branch begins.") from error
        self._mend(path, _BRANCH, document.damaged, document.content, document.revision)
        branch = Branch(**document.content)
        if branch.name != path.name:
            raise SessionError(f"{path} holds the branch '{branch.name}'; give the folder that name again.")
        content = read_log(path, self._identity(branch.name))
        try:
            branch.read(content.entries)
        except (ValueError, TypeError) as error:
            raise SessionError(f"The log in {path} is not one that this Oyster writes ({error}).") from error
        for name in content.damaged:
            if (path / name).exists() or content.entries:
                self._report(f"{path / name} was incomplete or damaged; its copy had what it lacked.")
        self.branches[branch.name] = branch
        self._durable[branch.name] = branch.end
        if self._lock is not None:
            self._logs[branch.name] = Log(path, self._identity(branch.name), content)

    def _check_branches(self) -> None:
        if MAIN not in self.branches:
            raise SessionError(f"{self.folder / 'branches' / MAIN} is missing; restore it.")
        for branch in self.branches.values():
            log = self.folder / "branches" / branch.name / NAMES[0]
            if any(tick > branch.end for tick in self.snapshots.ticks(branch.name)):
                raise SessionError(
                    f"{log} and its copy end at tick {branch.end}, but there is a snapshot of a later one: both have "
                    "lost entries. Restore one of them, or remove the later snapshots to go on from there."
                )
            parent = self.branches.get(branch.parent or "", branch)
            if (branch.parent is not None and parent is branch) or branch.at > max(
                parent.end, branch.at * (parent is branch)
            ):
                raise SessionError(
                    f"The branch '{branch.name}' leaves '{branch.parent}' at tick {branch.at}, which is not there: "
                    f"{self.folder / 'branches' / str(branch.parent)} has lost it. Restore its log."
                )

    def _mend(self, folder: Path, name: str, damaged: tuple[str, ...], content: dict[str, Any], revision: int) -> None:
        for copy in damaged:
            self._report(f"{folder / copy} was missing, damaged or out of date; its copy stands in for it.")
        if damaged and self._lock is not None:
            write_document(folder, name, content, revision)

    def _identity(self, branch: str) -> str:
        return f"{self.manifest['id']}/{branch}"

    def _report(self, sentence: str) -> None:
        self.problems.append(sentence)

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def is_session(folder: Path) -> bool:
    """Returns whether there is a session in a folder, be it damaged."""
    return any((folder / name).exists() for name in copies(MANIFEST))


def _encoded(branch: Branch, tick: int | None, what: Any) -> Entry:
    """Returns the entry for a tick or an event; one that the disk refused before is one already."""
    if isinstance(what, Entry):
        return what
    if tick is None:
        return what.entry()
    action, lived, frame = what
    digest = frame_digest(frame)
    branch.note_digest(tick, digest)
    return tick_entry(tick, action, lived, digest)


def _trouble(folder: Path, error: OSError, durable: int) -> str:
    reason = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error.strerror)
    return (
        f"{folder} cannot be written: {reason}. The session goes on in memory; what came after tick {durable} is lost "
        "if it ends before there is room again."
    )


def _check_schema(folder: Path, manifest: dict[str, Any]) -> None:
    if manifest.get("schema") != SCHEMA:
        raise SessionError(
            f"{folder} is a session of schema {manifest.get('schema')!r}, but this Oyster knows schema {SCHEMA}; open "
            "it with the version that made it."
        )


def _locked(folder: Path) -> int:
    """Holds the lock of a session; the system lets go of it when this process ends, however it does."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            holder = os.pread(descriptor, 100, 0).decode(errors="replace").strip() or "another process"
            os.close(descriptor)
            raise SessionError(
                f"{folder} is being lived in by {holder}, and a session has one writer; close it there first."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {os.uname().nodename}".encode(), 0)
        return descriptor
