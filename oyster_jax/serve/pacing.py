"""When ticks are due, and how many frames may be on their way to a client.

A socket takes far more than a client can show, and `await send()` is no back-pressure: the age of what a slow client
saw grew to seconds. So clients acknowledge what they have drawn, and no more is under way than their link needs.
"""

import collections
import math

#: Frames that may be under way, at least and at most.
SMALLEST, LARGEST = 2, 16
#: Seconds over which the shortest round trip is looked for: links change.
MEMORY = 10.0
#: Seconds over which the frames that a client draws are counted.
LATELY = 1.0


class Pace:
    """The clock of one session.

    Attributes:
      due: when the next tick is due, in seconds of `time.monotonic`.
      period: seconds from one tick to the next.
    """

    def __init__(self, rate: float, now: float):
        self.period, self.due = 1 / rate, now

    def change(self, rate: float, now: float) -> None:
        """Sets another number of ticks a second; the next tick comes no later than that says."""
        self.period = 1 / rate
        self.due = min(self.due, now + self.period)

    def restart(self, now: float) -> None:
        """Begins to count now, as after a pause."""
        self.due = now

    def ticked(self, now: float) -> bool:
        """Notes that a tick is done; returns whether it was before the next one is due.

        What came late is not made up for by more than one tick: the world would rush.
        """
        self.due += self.period
        if now <= self.due:
            return True
        self.due = now
        return False


class Window:
    """How many frames may be on their way to a client that acknowledges them, so that what it draws is fresh.

    As many as the link needs to be always in use, and one: the shortest round trip of the last seconds times the frames
    a second, or those of them that the client draws where these are fewer. Frames that wait anywhere make the round
    trip longer, but not the shortest one.

    Args:
      rate: frames a second.
    """

    def __init__(self, rate: float):
        self.rate = rate
        self._under_way: collections.OrderedDict[int, float] = collections.OrderedDict()
        # The shortest round trips of this stretch of `MEMORY` seconds and of the one before, and when this one began.
        self._shortest, self._before, self._began = math.inf, math.inf, 0.0
        # When acknowledgements came in lately.
        self._drawn: collections.deque[float] = collections.deque()

    @property
    def round_trip(self) -> float | None:
        """The shortest round trip of late, in seconds; None before the first acknowledgement."""
        shortest = min(self._shortest, self._before)
        return None if math.isinf(shortest) else shortest

    @property
    def size(self) -> int:
        """How many frames may be under way."""
        trip = self.round_trip
        if trip is None:
            return SMALLEST
        return min(max(math.ceil(trip * min(self.rate, self._drawing)) + 1, SMALLEST), LARGEST)

    @property
    def _drawing(self) -> float:
        """Frames that the client draws a second; infinite as long as that is not known."""
        span = self._drawn[-1] - self._drawn[0] if self._drawn else 0.0
        return (len(self._drawn) - 1) / span if span > LATELY / 2 else math.inf

    @property
    def under_way(self) -> int:
        """How many frames are."""
        return len(self._under_way)

    @property
    def has_room(self) -> bool:
        """Whether one more may be sent."""
        return len(self._under_way) < self.size

    def sent(self, frame: int, now: float) -> None:
        """Notes that a frame goes out; their numbers ascend."""
        self._under_way[frame] = now

    def acknowledged(self, frame: int, now: float) -> float | None:
        """Notes that a frame, and with it all before, has been drawn.

        Returns:
          Its round trip in seconds, None if no such frame is under way.
        """
        if frame not in self._under_way:
            return None
        trip = now - self._under_way[frame]
        self._drawn.append(now)
        while self._drawn[0] < now - LATELY:
            self._drawn.popleft()
        while self._under_way and next(iter(self._under_way)) <= frame:
            self._under_way.popitem(last=False)
        if now - self._began > MEMORY:
            self._before, self._shortest, self._began = self._shortest, math.inf, now
        self._shortest = min(self._shortest, trip)
        return trip
