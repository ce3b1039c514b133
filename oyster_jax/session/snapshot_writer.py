"""Writes snapshots in a process of its own, so that a tick never waits for the disk, for Orbax or for Python's lock.

`python -m oyster_jax.session.snapshot_writer FD` is that process: it takes snapshots from a socket, one at a time,
writes each with Orbax under a temporary name, reads it back, compares it with what it was given, and only then gives it
its name. It ends when its parent does.
"""

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

from oyster_jax.session.snapshot import Leaves, write_snapshot

#: How many processes may die one after the other, without having written any, before snapshots are given up.
RESTARTS = 3
#: Snapshots after which the process is exchanged for a fresh one, once that has begun: what Orbax and its allocator
#: keep of each, 80 KB, does not pile up then.
LIFETIME = 200
#: Seconds that the start of the process may take, and each snapshot, before it is ended.
PATIENCE = 180.0
#: Seconds that the process has to end by itself.
_GRACE = 10.0
_NICENESS = 10


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
    """The parent's side: hands snapshots over and reports what became of each, on a thread of its own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[Path, str, Leaves, Report]] = []
        self._failures = 0
        self._process: _Process | None = None
        self._successor: _Process | None = None
        self._thread: threading.Thread | None = None
        self._closing = False

    def submit(self, folder: Path, identity: str, leaves: Leaves, report: Report) -> None:
        """Hands a snapshot over; after `close` it is left out.

        Args:
          folder: that it shall be; its name must not be taken.
          identity: of session, branch and tick.
          leaves: NumPy arrays by name that nobody changes any more.
          report: called on the writer's thread once it is written or could not be.
        """
        with self._changed:
            if self._closing:
                return
            self._waiting.append((folder, identity, leaves, report))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self) -> None:
        """Returns when nothing waits any more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting)

    def close(self) -> None:
        """Writes what waits, and ends the process."""
        self.wait()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._stop(_GRACE)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                folder, identity, leaves, report = self._waiting[0]
            try:
                report(self._write(folder, identity, leaves))
            except Exception as error:  # noqa: BLE001  # Were this thread to end, whoever waits would wait forever.
                report(Written(folder=folder, bytes=0, problem=f"The snapshot {folder} was not written ({error})."))
            with self._changed:
                self._waiting.pop(0)
                self._changed.notify_all()

    def _write(self, folder: Path, identity: str, leaves: Leaves) -> Written:
        while self._failures < RESTARTS:
            try:
                size, problem = self._fresh().write(folder, identity, leaves)
                self._failures = 0
                return Written(folder=folder, bytes=size, problem=problem)
            except (OSError, EOFError):
                self._failures += 1
                self._stop(0.0)
        problem = f"The process that writes snapshots ended or hung {self._failures} times; rewinding will take longer."
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
                env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": path},
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
