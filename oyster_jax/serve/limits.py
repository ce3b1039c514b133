"""How much of everything anybody may have: one number each."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a server, the same for all.

    Attributes:
      message_bytes: of one message over a stream.
      messages: a second, over a stream; more end it. Twice as many may come at once.
      requests: a second, over a stream; more are refused. Twice as many may come at once.
      waiting: requests of a stream that wait for those before.
      body_bytes: of the body of a REST request.
      upload_bytes: of an uploaded picture.
      upload_pixels: of an uploaded picture, told by its header.
      calls: REST requests a second of one owner. Four times as many may come at once.
      heavy: of these, per second, that compute or write (sessions, uploads, recordings). Ten times as many may come at
        once.
      sessions: of one owner that are kept.
      branches: of one session.
      labels: of one session.
      interventions: edits and events, of one session.
      spectators: of one session.
      uploads: of one owner that are kept; older ones go.
      recordings: of one owner that are kept; older ones go.
      recorded_ticks: of one recording.
      connections: of all clients together.
      patience: seconds that a request may take to arrive.
      idle: seconds after which a session that nobody watches is put away; it stays on the disk.
      session_bytes: of the disk, for the snapshots of one session.
      disk_bytes: of the disk, for all; beyond, nothing new begins.
    """

    message_bytes: int = 16 << 10
    messages: float = 200.0
    requests: float = 25.0
    waiting: int = 16
    body_bytes: int = 64 << 10
    upload_bytes: int = 4 << 20
    upload_pixels: int = 16_000_000
    calls: float = 30.0
    heavy: float = 2.0
    sessions: int = 100
    branches: int = 1_000
    labels: int = 1_000
    interventions: int = 1_000
    spectators: int = 8
    uploads: int = 20
    recordings: int = 50
    recorded_ticks: int = 15 * 60 * 10
    connections: int = 512
    patience: float = 10.0
    idle: float = 60.0
    session_bytes: int = 256 << 20
    disk_bytes: int = 20 << 30


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tier:
    """What one kind of owner may have.

    Attributes:
      name: of the tier.
      duration: seconds of world time that a session may last, all extensions included.
      mark: written into the corner of exported clips, nothing if empty.
    """

    name: str
    duration: float = 86_400.0
    mark: str = ""


class Allowance:
    """Lets so many through a second, and so many at once after a rest.

    Args:
      rate: a second.
      burst: at once.
    """

    def __init__(self, rate: float, burst: float):
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, 0.0

    def take(self, now: float) -> bool:
        """Returns whether one more may pass at the time `now`, in seconds."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
