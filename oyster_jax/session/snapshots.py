"""The snapshots of a session: written in the background, found by tick, thinned out when they take too much room."""

import contextlib
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from oyster_jax.core.state import WorldState
from oyster_jax.session.errors import SessionError
from oyster_jax.session.snapshot import Leaves, folder_bytes, from_leaves, read_snapshot
from oyster_jax.session.snapshot_writer import SnapshotWriter, Written

_DAMAGED = "damaged-"
#: Bytes of snapshots that may be held in memory, because the disk is behind.
HELD_BYTES = 64 << 20
#: Damaged snapshots that are kept for whoever wants to see what became of them; the oldest go.
ASIDE = 3

#: Returns what tells a branch from all others, of any session.
type Identity = Callable[[str], str]


class Snapshots:
    """The snapshots under one folder, one subfolder a branch, in it one a tick.

    Args:
      folder: of all of them.
      budget: bytes that they may take. Where they take more, those go whose neighbours lie the closest together; the
        first and the newest of a branch stay. So no gap grows beyond about twice the mean, however long it lives.
        Damaged ones are set aside and count too; the newest `ASIDE` of them stay.
      report: told of what went wrong, as a sentence.
      write: whether files may be changed.
      identity: of a branch, so that no snapshot passes for one of another.
    """

    def __init__(
        self,
        folder: Path,
        budget: int,
        report: Callable[[str], None],
        *,
        write: bool = True,
        identity: Identity = str,
    ):
        self.folder, self.budget = folder, budget
        self._report, self._write, self._identity, self._writer = report, write, identity, SnapshotWriter()
        self._changed = threading.Lock()
        self._sizes: dict[tuple[str, int], int] = {}
        self._held: dict[tuple[str, int], Leaves] = {}
        self._aside: dict[Path, int] = {}
        for path in sorted(folder.glob("*/*"), key=lambda path: path.name):
            if path.name.startswith(_DAMAGED):
                self._aside[path] = folder_bytes(path)
            elif re.fullmatch("[0-9]{8,}", path.name) and path.is_dir():
                self._sizes[path.parent.name, int(path.name)] = folder_bytes(path)
            elif write and path.name.startswith("."):
                # Whoever wrote or removed it was killed.
                shutil.rmtree(path, ignore_errors=True)
        self._forget()

    @property
    def bytes(self) -> int:
        """What those that are written, and damaged ones that are kept, take on the disk."""
        return sum(self._sizes.copy().values()) + sum(self._aside.copy().values())

    @property
    def has_room(self) -> bool:
        """Whether one more may be held in memory; never where none are kept or nothing is written."""
        held = sum(leaf.nbytes for leaves in self._held.copy().values() for leaf in leaves.values())
        return self._write and self.budget > 0 and held < HELD_BYTES

    def ticks(self, branch: str) -> list[int]:
        """Returns the ticks of a branch that have a snapshot on the disk, ascending."""
        return sorted(tick for name, tick in self._sizes.copy() if name == branch)

    def hold(self, branch: str, tick: int, leaves: Leaves) -> bool:
        """Keeps leaves that nobody changes any more in memory until they are written; False if it has them already."""
        with self._changed:
            known = (branch, tick) in self._held or (branch, tick) in self._sizes
            if not known:
                self._held[branch, tick] = leaves
        return not known

    def submit(self, branch: str, tick: int) -> None:
        """Has leaves written that are held."""
        leaves = self._held[branch, tick]
        self._writer.submit(self._path(branch, tick), self._tick(branch, tick), leaves, self._written)

    def load(self, branch: str, tick: int, like: WorldState) -> tuple[WorldState, np.ndarray] | None:
        """Returns the state and the frame of a snapshot, None if it is damaged; that is told, and it is set aside."""
        leaves = self._held.get((branch, tick))
        try:
            return from_leaves(leaves or read_snapshot(self._path(branch, tick), self._tick(branch, tick)), like)
        except (SessionError, KeyError, ValueError) as error:
            # One that was thinned out meanwhile is no damage.
            if (branch, tick) in self._sizes:
                self._set_aside(branch, tick, str(error))
            return None

    def is_sound(self, branch: str, tick: int) -> bool:
        """Returns whether a snapshot is whole and of that tick; one that is not is told, and set aside."""
        try:
            read_snapshot(self._path(branch, tick), self._tick(branch, tick))
        except SessionError as error:
            self._set_aside(branch, tick, str(error))
            return False
        return True

    def before(self, branch: str, tick: int) -> int | None:
        """Returns the newest tick of a branch, not after `tick`, that has a snapshot, written yet or not, or None."""
        known = (*self._sizes.copy(), *self._held.copy())
        return max((found for name, found in known if name == branch and found <= tick), default=None)

    def wait(self) -> None:
        """Returns when all that were handed over are on the disk, or could not be."""
        self._writer.wait()

    def close(self) -> None:
        """Waits, and ends the process that writes."""
        self._writer.close()

    def _written(self, written: Written) -> None:
        if written.problem is not None:
            self._report(written.problem)
        key = written.folder.parent.name, int(written.folder.name)
        with self._changed:
            if written.bytes:
                self._sizes[key] = written.bytes
            self._held.pop(key, None)
        self._thin_out()

    def _thin_out(self) -> None:
        while self.bytes > self.budget:
            # Each branch once: a long session has thousands of snapshots, and this thread holds Python's lock.
            branches = {name: self.ticks(name) for name in {name for name, _ in self._sizes.copy()}}
            gaps = [
                (after - before, name, tick)
                for name, ticks in branches.items()
                for before, tick, after in zip(ticks, ticks[1:], ticks[2:], strict=False)
            ]
            if not gaps:
                return
            _, name, tick = min(gaps)
            self._remove(name, tick)

    def _remove(self, branch: str, tick: int) -> None:
        with self._changed:
            self._sizes.pop((branch, tick), None)
        # Under another name first: half a snapshot must not be taken for one.
        folder = self._path(branch, tick)
        gone = folder.with_name(f".{folder.name}.gone")
        try:
            folder.rename(gone)
        except FileNotFoundError:
            return
        except OSError as error:
            self._report(f"{folder} cannot be removed ({error.strerror}); check the permissions of its folder.")
            return
        shutil.rmtree(gone, ignore_errors=True)

    def _set_aside(self, branch: str, tick: int, reason: str) -> None:
        with self._changed:
            self._sizes.pop((branch, tick), None)
        folder = self._path(branch, tick)
        self._report(f"{reason} An older one and the log stand in for it.")
        if self._write and folder.exists():
            aside = folder.with_name(_DAMAGED + folder.name)
            shutil.rmtree(aside, ignore_errors=True)
            with contextlib.suppress(OSError):
                folder.rename(aside)
                self._aside.pop(aside, None)
                self._aside[aside] = folder_bytes(aside)
            self._forget()

    def _forget(self) -> None:
        """Removes the oldest of the damaged ones."""
        while self._write and len(self._aside) > ASIDE:
            oldest = next(iter(self._aside))
            del self._aside[oldest]
            shutil.rmtree(oldest, ignore_errors=True)

    def _tick(self, branch: str, tick: int) -> str:
        return f"{self._identity(branch)} {tick}"

    def _path(self, branch: str, tick: int) -> Path:
        return self.folder / branch / f"{tick:08d}"
