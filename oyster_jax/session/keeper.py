"""Which states become snapshots: one after so much computing that a rewind is short."""

import math

from oyster_jax.session.archive import Archive
from oyster_jax.session.moment import Moment
from oyster_jax.session.snapshot import to_leaves

#: Seconds of ticks between two snapshots; a rewind loads one and computes at most these ticks again.
SNAPSHOT_SECONDS = 0.5
SNAPSHOT_TICKS = 16  # but never fewer
#: Seconds of ticks by which a snapshot may be late before that is told.
GAP_SECONDS = 1.0


class Keeper:
    """Counts what ticks cost along one line of them, and hands states over to be kept.

    Where the disk is so far behind that no more may wait for it, the next tick for which there is room is kept.

    Args:
      archive: that keeps them.
    """

    def __init__(self, archive: Archive):
        self._archive = archive
        self.restart()

    def restart(self) -> None:
        """Begins to count at a tick that costs nothing to come back to."""
        self._fastest, self._ticks, self._overdue = math.inf, 0, 0

    def add(self, branch: str, moment: Moment, seconds: float) -> None:
        """Counts a tick, and keeps its state if it is time to.

        Args:
          branch: on which the tick was lived.
          moment: that it led to.
          seconds: that it took to compute.
        """
        # All ticks cost the same; what one of them took longer, somebody else computed meanwhile. Counted as well, it
        # would have those who share a processor write the more snapshots the busier that is.
        self._fastest = min(self._fastest, seconds)
        self._ticks += 1
        if self._seconds < SNAPSHOT_SECONDS or self._ticks < SNAPSHOT_TICKS:
            return
        if self._archive.has_room:
            self.keep(branch, moment)
        else:
            self._overdue += 1

    def keep(self, branch: str, moment: Moment) -> None:
        """Keeps a state, unless it has been kept or there is no room for it.

        Nor is one kept that something was done to: a snapshot is of a tick as it came, and the log has the rest.
        """
        if not self._ticks or moment.done or not self._archive.has_room:
            return
        if self._overdue * self._fastest > GAP_SECONDS:
            self._archive.report(
                f"The disk was behind: the {self._ticks} ticks before tick {moment.tick} of '{branch}' have no "
                f"snapshot, and the first rewind to one of them may take {self._seconds:.1f} s."
            )
        self._archive.add_snapshot(branch, moment.tick, to_leaves(moment.state, moment.frame))
        self.restart()

    @property
    def _seconds(self) -> float:
        """What the ticks counted take to compute again."""
        return self._ticks * self._fastest if self._ticks else 0.0
