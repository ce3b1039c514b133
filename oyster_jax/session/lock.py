"""The lock of a session: one process writes it, and a dead one holds nothing."""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from oyster_jax.session.errors import SessionError

LOCK = "lock"

#: Seconds to wait for another writer to let go: a killed one's process for snapshots may still be starting or ending.
LOCK_SECONDS = 5.0


class Lock:
    """The lock of a session, held until it is released; the system releases it when this process ends, however it does.

    Args:
      folder: of the session.

    Raises:
      SessionError: another process holds it, or the file cannot be opened.
    """

    def __init__(self, folder: Path):
        path = folder / LOCK
        try:
            self._file: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise SessionError(f"{path} cannot be opened ({error.strerror}); check its permissions.") from error
        deadline = time.monotonic() + LOCK_SECONDS
        while not _held(self._file):
            if time.monotonic() > deadline:
                holder = os.pread(self._file, 100, 0).decode(errors="replace").strip() or "another process"
                self.release()
                raise SessionError(
                    f"{folder} is being lived in by {holder}, and a session has one writer; close it there first."
                )
            time.sleep(0.05)
        # For people only: a full disk need not stop anybody from holding it.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"process {os.getpid()} on {os.uname().nodename}".encode(), 0)

    def release(self) -> None:
        """Lets others write."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def is_held(folder: Path) -> bool:
    """Returns whether somebody holds the lock of a session."""
    try:
        file = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _held(file, fcntl.LOCK_SH)
    finally:
        os.close(file)


def _held(file: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
