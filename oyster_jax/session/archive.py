"""The folder of a session: manifest, branches with their logs, snapshots; one writer, whose journal is beside this.

    session/
      manifest.json, manifest.copy.json      which world, seed, versions; each copy sealed with its digest
      ends.json, ends.copy.json              which branches there are, and what their logs hold at least
      prompt.npz, prompt.copy.npz            the recorded moment it began from, if any; cut-DIGEST of one it cut to
      branches/NAME/branch.json, branch.copy.json, log, log.copy
      snapshots/NAME/TICK/                   Orbax, with digests; damaged-TICK is one that was found damaged
      lock                                   held by the process that writes

The log is the session: with the manifest it makes every state again. Snapshots only save the time to do so.
"""

import contextlib
import itertools
import time
import uuid
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.files import write_whole
from oyster_jax.session.branch import MAIN, Branch, Event, is_plain
from oyster_jax.session.document import copies, read_document, write_document
from oyster_jax.session.errors import SessionError
from oyster_jax.session.intervention import CUT, Intervention
from oyster_jax.session.journal import Journal
from oyster_jax.session.layout import BRANCH, BRANCHES, ENDS, MANIFEST, SNAPSHOTS, is_leftover, only_begun
from oyster_jax.session.lock import Lock, is_held
from oyster_jax.session.log import NAMES, Log, LogContent
from oyster_jax.session.prompt import PROMPTS, check_prompt, cut_names
from oyster_jax.session.snapshot import Leaves
from oyster_jax.session.snapshots import Snapshots

SCHEMA = 1
_PROBLEMS = 100


class Archive:
    """An open session folder. Ticks and events are noted at once and written by the journal's thread.

    Args:
      folder: of the session.
      write: hold the lock and write; without, only what is on the disk is read.

    Attributes:
      folder: of the session.
      manifest: the content of its manifest.
      branches: by name, each with what its log holds.
      snapshots: of all branches.
      exact: whether all of it was lived under the conditions of now, so that a replay makes the very states again;
        whoever opens it knows. Only then are snapshots made of replays.
      problems: what went wrong and was mended or worked around, as sentences, the newest hundred.

    Raises:
      SessionError: there is no session, another process writes it, or it is damaged beyond what its copies mend.
    """

    def __init__(self, folder: Path, *, write: bool = True):
        # Orbax writes to absolute paths only, and the process may go to another folder.
        folder = folder.absolute()
        self.folder, self.exact, self.problems = folder, True, deque[str](maxlen=_PROBLEMS)
        if not is_session(folder):
            raise SessionError(
                f"There is no session in {folder}: {folder / copies(MANIFEST)[0]} is missing. Check the path."
            )
        self._elsewhere = not write and is_held(folder)
        self._lock = Lock(folder) if write else None
        self.branches: dict[str, Branch] = {}
        self._found: dict[str, LogContent] = {}
        try:
            self._read()
            if write:
                self._begin()
        except BaseException:
            if self._lock is not None:
                self._lock.release()
            raise

    @classmethod
    def create(cls, folder: Path, manifest: dict[str, Any], files: dict[str, bytes]) -> "Archive":
        """Makes a session folder and opens it.

        Args:
          folder: must not be there yet, or be empty.
          manifest: what opens it again, `snapshot_bytes` among it; `schema` and `id` are added.
          files: further files of the session, by name.

        Raises:
          SessionError: there is something in the folder already, or the disk would not take it.
        """
        try:
            return cls._create(folder, manifest, files)
        except OSError as error:
            raise SessionError(f"A session cannot be written to {folder} ({error.strerror}).") from error

    @classmethod
    def _create(cls, folder: Path, manifest: dict[str, Any], files: dict[str, bytes]) -> "Archive":
        folder.mkdir(parents=True, exist_ok=True)
        if not only_begun(folder):
            raise SessionError(
                f"{folder} is not empty, and a session begins in a folder of its own; choose another, or open the "
                "session that is there."
            )
        # The manifest comes last, and makes it a session.
        branch, identity = Branch(name=MAIN, parent=None, at=0, created=time.time()), uuid.uuid4().hex
        write_document(folder / BRANCHES / MAIN, BRANCH, branch.to_json(), identity=f"{identity}/{MAIN}")
        write_whole(folder, files)
        write_document(folder, MANIFEST, {"schema": SCHEMA, "id": identity, **manifest})
        return cls(folder)

    @property
    def trouble(self) -> str | None:
        """Why the log cannot be written just now, None if it can."""
        return self._journal.trouble

    @property
    def disk_bytes(self) -> int:
        """What the session takes on the disk, but for a few hundred bytes of its manifest."""
        paths = (*self.folder.glob("*.npz"), *self.folder.glob(f"{BRANCHES}/*/*"))
        return self.snapshots.bytes + sum(path.stat().st_size for path in paths if path.exists())

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
        return self._journal.durable(branch)

    def add_tick(self, branch: Branch, action: int, lived: float, frame: np.ndarray) -> None:
        """Notes a tick: at once in memory, soon on the disk."""
        branch.add(action, lived)
        self._journal.add_tick(branch, action, lived, frame)

    def add_intervention(self, branch: Branch, intervention: Intervention) -> None:
        """Notes what was done at the branch's last tick: at once in memory, soon on the disk."""
        self._journal.add_intervention(branch, intervention)
        branch.interventions.append(intervention)

    def add_event(self, branch: Branch, kind: str, tick: int, text: str = "") -> None:
        """Notes an event: at once in memory, soon on the disk.

        Raises:
          SessionError: its text is too long.
        """
        event = Event(kind=kind, tick=tick, text=text, time=time.time())
        self._journal.add_event(branch, event)
        branch.events.append(event)

    @property
    def has_room(self) -> bool:
        """Whether one more snapshot may wait for the disk."""
        return self.snapshots.has_room

    def add_snapshot(self, branch: str, tick: int, leaves: Leaves) -> None:
        """Keeps a state: in memory at once, on the disk once its tick is there; ask `has_room` before."""
        if self.snapshots.hold(branch, tick, leaves):
            self._journal.add_snapshot(branch, tick)

    def report(self, sentence: str) -> None:
        """Notes a problem, unless it is known."""
        if sentence not in self.problems:
            self.problems.append(sentence)

    def add_branch(self, name: str | None, parent: str, at: int, after: int = 0) -> str:
        """Makes a branch, which is on the disk when this returns, and returns its name.

        Args:
          name: letters, digits, - and _; `branch-1` and so on unless given.
          parent: the branch that it leaves.
          at: the tick at which it does.
          after: how many of the parent's interventions came before that.

        Raises:
          SessionError: the name is taken or not a plain one, or the disk would not take it.
        """
        name = name or next(name for i in itertools.count(1) if (name := f"branch-{i}") not in self.branches)
        if name in self.branches:
            raise SessionError(f"There is a branch '{name}' already; choose another name.")
        if not is_plain(name):
            raise SessionError(f"A branch is named with letters, digits, - and _, but '{name}' is not.")
        if not self._journal.has_written(parent, at, after):
            # A crash must not leave a branch whose parent has not come as far.
            self._journal.flush()
        if not self._journal.has_written(parent, at, after):
            raise SessionError(f"The branch '{name}' cannot be made. {self.trouble or 'Its tick is not written yet.'}")
        branch = Branch(name=name, parent=parent, at=at, created=time.time(), after=after)
        path = self.folder / BRANCHES / name
        try:
            write_document(path, BRANCH, branch.to_json(), identity=self._identity(name))
        except OSError as error:
            raise SessionError(f"The branch '{name}' cannot be written to {path} ({error.strerror}).") from error
        self.branches[name] = branch
        self._journal.add_log(branch, Log(path, self._identity(name)))
        return name

    def change_manifest(self, **changes: Any) -> None:
        """Writes the manifest anew, with changes.

        Raises:
          SessionError: the disk would not take it.
        """
        changed = self.manifest | changes
        try:
            write_document(self.folder, MANIFEST, changed, self._revision + 1)
        except OSError as error:
            raise SessionError(
                f"{self.folder / copies(MANIFEST)[0]} cannot be written ({error.strerror}); nothing has changed."
            ) from error
        self.manifest, self._revision = changed, self._revision + 1

    def flush(self) -> None:
        """Returns when all that was noted is on the disk, snapshots included, or the disk has refused it."""
        if self._journal.flush():
            self._note_ends()
        self.snapshots.wait()

    def close(self) -> None:
        """Writes what is left and lets go of the lock.

        Raises:
          SessionError: the disk will not take what was lived; nothing is closed, and it may be tried again.
        """
        if self._lock is None:
            return
        self._journal.close()
        self._note_ends()
        self.snapshots.close()
        self._lock.release()
        self._lock = None

    def _read(self) -> None:
        self.manifest, self._revision = self._document(self.folder, MANIFEST)
        _check_schema(self.folder, self.manifest)
        self._clean_up()
        self.snapshots = Snapshots(
            self.folder / SNAPSHOTS,
            int(self.manifest["snapshot_bytes"]),
            self.report,
            write=self._lock is not None,
            identity=lambda name: f"{self._identity(name)}/{self.branches[name].created}",
        )
        self._journal = Journal(self.folder, self.snapshots, self.report)
        # Before the logs, which whoever writes them meanwhile may only make longer.
        self._read_ends()
        for path in sorted((self.folder / BRANCHES).glob("[!.]*")):
            self._read_branch(path)
        self._check_ends()
        self._check_branches()
        self._check_snapshots()
        self._check_prompts()

    def _begin(self) -> None:
        """Mends the logs, now that nothing speaks against them, and begins to write."""
        for name, found in self._found.items():
            log = Log(self.folder / BRANCHES / name, self._identity(name), found)
            self._journal.add_log(self.branches[name], log)
        self._found.clear()
        self._journal.start()
        self._note_ends()

    def _document(self, folder: Path, name: str, identity: str = "") -> tuple[dict[str, Any], int]:
        """Reads a document, and mends it."""
        found = read_document(folder, name, identity=identity)
        for copy in found.damaged:
            self.report(f"{folder / copy} was missing, damaged or out of date; its copy stands in for it.")
        if found.damaged and self._lock is not None:
            # A full disk will take it another time.
            with contextlib.suppress(OSError):
                write_document(folder, name, found.content, found.revision, identity=identity)
        return found.content, found.revision

    def _clean_up(self) -> None:
        """Removes what a writer that was killed had not finished."""
        if self._lock is not None:
            for path in (*self.folder.glob(".*"), *self.folder.glob(f"{BRANCHES}/*/.*")):
                if is_leftover(path):
                    path.unlink(missing_ok=True)

    def _note_ends(self) -> None:
        """Writes down how far every branch has come, so that a log that loses its end, copy and all, is found out."""
        written = self._journal.written()
        if self._lock is None or written == self._ends:
            return
        # Where the disk is full, those written before still hold.
        with contextlib.suppress(OSError):
            write_document(self.folder, ENDS, written, self._ends_revision + 1, identity=self.manifest["id"])
            self._ends, self._ends_revision = written, self._ends_revision + 1

    def _read_ends(self) -> None:
        self._ends, self._ends_revision = {}, 0
        try:
            self._ends, self._ends_revision = self._document(self.folder, ENDS, self.manifest["id"])
        except SessionError as error:
            # A session that is only being made has none yet.
            if any(self.folder.glob(f"{BRANCHES}/*/{NAMES[0]}")):
                self.report(f"{error} Whether a log has lost its end cannot be told.")

    def _check_ends(self) -> None:
        for name, (tick, size) in self._ends.items():
            path = self.folder / BRANCHES / name
            if name not in self.branches:
                raise SessionError(f"{path} is missing. {self._remedy}")
            if self._found[name].size < size:
                raise SessionError(
                    f"{path / NAMES[0]} and its copy were written up to tick {tick}, but have lost entries: what is "
                    f"left ends at tick {self.branches[name].end}. {self._remedy}"
                )

    def _read_branch(self, path: Path) -> None:
        identity = self._identity(path.name)
        try:
            content, _ = self._document(path, BRANCH, identity)
        except SessionError as error:
            if path.name not in self._ends and not any((path / name).exists() for name in NAMES):
                self.report(f"The branch in {path} was never finished and is left out.")
                return
            raise SessionError(f"{error} {self._otherwise}") from error
        branch = Branch(**content)
        log = branch.read(path, identity)
        if log.broken:
            files = " and ".join(str(path / name) for name in NAMES)
            raise SessionError(
                f"{files} are both damaged behind tick {branch.end}: more was lived, but cannot be read. {self._remedy}"
            )
        # Whoever lives in it meanwhile writes one file after the other.
        for name in () if self._elsewhere else log.damaged:
            self.report(f"{path / name} was incomplete or damaged; the other one stands in for it.")
        self.branches[branch.name], self._found[branch.name] = branch, log

    def _check_branches(self) -> None:
        if MAIN not in self.branches:
            raise SessionError(f"{self.folder / BRANCHES / MAIN} is missing; restore it.")
        for branch in self.branches.values():
            parent = None if branch.parent is None else self.branches.get(branch.parent)
            if branch.parent is not None and not branch.leaves(parent):
                raise SessionError(
                    f"The branch '{branch.name}' leaves '{branch.parent}' at tick {branch.at}, which is not there: "
                    f"{self.folder / BRANCHES / branch.parent} has lost it. {self._remedy}"
                )

    def _check_snapshots(self) -> None:
        for branch in self.branches.values():
            for tick in self.snapshots.ticks(branch.name):
                if tick > branch.end and self.snapshots.is_sound(branch.name, tick):
                    raise SessionError(
                        f"{self.folder / BRANCHES / branch.name / NAMES[0]} and its copy end at tick {branch.end}, "
                        f"but there is a snapshot of tick {tick}: both have lost entries. {self._remedy}"
                    )

    def _check_prompts(self) -> None:
        done = (one for branch in self.branches.values() for one in branch.interventions)
        cuts = {digest: cut_names(digest) for one in done if one.kind == CUT and (digest := one.given["prompt"])}
        first = {} if (digest := self.manifest["prompt"]) is None else {digest: PROMPTS}
        for digest, names in (*first.items(), *cuts.items()):
            check_prompt(self.folder, digest, names, self.report, mend=self._lock is not None)

    @property
    def _remedy(self) -> str:
        """What to do about damage that no copy mends."""
        return f"Restore it from a copy of the session. {self._otherwise}"

    @property
    def _otherwise(self) -> str:
        return f"Without one, `oyster session salvage {self.folder} NEW` puts what can still be read into a new folder."

    def _identity(self, branch: str) -> str:
        return f"{self.manifest['id']}/{branch}"


def is_session(folder: Path) -> bool:
    """Returns whether there is a session in a folder, be it damaged."""
    first, second = (folder / name for name in copies(MANIFEST))
    # A dataset has a manifest too, but neither a copy of it nor branches.
    return second.exists() or (first.exists() and (folder / BRANCHES).is_dir())


def _check_schema(folder: Path, manifest: dict[str, Any]) -> None:
    if manifest.get("schema") != SCHEMA:
        raise SessionError(
            f"{folder} is a session of schema {manifest.get('schema')!r}, but this Oyster knows schema {SCHEMA}; open "
            "it with the version that made it."
        )
