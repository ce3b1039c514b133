"""The thread that puts on the disk what a session lives: entries of logs first, then the snapshots that follow them."""

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.session.branch import Branch, Event, frame_digest, tick_entry
from oyster_jax.session.errors import SessionError
from oyster_jax.session.intervention import INTERVENTION, Intervention
from oyster_jax.session.log import Entry, Log
from oyster_jax.session.snapshots import Snapshots

#: Seconds between two writes of the log. A crash takes what was lived since the newest entry that is on the disk: these
#: seconds and, at worst, the time of two writes, as what just missed one waits for the next.
LOG_SECONDS = 0.1
#: Seconds of life that a crash takes at most where nothing is said of `trouble`.
LOSS_SECONDS = 2.0
#: Seconds until a disk that would not take the log is asked again.
RETRY_SECONDS = 1.0

#: A branch, and an entry of its log; or a tick with what its entry is made of, on the thread that writes.
type Note = tuple[Branch, int | None, Entry | tuple[int, float, np.ndarray]]


class Journal:
    """Takes notes of ticks and events at once, and writes them on a thread of its own, which nothing ends but `close`.

    Args:
      folder: of the session, for sentences.
      snapshots: that states go to once their ticks are on the disk.
      report: told of what went wrong, as a sentence.

    """

    def __init__(self, folder: Path, snapshots: Snapshots, report: Callable[[str], None]):
        self._refused: str | None = None
        # When the oldest of the notes was made that wait, and of those that are being written.
        self._waits_since: float | None = None
        self._writes_since: float | None = None
        self._folder, self._snapshots, self._report = folder, snapshots, report
        self._changed = threading.Condition()
        self._logs: dict[str, Log] = {}
        self._durable: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._notes: list[Note] = []
        self._due: list[tuple[str, int]] = []
        self._asked, self._answered, self._closing = 0, 0, False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to write."""
        self._thread = threading.Thread(target=self._run, name="session log", daemon=True)
        self._thread.start()

    def add_log(self, branch: Branch, log: Log) -> None:
        """Takes the log of a branch, which holds all that it has lived."""
        self._logs[branch.name], self._durable[branch.name] = log, branch.end
        self._done[branch.name] = len(branch.interventions)

    def durable(self, branch: str) -> int:
        """Returns the last tick of a branch that a crash cannot take back."""
        return self._durable[branch]

    def has_written(self, branch: str, tick: int, interventions: int) -> bool:
        """Returns whether no crash can take back a tick of a branch, nor its first so many interventions."""
        return self._durable[branch] >= tick and self._done[branch] >= interventions

    def written(self) -> dict[str, list[int]]:
        """Returns the last tick of each branch that is on the disk, and the bytes of its log."""
        return {name: [self._durable[name], log.size] for name, log in self._logs.items()}

    @property
    def trouble(self) -> str | None:
        """Why a crash would take more than the last `LOSS_SECONDS` just now; None if it would not."""
        behind = self.behind
        if self._refused is not None or behind <= LOSS_SECONDS:
            return self._refused
        return f"{self._folder} is written too slowly: the last {behind:.1f} s of this life are not on the disk yet."

    @property
    def behind(self) -> float:
        """Seconds that the oldest note has been waiting to be on the disk."""
        since = self._writes_since or self._waits_since
        return 0.0 if since is None else time.monotonic() - since

    def add_tick(self, branch: Branch, action: int, lived: float, frame: np.ndarray) -> None:
        """Notes a tick that the branch has just taken in."""
        self._note(branch, branch.end, (action, lived, frame))

    def add_intervention(self, branch: Branch, intervention: Intervention) -> None:
        """Notes what was done at the branch's last tick."""
        self._note(branch, None, intervention.entry())

    def add_event(self, branch: Branch, event: Event) -> None:
        """Notes an event.

        Raises:
          SessionError: it is too long, or its text is none.
        """
        self._note(branch, None, event.entry())

    def add_snapshot(self, branch: str, tick: int) -> None:
        """Has a snapshot that is held written once its tick is on the disk."""
        with self._changed:
            self._due.append((branch, tick))

    def flush(self) -> bool:
        """Returns when all that was noted is on the disk or the disk has refused it; whether the former."""
        with self._changed:
            if self._thread is None or self._closing:
                return True
            self._asked += 1
            asked = self._asked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._answered >= asked)
            return not self._notes

    def close(self) -> None:
        """Writes what is left, and ends.

        Raises:
          SessionError: the disk will not take it; nothing has ended, and it may be tried again.
        """
        if self._thread is None:
            return
        if not self.flush():
            raise SessionError(self.trouble or f"{self._folder} is still being written; close it again.")
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _note(self, *note: Any) -> None:
        with self._changed:
            if not self._notes:
                self._waits_since = time.monotonic()
            self._notes.append(note)

    def _run(self) -> None:
        pause = LOG_SECONDS
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._asked > self._answered, timeout=pause)
                if self._closing:
                    return
                asked, notes, due = self._asked, self._notes, self._due
                self._notes, self._due = [], []
                self._writes_since, self._waits_since = self._waits_since, None
            left = self._write(notes)
            unwritten = {branch.name for branch, _, _ in left}
            for branch, tick in due:
                if branch not in unwritten:
                    self._submit(branch, tick)
            with self._changed:
                if left:
                    self._waits_since = self._writes_since
                self._writes_since = None
                self._notes = left + self._notes
                self._due = [item for item in due if item[0] in unwritten] + self._due
                self._answered = asked
                self._changed.notify_all()
            pause = RETRY_SECONDS if left else LOG_SECONDS

    def _write(self, notes: list[Note]) -> list[Note]:
        """Writes notes; returns those that the disk would not take."""
        left: list[Note] = []
        trouble = None
        for name in dict.fromkeys(branch.name for branch, _, _ in notes):
            own: list[Note] = [note for note in notes if note[0].name == name]
            try:
                # Encoded ones no longer hold their frames.
                entries = [_encoded(*note) for note in own]
                own = [(branch, tick, entry) for (branch, tick, _), entry in zip(own, entries, strict=True)]
                self._logs[name].append(entries)
            except Exception as error:  # noqa: BLE001  # Were this thread to end, all that is lived would be lost.
                left += own
                trouble = _trouble(self._folder, error, self._durable[name])
                continue
            self._durable[name] = max([self._durable[name], *(tick for _, tick, _ in own if tick is not None)])
            self._done[name] += sum(entry.kind == INTERVENTION for entry in entries)
        self._refused = trouble
        return left

    def _submit(self, branch: str, tick: int) -> None:
        try:
            self._snapshots.submit(branch, tick)
        except Exception as error:  # noqa: BLE001  # The log must go on without snapshots.
            self._report(f"The state of tick {tick} of '{branch}' was not kept ({error}); rewinding will take longer.")


def _encoded(branch: Branch, tick: int | None, what: Any) -> Entry:
    """Returns the entry for a note; one that the disk refused before is one already."""
    if tick is None or isinstance(what, Entry):
        return what
    action, lived, frame = what
    digest = frame_digest(frame)
    branch.note_digest(tick, digest)
    return tick_entry(tick, action, lived, digest)


def _trouble(folder: Path, error: Exception, durable: int) -> str:
    reason = str(error)
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else str(error.strerror)
    return (
        f"{folder} cannot be written: {reason}. The session goes on in memory; what came after tick {durable} is lost "
        "if it ends before there is room again."
    )
