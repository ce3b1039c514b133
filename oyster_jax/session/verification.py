"""Whether a session, lived again from its log, looks as it did: bit for bit, or how nearly."""

import dataclasses
from collections.abc import Callable

import numpy as np

from oyster_jax.session.branch import frame_digest
from oyster_jax.session.moment import Moment
from oyster_jax.session.replayer import Replayer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verification:
    """What a replay of one branch found.

    Attributes:
      branch: which; its own ticks only.
      ticks: that were lived again.
      equal: of these, how many frames had the digest that the log says.
      snapshots: that were on the way and could be read.
      worst: largest difference of a pixel at a snapshot from the replay that began at the one before, 0 to 255.
      first: the first tick whose frame differed, None if none did.
      done: interventions that were done again.
      alike: of these, how many frames had the digest that the log says.
    """

    branch: str
    ticks: int
    equal: int
    snapshots: int
    worst: int
    first: int | None
    done: int = 0
    alike: int = 0

    @property
    def exact(self) -> bool:
        """Whether every frame and every snapshot came out bit for bit."""
        return self.equal == self.ticks and self.worst == 0 and self.alike == self.done

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        if self.exact:
            return (
                f"{self.branch}: bit for bit; {self.ticks} frames have the digest that they were seen with, and "
                f"{self.snapshots} snapshots equal the replay{self._interventions}."
            )
        return (
            f"{self.branch}: within a tolerance only; {self.equal} of {self.ticks} frames are equal bit for bit, the "
            f"first that differs is that of tick {self.first}; from one snapshot to the next no pixel moved by more "
            f"than {self.worst} of 255, over {self.snapshots} snapshots{self._interventions}."
        )

    @property
    def _interventions(self) -> str:
        return f"; {self.alike} of {self.done} interventions look as they did" if self.done else ""


def verify(
    replayer: Replayer, branch: str, watch: Callable[[int], None] = lambda _: None, *, start: int | None = None
) -> Verification:
    """Lives the ticks of one branch again and compares; where a snapshot differs the replay goes on from the snapshot.

    The ticks before the branch are its parent's: verify that too.

    Args:
      replayer: of the session.
      branch: which.
      watch: told of every tick.
      start: the tick to begin behind, found as a rewind finds it; the beginning of the branch unless given.

    Raises:
      SessionError: there is no such branch, or it cannot be computed.
    """
    line = replayer.archive.branch(branch)
    start = line.at if start is None else max(start, line.at)
    # Not by a snapshot of tick 0, which the beginning is to be compared with.
    moment = replayer.begin() if start == 0 else replayer.came(branch, start)
    kept = set(replayer.archive.snapshots.ticks(branch))
    equal, worst, read, first, done, alike = 0, 0, 0, None, 0, 0

    def redo(moment: Moment) -> Moment:
        nonlocal done, alike
        for intervention in replayer.interventions(branch, moment.tick):
            moment = replayer.redo(moment, intervention)
            done, alike = done + 1, alike + (frame_digest(moment.frame).hex() == intervention.digest)
        return moment

    for action in line.actions(start, line.end):
        moment = replayer.next(redo(moment), int(action))
        if frame_digest(moment.frame) == line.digest(moment.tick):
            equal += 1
        elif first is None:
            first = moment.tick
        if moment.tick in kept and (snapshot := replayer.snapshot(branch, moment.tick)) is not None:
            read += 1
            worst = max(worst, _difference(moment, snapshot))
            moment = snapshot
        watch(moment.tick)
    redo(moment)
    return Verification(
        branch=branch, ticks=line.end - start, equal=equal, snapshots=read, worst=worst, first=first, done=done,
        alike=alike,
    )  # fmt: skip


def _difference(one: Moment, other: Moment) -> int:
    return int(np.abs(one.frame.astype(np.int16) - other.frame.astype(np.int16)).max())
