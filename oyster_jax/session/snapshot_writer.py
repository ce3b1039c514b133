"""Writes snapshots in a process of its own, so that a tick never waits for the disk, for Orbax or for Python's lock.

All sessions that are open in a process share one that writes: its start takes seconds of computing, and 210 MB.
`python -m oyster_jax.session.snapshot_writer FD` is that process: it takes snapshots from a socket, one at a time,
writes each with Orbax under a temporary name, reads it back, compares it with what it was given, and only then gives it
its name. It ends when its parent does.
"""

import collections
import contextlib
import dataclasses
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import ClassVar

from oyster_jax.session.snapshot import Leaves, write_snapshot

#: How many processes may die one after the other, without having written any, before snapshots are given up until
#: another session is opened.
RESTARTS = 3
#: Snapshots after which the process is exchanged for a fresh one, once that has begun: what Orbax keeps of each, 8 KB,
#: does not pile up then.
LIFETIME = 500
#: Seconds that the start of the process may take, and each snapshot, before it is ended.
PATIENCE = 180.0
#: Seconds that the process has to end by itself.
_GRACE = 10.0
_NICENESS = 15
#: How the process gets its memory. Orbax uses many threads: were each to have an arena, and arenas of huge pages, it
#: would grow by 25 MB with the first 600 snapshots, and not by 6.
_MEMORY = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Written:
    """What became of a snapshot.

    Attributes:
      folder: where it is to be.
      bytes: that it takes on the disk, 0 if it is not there.
      problem: why it could not be written, as a sentence, or None.
    """

    folder: Path
    bytes: int
    problem: str | None = None


type Report = Callable[[Written], None]


class SnapshotWriter:
    """A session's side: hands snapshots over; what became of each is reported on a thread that all sessions share."""

    def __init__(self) -> None:
        self._desk = _Desk.enter()
        self._changed = threading.Condition()
        self._waiting: set[Path] = set()
        self._closing = False

    def start(self) -> None:
        """Has the process begin now, and not with the first snapshot; it stays as long as this is not closed."""
        self._desk.start()

    def submit(self, folder: Path, identity: str, leaves: Leaves, report: Report) -> None:
        """Hands a snapshot over; after `close` it is left out.

        Args:
          folder: that it shall be; its name must not be taken.
          identity: of session, branch and tick.
          leaves: NumPy arrays by name that nobody changes any more.
          report: called once it is written or could not be.
        """
        with self._changed:
            if self._closing:
                return
            self._waiting.add(folder)
        self._desk.put(folder, identity, leaves, lambda written: self._done(written, report))

    def wait(self) -> None:
        """Returns when nothing of this session waits any more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting)

    def close(self) -> None:
        """Has written what waits; the last session to be closed ends the process."""
        self.wait()
        with self._changed:
            closed, self._closing = self._closing, True
        if not closed:
            self._desk.leave()

    def _done(self, written: Written, report: Report) -> None:
        try:
            report(written)
        finally:
            with self._changed:
                self._waiting.discard(written.folder)
                self._changed.notify_all()


class _Desk:
    """Where all sessions hand their snapshots over: a thread that has them written, in the order in which they come."""

    _open: ClassVar["_Desk | None"] = None
    _door = threading.Lock()

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: collections.deque[tuple[Path, str, Leaves, Report]] = collections.deque()
        self.sessions = self.failures = 0
        self._process: _Process | None = None
        self._successor: _Process | None = None
        self._thread: threading.Thread | None = None
        self._closing = False

    @classmethod
    def enter(cls) -> "_Desk":
        """Returns the desk, for one session more; each has to `leave`."""
        with cls._door:
            desk = cls._open = cls._open or cls()
            desk.sessions += 1
            desk.failures = 0
            return desk

    def leave(self) -> None:
        """Ends thread and process if this was the last session."""
        with self._door:
            self.sessions -= 1
            if self.sessions:
                return
            if _Desk._open is self:
                _Desk._open = None
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._stop(_GRACE)

    def start(self) -> None:
        """Starts the process, unless snapshots come already."""
        with self._changed:
            if self._thread is None and self._process is None:
                self._process = _Process()

    def put(self, folder: Path, identity: str, leaves: Leaves, report: Report) -> None:
        """Takes a snapshot; see `SnapshotWriter.submit`."""
        with self._changed:
            self._waiting.append((folder, identity, leaves, report))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                folder, identity, leaves, report = self._waiting.popleft()
            try:
                report(self._write(folder, identity, leaves))
            except Exception as error:  # noqa: BLE001  # Were this thread to end, whoever waits would wait forever.
                report(Written(folder=folder, bytes=0, problem=f"The snapshot {folder} was not written ({error})."))

    def _write(self, folder: Path, identity: str, leaves: Leaves) -> Written:
        while self.failures < RESTARTS:
            try:
                size, problem = self._fresh().write(folder, identity, leaves)
                self.failures = 0
                return Written(folder=folder, bytes=size, problem=problem)
            except (OSError, EOFError):
                self.failures += 1
                self._stop(0.0)
        problem = f"The process that writes snapshots ended or hung {self.failures} times; rewinding will take longer."
        return Written(folder=folder, bytes=0, problem=problem)

    def _fresh(self) -> "_Process":
        """Returns the process to write with; one that has written enough goes when its successor can take over."""
        if self._process is None:
            self._process = _Process()
        elif self._successor is not None and self._successor.has_begun():
            self._process.stop(_GRACE)
            self._process, self._successor = self._successor, None
        elif self._successor is None and self._process.age >= LIFETIME:
            self._successor = _Process()
        return self._process

    def _stop(self, grace: float) -> None:
        for process in (self._process, self._successor):
            if process is not None:
                process.stop(grace)
        self._process = self._successor = None


class _Process:
    """A process that writes snapshots.

    Attributes:
      age: how many it has written, or tried to.
      pid: its number.
    """

    def __init__(self) -> None:
        self.age, self._begun = 0, False
        ours, theirs = socket.socketpair()
        package = os.fspath(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        self._connection = Connection(ours.detach())
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                # Who reads our output must not wait for it.
                stdout=subprocess.DEVNULL,
                # A terminal's Ctrl-C is its parent's to answer.
                process_group=0,
                env=os.environ | _MEMORY | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": path, "GLIBC_TUNABLES": ""},
            )
        self.pid = self._child.pid

    def has_begun(self, patience: float = 0.0) -> bool:
        """Returns whether it has begun to take snapshots, or does within `patience` seconds.

        Raises:
          EOFError: it has ended.
        """
        if not self._begun and self._connection.poll(patience):
            self._begun = self._connection.recv()
        return self._begun

    def write(self, folder: Path, identity: str, leaves: Leaves) -> tuple[int, str | None]:
        """Has it write a snapshot; returns the bytes that it takes, and why it could not be written.

        Raises:
          OSError, EOFError: it has ended, or takes longer than `PATIENCE`.
        """
        if not self.has_begun(PATIENCE):
            raise TimeoutError
        self._connection.send((os.fspath(folder), identity, leaves))
        if not self._connection.poll(PATIENCE):
            raise TimeoutError
        self.age += 1
        return self._connection.recv()

    def stop(self, grace: float) -> None:
        """Ends it, by force if it does not within `grace` seconds, or has only begun to start."""
        self._connection.close()
        try:
            self._child.wait(grace if self._begun else 0.0)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def main(descriptor: int) -> None:
    """Writes snapshots that come over the socket `descriptor` until its other end is closed."""
    os.nice(_NICENESS)
    # What goes wrong is answered; Orbax would print it, too, and at length, between the lines of the parent.
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
    with Connection(descriptor) as connection, contextlib.suppress(EOFError, OSError):
        connection.send(True)
        while True:
            folder, identity, leaves = connection.recv()
            connection.send(_answer(Path(folder), identity, leaves))


def _answer(folder: Path, identity: str, leaves: Leaves) -> tuple[int, str | None]:
    try:
        return write_snapshot(folder, leaves, identity), None
    except Exception as error:  # noqa: BLE001  # Orbax has many kinds; each is told to the parent, who goes on
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return 0, f"The snapshot {folder} could not be written ({reason}); free space or check permissions."


if __name__ == "__main__":
    main(int(sys.argv[1]))
