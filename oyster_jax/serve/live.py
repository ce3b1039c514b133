"""A session that is served: who plays it, who watches, what is held, and what may be done with it.

All of this lives on the event loop; only what computes or writes runs elsewhere, on the engine's thread while the
engine has it and on the pool's while something is changed, never both at once.
"""

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from oyster_jax.serve.engine import Engine, Ticked
from oyster_jax.serve.errors import Refusal
from oyster_jax.serve.limits import Limits
from oyster_jax.serve.pacing import Pace
from oyster_jax.serve.protocol import CLOSE_GONE, CLOSE_REPLACED, Event, Flag, Input, StatusEvent, TimelineEvent
from oyster_jax.serve.resources import BranchLine, Status
from oyster_jax.serve.shown import Shown, branch_lines
from oyster_jax.serve.stage import Stage
from oyster_jax.session.errors import SessionEndedError
from oyster_jax.worlds.inside import rest
from oyster_jax.worlds.session import Session

if TYPE_CHECKING:
    from oyster_jax.serve.telling import Telling

type Role = Literal["player", "spectator"]


@runtime_checkable
class Watcher(Protocol):
    """A client of a session; `stream.Stream` is one."""

    @property
    def role(self) -> Role:
        """Whether it plays."""
        ...

    def show(self, shown: Shown) -> None:
        """Takes a frame."""
        ...

    def tell(self, event: Event) -> None:
        """Takes an event."""
        ...

    def end(self, code: int, name: str, message: str) -> None:
        """Ends the stream, with a code for programs and a sentence for people."""
        ...


class Live:
    """A session in memory.

    Args:
      identity: of the session.
      session: on the branch that is played.
      stage: the world.
      engine: that steps it.
      pool: of threads for what takes time.
      limits: of the server.

    Attributes:
      id: of the session.
      stage: the world.
      lanes: the sessions that are stepped: the one that is played, and the one beside it if there is one. Changed only
        within `change`.
      factor: of the world's own ticks a second.
      halted: whether the player has paused.
      used: when it was last watched, in seconds of `time.monotonic`.
      telling: the story that is told, which then steps it in the engine's place.
    """

    def __init__(
        self,
        identity: str,
        session: Session,
        stage: Stage,
        *,
        engine: Engine,
        pool: Executor,
        limits: Limits,
    ):
        self.id, self.stage, self.factor, self.halted = identity, stage, 1.0, False
        self.used = time.monotonic()
        self.telling: Telling | None = None
        self._engine, self._pool, self._limits = engine, pool, limits
        self.lanes = [session]
        self._last: dict[int, Shown] = {}
        self._player: Watcher | None = None
        self._watchers: set[Watcher] = set()
        # What is held now, and what was at any moment since the last tick: a tap may be shorter than one.
        self._held: frozenset[str] = frozenset()
        self._tapped: frozenset[str] = frozenset()
        # Of the newest input: the player's own time, and when it came in if no tick has used it.
        self._at, self._arrived = math.nan, None
        # Of the newest that a tick has used: the player's own time, and how long it waited.
        self._used, self._waited = math.nan, 0.0
        self._pace = Pace(self.rate, time.monotonic())
        self._closed, self._trouble = False, ""
        self._lock, self._idle, self._changing = asyncio.Lock(), asyncio.Event(), 0
        self._idle.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = {line.name: line.number for line in self.branches}

    @property
    def session(self) -> Session:
        """The session on the branch that is played."""
        return self.lanes[0]

    @property
    def rate(self) -> float:
        """Ticks a second."""
        return self.factor * self.stage.world.spec.frame.rate

    @property
    def due(self) -> float | None:
        """When the next tick is due, None while none is."""
        return None if self._changing or self.telling or not self.is_running else self._pace.due

    @property
    def is_running(self) -> bool:
        """Whether the clock runs."""
        return self._player is not None and not self.halted

    @property
    def action(self) -> int:
        """The action that the held buttons make."""
        return self.stage.action(self._held)

    @property
    def ended(self) -> bool:
        """Whether the session has reached its duration."""
        return self.session.remaining <= 0

    @property
    def is_watched(self) -> bool:
        """Whether anybody is there."""
        return bool(self._watchers)

    @property
    def lag(self) -> int:
        """Ticks that are not on the disk yet."""
        return 0 if self._closed else self.session.ticks - self.session.durable

    def press(self, message: Input) -> None:
        """Takes what the player holds."""
        self._held, self._at, self._arrived = frozenset(message.held), message.at, time.monotonic()
        self._tapped |= self._held

    def begin(self, now: float) -> int:
        """Reads the input and returns the action; until `end`, the lanes are the engine's."""
        self._idle.clear()
        if self._arrived is not None:
            self._waited, self._arrived = 1000 * (now - self._arrived), None
            self._used = self._at
        action = self.stage.action(self._held | self._tapped)
        self._tapped = frozenset()
        return action

    def end(self, ticked: list[Ticked], now: float) -> bool:
        """Shows what has become of the lanes; returns whether that was in time."""
        self._idle.set()
        in_time = self._pace.ticked(now)
        failed = False
        for lane, tick in enumerate(ticked):
            if tick.frame is not None:
                self.show(lane, tick, Flag(0))
            elif not isinstance(tick.error, SessionEndedError):
                self._trouble, failed = str(tick.error), True
        if failed or self.ended:
            self.halted = self.halted or failed
            self._engine.leave(self)
            self.tell_status()
        return in_time

    async def attach(self, watcher: Watcher) -> None:
        """Lets a client in and shows it where the session is; a player takes the place of the one before.

        Raises:
          Refusal: the server is full, or too many watch.
        """
        if watcher.role == "player":
            self._engine.check(self, self.rate, len(self.lanes))
            if self._player is not None:
                self._player.end(CLOSE_REPLACED, "replaced", "The session is played from somewhere else now.")
                self._watchers.discard(self._player)
            self._release()
            self._player = watcher
        elif sum(one.role == "spectator" for one in self._watchers) >= self._limits.spectators:
            raise Refusal(429, "too_many_spectators", f"{self._limits.spectators} watch this session already.")
        self._watchers.add(watcher)
        if not self._last:
            await self.arrived()
        else:
            for shown in self._last.values():
                watcher.show(shown)
        if self.telling is not None:
            watcher.tell(self.telling.event)
        if watcher.role == "player" and not self.halted:
            await self.go()
        self.tell_status()

    def detach(self, watcher: Watcher) -> None:
        """Lets a client go; without its player the session pauses, and nothing stays held."""
        self._watchers.discard(watcher)
        self.used = time.monotonic()
        if watcher is self._player:
            self._player = None
            self._release()
            self._engine.leave(self)
            task = asyncio.get_running_loop().create_task(self.change(self._rest))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.tell_status()

    async def halt(self) -> None:
        """Stops the clock until `go`."""
        self.halted = True
        self._engine.leave(self)
        await self.change(self._rest)

    async def go(self) -> None:
        """Lets the clock run, if there is a player and time left.

        Raises:
          Refusal: the server is full.
        """
        self._engine.check(self, self.rate, len(self.lanes))
        self.halted, self._trouble = False, ""
        if self._player is None or self.ended:
            return

        def resume() -> None:
            for session in self.lanes:
                session.resume()

        await self.change(resume)
        if self._player is not None and not self.halted:
            self._pace.restart(time.monotonic())
            self._engine.join(self)

    def set_rate(self, factor: float) -> None:
        """Sets the ticks a second, as a multiple of the world's own.

        Raises:
          Refusal: the server cannot carry that.
        """
        self._engine.check(self, factor * self.stage.world.spec.frame.rate, len(self.lanes))
        self.factor = factor
        self._pace.change(self.rate, time.monotonic())
        self._engine.wake()

    async def change(self, function: Callable[[], object]) -> None:
        """Runs a function that uses the lanes, on a thread of the pool, while the engine has none of them."""
        self._changing += 1
        try:
            async with self._lock:
                await self._idle.wait()
                await asyncio.get_running_loop().run_in_executor(self._pool, function)
        finally:
            self._changing -= 1
            self._engine.wake()

    async def arrived(self) -> Status:
        """Shows every lane where it now is, and tells how the session is doing."""
        shown: list[Ticked] = []

        def look() -> None:
            shown.extend(
                Ticked(frame=session.frame, readouts=session.readouts, error=None, began=time.monotonic(), seconds=0.0)
                for session in self.lanes
            )

        await self.change(look)
        for lane, ticked in enumerate(shown[: len(self.lanes)]):
            self.show(lane, ticked, Flag.JUMPED)
        return self.tell_status()

    def tell_status(self) -> Status:
        """Tells all who watch how the session is doing."""
        status = self.status
        self.tell(StatusEvent(status=status))
        return status

    def tell_timeline(self) -> None:
        """Tells all who watch which branches and labels there are."""
        branches = self.branches
        self._numbers = {line.name: line.number for line in branches}
        self.tell(TimelineEvent(branches=branches))

    async def close(self, message: str = "The session was closed.", code: int = CLOSE_GONE) -> None:
        """Ends all streams and the story, and puts the session on the disk."""
        if self.telling is not None:
            await self.telling.stop()
        self._engine.leave(self)
        for watcher in self._watchers:
            watcher.end(code, "closed", message)
        self._watchers.clear()
        self._player, self._closed = None, True

        def close() -> None:
            for session in reversed(self.lanes):
                session.close()

        await self.change(close)

    @property
    def compared(self) -> str | None:
        """The branch that runs beside the one that is played."""
        return self.lanes[1].branch_name if len(self.lanes) > 1 else None

    @property
    def status(self) -> Status:
        """How it is doing."""
        session = self.session
        phase = "ended" if self.ended else "running" if self.is_running else "paused"
        sentence = self._trouble or _SENTENCES[phase]
        return Status(
            phase=phase,
            sentence=sentence,
            branch=session.branch_name,
            number=self._numbers.get(session.branch_name, 0),
            tick=session.tick,
            ticks=session.ticks,
            rate=self.factor,
            remaining=session.remaining,
            duration=session.max_duration,
            compared=self.compared,
            players=int(self._player is not None),
            spectators=sum(one.role == "spectator" for one in self._watchers),
        )

    @property
    def branches(self) -> list[BranchLine]:
        """The timeline, as it is told."""
        return branch_lines(self.session.timeline())

    def show(self, lane: int, ticked: Ticked, flags: Flag) -> None:
        """Shows all who watch what has become of a lane, which is where its session now is."""
        if ticked.frame is None:
            return
        session = self.lanes[lane]
        if session.branch_name not in self._numbers:
            self.tell_timeline()
            self.tell_status()
        terminal = float(ticked.readouts.get("terminal", 0.0)) > 0.5
        shown = Shown(
            lane=lane,
            branch=self._numbers[session.branch_name],
            tick=session.tick,
            durable=min(session.durable, session.tick),
            flags=flags
            | (Flag(0) if self.is_running else Flag.PAUSED)
            | (Flag.ENDED if session.remaining <= 0 else Flag(0))
            | (Flag.TERMINAL if terminal else Flag(0)),
            frame=ticked.frame,
            readouts=ticked.readouts,
            echo=self._used,
            waited=self._waited,
            began=ticked.began,
            step=1000 * ticked.seconds,
            remaining=session.remaining,
        )
        self._last[lane] = shown
        for watcher in self._watchers:
            watcher.show(shown)

    def tell(self, event: Event) -> None:
        """Tells all who watch something."""
        for watcher in self._watchers:
            watcher.tell(event)

    def _release(self) -> None:
        self._held = self._tapped = frozenset()
        self._at, self._arrived = math.nan, None
        self._used, self._waited = math.nan, 0.0

    def _rest(self) -> None:
        """Stops the sessions' own clocks, unless somebody plays again."""
        if not self._closed and not self.is_running:
            for session in self.lanes:
                rest(session)


_SENTENCES = {
    "running": "The session is running.",
    "paused": "The session is paused; resume it to go on.",
    "ended": "The session has lived as long as it was meant to; extend it, or go back and live on from there.",
}
