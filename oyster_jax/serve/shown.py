"""A frame, and the timeline, on their way to those who watch."""

import dataclasses
import functools
import time

import numpy as np

from oyster_jax.serve.pictures import jpeg
from oyster_jax.serve.protocol import Flag, FrameHeader, Kind, ReadoutsEvent
from oyster_jax.serve.resources import BranchLine, DoneLine, LabelLine
from oyster_jax.session.timeline import Timeline

#: Entities of less probability are not told.
_PROBABLE = 0.3


def branch_lines(timeline: Timeline) -> list[BranchLine]:
    """Returns a timeline as it is told."""
    return [
        BranchLine(
            number=number,
            name=line.name,
            parent=line.parent,
            at=line.at,
            end=line.end,
            created=line.created,
            labels=[LabelLine(tick=label.tick, text=label.text) for label in line.labels],
            done=[DoneLine(tick=one.tick, kind=one.kind, text=one.text) for one in line.interventions],
        )
        for number, line in enumerate(timeline.branches)
    ]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """What one lane shows at one tick, the same for all who watch.

    Attributes:
      lane: 0 for the branch that is played, 1 for the one beside it.
      branch: its number.
      tick: of the branch.
      durable: the last tick of the branch that no crash can take back.
      flags: what is particular to it.
      frame: uint8 `[height, width, 3]`.
      readouts: of the world's heads at this tick.
      echo: the player's own time of the newest input, ms; NaN before the first.
      waited: ms that this input waited for the tick.
      began: when the tick began, in seconds of `time.monotonic`.
      step: ms that it took to compute.
      remaining: seconds of world time left.
    """

    lane: int
    branch: int
    tick: int
    durable: int
    flags: Flag
    frame: np.ndarray
    readouts: dict[str, np.ndarray]
    echo: float
    waited: float
    began: float
    step: float
    remaining: float

    @functools.cached_property
    def jpeg(self) -> tuple[bytes, float]:
        """The frame as JPEG, and the ms that this took."""
        begin = time.perf_counter()
        data = jpeg(self.frame)
        return data, 1000 * (time.perf_counter() - begin)

    @functools.cached_property
    def event(self) -> ReadoutsEvent:
        """What the heads read, as it is told."""
        said, rows = self.readouts, []
        if "entities" in said:
            table, mask = np.asarray(said["entities"], np.float64), np.asarray(said["entity_mask"], np.float64)
            rows = np.concatenate([table, mask[:, None]], axis=1)[mask > _PROBABLE].round(4).tolist()
        position = np.asarray(said["position"], np.float64).round(3).tolist() if "position" in said else None
        return ReadoutsEvent(
            lane=self.lane,
            branch=self.branch,
            tick=self.tick,
            reward=float(said.get("reward", 0.0)),
            terminal=float(said.get("terminal", 0.0)),
            entities=rows,
            position=position,
        )

    def header(self, kind: Kind, frame: int, dropped: int, encode: float) -> FrameHeader:
        """Returns what stands in front of its picture, number `frame` of a stream."""
        return FrameHeader(
            kind=kind,
            flags=self.flags,
            lane=self.lane,
            frame=frame,
            branch=self.branch,
            tick=self.tick,
            durable=self.durable,
            dropped=dropped,
            echo=self.echo,
            waited=self.waited,
            step=self.step,
            encode=encode,
            server=1000 * (time.monotonic() - self.began),
            reward=float(self.readouts.get("reward", 0.0)),
            terminal=float(self.readouts.get("terminal", 0.0)),
            remaining=self.remaining,
        )
