"""How a session is doing."""

import dataclasses
import enum
from typing import Self

from oyster_jax.core.state import Status


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

    @classmethod
    def of(
        cls, place: str, *, closed: bool, paused: bool, ended: bool, trouble: str | None, world: Status | None
    ) -> Self:
        """Returns the status of a session.

        Args:
          place: where it is.
          closed: whether it is.
          paused: whether it is.
          ended: whether its time is used up.
          trouble: why its log cannot be written, None if it can.
          world: the status of its world, where that has been computed.
        """
        phase = Phase.CLOSED if closed else Phase.PAUSED if paused else Phase.ENDED if ended else Phase.RUNNING
        if closed:
            trouble = None
        elif phase is Phase.RUNNING and trouble is None and world:
            trouble = world.sentence
        return cls(phase=phase, sentence=" ".join(filter(None, [phase.sentence(place), trouble])))
