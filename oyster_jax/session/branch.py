"""One line of a session's life: which ticks it has lived, under which actions, and what it looked like."""

import array
import bisect
import dataclasses
import hashlib
import json
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.session.errors import SessionError
from oyster_jax.session.intervention import INTERVENTION, Intervention
from oyster_jax.session.log import MAX_PAYLOAD, Entry, LogContent, read_log

#: Kinds of entries of a log.
TICK, EVENT = 1, 2
#: Bytes of a frame's digest.
DIGEST_BYTES = 8
#: The digest of a frame that nobody has computed yet.
UNKNOWN = bytes(DIGEST_BYTES)
_TICK = struct.Struct(f"<Iid{DIGEST_BYTES}s")

#: The branch that a session begins with.
MAIN = "main"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a branch beside its ticks.

    Attributes:
      kind: `label`, `opened`, `paused`, `resumed`, `extended`, `left` (others stayed on other branches) or `closed`.
      tick: at which tick.
      text: what it says.
      time: when, in seconds of the Unix epoch.
    """

    kind: str
    tick: int
    text: str
    time: float

    def entry(self) -> Entry:
        """Returns the entry that stands for it in a log.

        Raises:
          SessionError: its text is none, or too long.
        """
        try:
            payload = json.dumps(dataclasses.asdict(self), ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise SessionError(f"The text {self.text[:40]!r} holds half a character; give it whole ones.") from error
        if len(payload) > MAX_PAYLOAD:
            raise SessionError(f"A text of {len(self.text)} characters is too long for the log; shorten it.")
        return Entry(kind=EVENT, payload=payload)


def is_plain(name: str) -> bool:
    """Returns whether a branch may have a name: of letters, digits, - and _."""
    return name.replace("-", "").replace("_", "").isalnum()


def frame_digest(frame: np.ndarray) -> bytes:
    """Returns the first `DIGEST_BYTES` bytes of the BLAKE2b digest of a frame's bytes."""
    return hashlib.blake2b(np.ascontiguousarray(frame).data, digest_size=DIGEST_BYTES).digest()


def tick_entry(tick: int, action: int, lived: float, digest: bytes) -> Entry:
    """Returns the entry of a log for one tick; see `Branch` for what it holds."""
    return Entry(kind=TICK, payload=_TICK.pack(tick, action, lived, digest))


class Branch:
    """A branch: where it left its parent, and every tick since. Columns are packed, 20 bytes a tick.

    Attributes:
      name: of the branch and of its folder.
      parent: the branch that it left, None for the first.
      at: the tick of the parent that its first action was taken in; 0 for the first branch.
      created: when, in seconds of the Unix epoch.
      after: how many of the parent's interventions came before it left.
      events: all of them, in order.
      interventions: of its own, in order.
    """

    def __init__(self, *, name: str, parent: str | None, at: int, created: float, after: int = 0):
        self.name, self.parent, self.at, self.created, self.after = name, parent, at, created, after
        self.events: list[Event] = []
        self.interventions: list[Intervention] = []
        self._actions = array.array("i")
        self._lived = array.array("d")
        self._digests = bytearray()

    @property
    def end(self) -> int:
        """The last tick that was lived on it."""
        return self.at + len(self._actions)

    def read(self, folder: Path, identity: str) -> LogContent:
        """Takes in what its log holds, and returns that.

        Args:
          folder: of the branch.
          identity: of session and branch.

        Raises:
          SessionError: an entry does not follow the one before, or is of an unknown kind.
        """
        log = read_log(folder, identity)
        try:
            for entry in log.entries:
                self._take(entry)
        except (ValueError, TypeError, struct.error) as error:
            raise SessionError(f"The log in {folder} is not one that this Oyster writes ({error}).") from error
        return log

    def add(self, action: int, lived: float, digest: bytes = UNKNOWN) -> None:
        """Lives one tick.

        Args:
          action: its id.
          lived: seconds that the session had been running for.
          digest: of the frame that the tick led to; `note_digest` may give it later.
        """
        self._actions.append(action)
        self._lived.append(lived)
        self._digests += digest

    def note_digest(self, tick: int, digest: bytes) -> None:
        """Notes what the frame of `tick` looked like."""
        begin = (tick - self.at - 1) * DIGEST_BYTES
        self._digests[begin : begin + DIGEST_BYTES] = digest

    def interventions_before(self, tick: int) -> int:
        """Returns how many of its interventions came before `tick` did."""
        return bisect.bisect_left(self.interventions, tick, key=lambda intervention: intervention.tick)

    def leaves(self, parent: "Branch | None") -> bool:
        """Returns whether its parent has come as far as it must have; the first branch has none."""
        if parent is None:
            return self.parent is None
        return self.at <= parent.end and self.after <= len(parent.interventions)

    def actions(self, start: int, stop: int) -> np.ndarray:
        """Returns the actions, int32, that led from tick `start` to tick `stop`, both of this branch."""
        return np.asarray(self._actions[start - self.at : stop - self.at], np.int32)

    def digest(self, tick: int) -> bytes:
        """Returns the digest of the frame of `tick`, one of this branch's own."""
        begin = (tick - self.at - 1) * DIGEST_BYTES
        return bytes(self._digests[begin : begin + DIGEST_BYTES])

    def lived(self, tick: int) -> float | None:
        """Returns the seconds that the session had been running for at `tick`; None if that is not one of its own."""
        return self._lived[tick - self.at - 1] if self.at < tick <= self.end else None

    def to_json(self) -> dict[str, Any]:
        """Returns what its document says."""
        document = {"name": self.name, "parent": self.parent, "at": self.at, "created": self.created}
        # Left out where there are none, so that older versions read what they can.
        return document | ({"after": self.after} if self.after else {})

    def _take(self, entry: Entry) -> None:
        if entry.kind == TICK:
            tick, action, lived, digest = _TICK.unpack(entry.payload)
            if tick != self.end + 1:
                raise ValueError(f"tick {tick} follows tick {self.end}")
            self.add(action, lived, digest)
        elif entry.kind == EVENT:
            self.events.append(Event(**json.loads(entry.payload)))
        elif entry.kind == INTERVENTION:
            intervention = Intervention.read(entry.payload)
            if intervention.tick != self.end:
                raise ValueError(f"an intervention at tick {intervention.tick} follows tick {self.end}")
            self.interventions.append(intervention)
        else:
            raise ValueError(f"an entry is of the unknown kind {entry.kind}")


def latest_of(branches: Collection[Branch]) -> Branch:
    """Returns the branch on which the last tick was lived."""
    return max(branches, key=lambda branch: (branch.lived(branch.end) or 0.0, branch.created))


def left_at(branches: Collection[Branch]) -> tuple[str, int]:
    """Returns branch and tick at which a session was closed; where it was not, the newest that was lived."""
    events = [(event, branch.name) for branch in branches for event in branch.events]
    event, name = max(events, key=lambda found: found[0].time, default=(None, ""))
    if event is not None and event.kind == "closed":
        return name, event.tick
    latest = latest_of(branches)
    return latest.name, latest.end
