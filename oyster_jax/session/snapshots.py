"""The snapshots of a session: written in the background, found by tick, thinned out when they take too much room."""

import os
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


class Snapshots:
    """The snapshots under one folder, one subfolder a branch, in it one a tick.

    Args:
      folder: of all of them.
      budget: bytes that they may take. Where they take more, every second one goes, of the branch with the most, its
        first and its newest excepted: rewinding then replays for twice as long there.
      report: told of what went wrong, as a sentence.
      write: whether files may be changed.
    """

    def __init__(self, folder: Path, budget: int, report: Callable[[str], None], *, write: bool = True):
        self.folder, self.budget = folder, budget
        self._report, self._write, self._writer = report, write, SnapshotWriter()
        self._changed = threading.Lock()
        self._sizes: dict[tuple[str, int], int] = {}
        for path in folder.glob("*/*"):
            if path.name.isdigit() and path.is_dir():
                self._sizes[path.parent.name, int(path.name)] = folder_bytes(path)

    @property
    def bytes(self) -> int:
        """What those that are written take on the disk."""
        return sum(self._sizes.copy().values())

    def ticks(self, branch: str) -> list[int]:
        """Returns the ticks of a branch that have a snapshot on the disk, ascending."""
        return sorted(tick for name, tick in self._sizes.copy() if name == branch)

    def submit(self, branch: str, tick: int, leaves: Leaves) -> bool:
        """Hands leaves over that nobody changes any more; returns False if too many are being written already."""
        return self._writer.submit(self._path(branch, tick), leaves, self._written)

    def load(self, branch: str, tick: int, like: WorldState) -> tuple[WorldState, np.ndarray] | None:
        """Returns the state and the frame of a snapshot, None if it is damaged; that is told, and it is set aside."""
        folder = self._path(branch, tick)
        leaves = self._writer.pending(folder)
        try:
            return from_leaves(leaves or read_snapshot(folder), like)
        except (SessionError, KeyError, ValueError) as error:
            self._set_aside(branch, tick, str(error))
            return None

    def before(self, branch: str, tick: int) -> int | None:
        """Returns the newest tick of a branch, not after `tick`, that has a snapshot; None if there is none."""
        return max((found for found in self.ticks(branch) if found <= tick), default=None)

    def wait(self) -> None:
        """Returns when all that were handed over are on the disk, or could not be."""
        self._writer.wait()

    def close(self) -> None:
        """Waits, and ends the process that writes."""
        self._writer.close()

    def _written(self, written: Written) -> None:
        if written.problem is not None:
            self._report(written.problem)
        if written.bytes:
            with self._changed:
                self._sizes[written.folder.parent.name, int(written.folder.name)] = written.bytes
            self._thin_out()

    def _thin_out(self) -> None:
        while self.bytes > self.budget:
            branches = sorted({name for name, _ in self._sizes}, key=lambda name: len(self.ticks(name)))
            surplus = self.ticks(branches[-1])[1:-1:2]
            if not surplus:
                return
            for tick in surplus:
                self._remove(branches[-1], tick)

    def _remove(self, branch: str, tick: int) -> None:
        with self._changed:
            self._sizes.pop((branch, tick), None)
        # Under another name first: half a snapshot must not be taken for one.
        folder = self._path(branch, tick)
        gone = folder.with_name(f".{folder.name}.gone")
        try:
            os.rename(folder, gone)
        except FileNotFoundError:
            return
        shutil.rmtree(gone, ignore_errors=True)

    def _set_aside(self, branch: str, tick: int, reason: str) -> None:
        with self._changed:
            self._sizes.pop((branch, tick), None)
        folder = self._path(branch, tick)
        self._report(f"{reason} An older one and the log stand in for it.")
        if self._write and folder.exists():
            shutil.rmtree(folder.with_name(_DAMAGED + folder.name), ignore_errors=True)
            folder.rename(folder.with_name(_DAMAGED + folder.name))

    def _path(self, branch: str, tick: int) -> Path:
        return self.folder / branch / f"{tick:08d}"
