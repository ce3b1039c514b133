"""How a session is doing."""

import dataclasses
import enum


class Phase(enum.Enum):
    """What a session is doing."""

    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"
    CLOSED = "closed"

    def sentence(self, place: str) -> str:
        """Returns what it means, for people, with where the session is."""
        return _SENTENCES[self].format(place=place)


_SENTENCES = {
    Phase.RUNNING: "The session is running, {place}.",
    Phase.PAUSED: "The session is paused, {place}; resume it to go on.",
    Phase.ENDED: "The session has lived as long as it was meant to, {place}; extend it or rewind.",
    Phase.CLOSED: "The session is closed, {place}; open it again to go on.",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SessionStatus:
    """How a session is doing.

    Attributes:
      phase: what it is doing.
      sentence: the same for people, with what troubles it.
    """

    phase: Phase
    sentence: str
