"""What makes the worlds go on: every tick that is due, several at once, on threads of their own.

Whenever the device can take another call it gets what is due, the earliest first, and as much of it as fits into one
call. So a few players each have their ticks at once, and many share the device without anybody setting how many. An
input is read just before its tick.
"""

import asyncio
import dataclasses
import logging
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

import numpy as np

from oyster_jax.core.model import WorldModel
from oyster_jax.core.state import WorldState
from oyster_jax.serve.errors import full
from oyster_jax.serve.metrics import Metrics
from oyster_jax.serve.stage import Stage
from oyster_jax.session.errors import SessionError
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.together import CORES
from oyster_jax.worlds.world import World

_LOG = logging.getLogger(__name__)

#: Share of the time that ticks may take before the server is full; the rest is for sockets, pictures and the disk.
FULL = 0.85
#: Seconds that a tick nobody plays waits for those that somebody does, at most.
PATIENCE = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ticked:
    """One session's tick, done.

    Attributes:
      frame: uint8 `[height, width, 3]`, None if there was no tick.
      readouts: of the world's heads.
      error: why there was no tick, or None.
      began: when it began, in seconds of `time.monotonic`.
      seconds: that it took.
    """

    frame: np.ndarray | None
    readouts: dict[str, np.ndarray]
    error: SessionError | None
    began: float
    seconds: float


@runtime_checkable
class Played(Protocol):
    """What the engine asks of what is played; `live.Live` is one."""

    @property
    def stage(self) -> Stage:
        """The world that it is played in."""
        ...

    @property
    def due(self) -> float | None:
        """When its next tick is due, in seconds of `time.monotonic`; None if none is."""
        ...

    @property
    def lanes(self) -> Sequence[Session]:
        """The sessions that are stepped at each of its ticks."""
        ...

    @property
    def rate(self) -> float:
        """Ticks a second."""
        ...

    def begin(self, now: float) -> int:
        """Reads the input and returns the action; until `end`, its lanes are the engine's."""
        ...

    def end(self, ticked: list[Ticked], now: float) -> bool:
        """Takes what has become of its lanes; returns whether that was in time."""
        ...


class Engine:
    """Steps all that is played.

    Args:
      metrics: to count in.
      players: that may play at once; as many as the measured speed allows unless given.
    """

    def __init__(self, metrics: Metrics, *, players: int | None = None):
        self._metrics, self._players = metrics, players
        self._played: set[Played] = set()
        self._stepped: set[Played] = set()
        self._calls = 0
        self._wake = asyncio.Event()
        self._threads = ThreadPoolExecutor(CORES, "ticks")
        self._resting = threading.Event()

    @property
    def playing(self) -> int:
        """How many play."""
        return len(self._played)

    @property
    def worlds(self) -> int:
        """How many worlds are stepped."""
        return sum(len(played.lanes) for played in self._played)

    def join(self, played: Played) -> None:
        """Steps it from now on.

        Raises:
          Refusal: the server is full.
        """
        if played not in self._played:
            self.check(played, played.rate, len(played.lanes))
            self._played.add(played)
            self._note()
        self.wake()

    def leave(self, played: Played) -> None:
        """Steps it no more, after the tick that it may be in."""
        self._played.discard(played)
        self._note()

    def check(self, played: Played, rate: float, lanes: int) -> None:
        """Asks whether something may be played so fast and in so many lanes.

        Raises:
          Refusal: the server is full.
        """
        others = [other for other in self._played if other is not played]
        if self._players is not None:
            if len(others) >= self._players:
                raise full()
        elif others and self._load([*others, played], {played: (rate, lanes)}) > FULL:
            raise full()

    def wake(self) -> None:
        """Looks again at what is due."""
        self._wake.set()

    async def run(self) -> None:
        """Steps whatever is due, until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                now = time.monotonic()
                self._wake.clear()
                due = sorted(
                    (at, id(played), played) for played in self._played if (at := self._due(played)) is not None
                )
                if due and due[0][0] <= now and self._calls < due[0][-1].stage.together.workers:
                    chosen = self._choose([played for at, _, played in due if at <= now])
                    tasks.create_task(self._call(chosen, self._begin(chosen, now)))
                    # What has come in meanwhile, acknowledgements above all, must not wait for another call.
                    await asyncio.sleep(0)
                    continue
                timer = None
                if due and due[0][0] > now:
                    timer = asyncio.get_running_loop().call_later(due[0][0] - now, self.wake)
                if not self._calls:
                    self._resting.set()
                await self._wake.wait()
                self._resting.clear()
                if timer is not None:
                    timer.cancel()

    def polite(self, world: World) -> "Polite":
        """Returns a world whose every tick waits until nobody who plays waits for one."""
        return Polite(world=world, resting=self._resting)

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown()

    def _due(self, played: Played) -> float | None:
        return None if played in self._stepped else played.due

    def _choose(self, due: list[Played]) -> list[Played]:
        """Returns those of the first one's world that the next call steps."""
        stage = due[0].stage
        due = [played for played in due if played.stage is stage]
        most = stage.together.size_for(sum(len(played.lanes) for played in due))
        chosen, lanes = due[:1], len(due[0].lanes)
        for played in due[1:]:
            if lanes + len(played.lanes) <= most:
                chosen.append(played)
                lanes += len(played.lanes)
        return chosen

    def _begin(self, chosen: list[Played], now: float) -> list[tuple[Session, int]]:
        """Reads inputs; returns which sessions are stepped, and under which actions."""
        self._calls += 1
        self._stepped.update(chosen)
        return [(session, action) for played in chosen for action in [played.begin(now)] for session in played.lanes]

    async def _call(self, chosen: list[Played], jobs: list[tuple[Session, int]]) -> None:
        stage = chosen[0].stage
        try:
            ticked = await asyncio.get_running_loop().run_in_executor(self._threads, self._step, stage, jobs)
        except Exception as error:  # noqa: BLE001  # Were this task to end, nobody would play any more.
            _LOG.exception("%d ticks failed", len(jobs))
            sentence = f"The tick could not be computed ({type(error).__name__}); rewind to go on."
            ticked = [_failed(sentence) for _ in jobs]
        finally:
            self._calls -= 1
            self._stepped.difference_update(chosen)
            self.wake()
        now = time.monotonic()
        for played in chosen:
            own, ticked = ticked[: len(played.lanes)], ticked[len(played.lanes) :]
            try:
                if not played.end(own, now):
                    self._metrics.late.labels(stage.name).inc()
            except Exception:  # noqa: BLE001  # What is wrong with one must not stop the others.
                _LOG.exception("A session could not be shown")
                self.leave(played)
        self._metrics.ticks.labels(stage.name).inc(len(jobs))
        self._metrics.batch.observe(len(jobs))

    def _step(self, stage: Stage, jobs: list[tuple[Session, int]]) -> list[Ticked]:
        began = time.monotonic()
        stepped = stage.together.step([session for session, _ in jobs], [action for _, action in jobs])
        took = time.monotonic() - began
        self._metrics.step.observe(took)
        return [
            Ticked(
                frame=step.frame,
                readouts=session.readouts if step.frame is not None else {},
                error=step.error,
                began=began,
                seconds=took,
            )
            for (session, _), step in zip(jobs, stepped, strict=True)
        ]

    def _note(self) -> None:
        self._metrics.running.set(len(self._played))
        self._metrics.load.set(self._load(self._played, {}))

    def _load(self, played: Iterable[Played], changed: dict[Played, tuple[float, int]]) -> float:
        """Returns the share of the time that ticks will take, with some rates and lanes changed."""
        load, stages = 0.0, {}
        for one in played:
            rate, lanes = changed.get(one, (one.rate, len(one.lanes)))
            stages.setdefault(one.stage, []).append((rate * lanes, lanes))
        for stage, demands in stages.items():
            worlds = sum(lanes for _, lanes in demands)
            load += sum(rate for rate, _ in demands) * stage.together.cost(worlds) / worlds
        return load


def _failed(sentence: str) -> Ticked:
    return Ticked(frame=None, readouts={}, error=SessionError(sentence), began=time.monotonic(), seconds=0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Polite:
    """A world for whoever computes beside those who play; see `session.replayer.LivingWorld`.

    Attributes:
      world: that it is.
      resting: set while nobody who plays waits for a tick.
    """

    world: World
    resting: threading.Event

    @property
    def model(self) -> WorldModel:
        """The model, without parameters."""
        return self.world.model

    @property
    def params(self) -> Any:
        """Its parameters."""
        return self.world.params

    def reset(self, seed: int = 0, *, key: Any = None) -> WorldState:
        """Dreams a world from nothing."""
        return self.world.reset(seed, key=key)

    def encode(self, frames: np.ndarray | None, actions: Any, seed: int = 0, *, entities: Any = None) -> WorldState:
        """Returns the state of a world in which `frames` have been seen, or that begins as `entities` describes it."""
        return self.world.encode(frames, actions, seed, entities=entities)

    def intervened(self, state: WorldState, kind: str, given: Any, *, lenient: bool = False) -> WorldState:
        """Returns the state after an intervention."""
        return self.world.intervened(state, kind, given, lenient=lenient)

    def tick(self, state: WorldState, action: Any, *, donate: bool = False) -> tuple[WorldState, Any]:
        """Returns the state one tick later and its frame, once there is time for it."""
        self.resting.wait(PATIENCE)
        return self.world.tick(state, action, donate=donate)

    def render(self, state: WorldState) -> np.ndarray:
        """Returns the frame that the state shows."""
        return self.world.render(state)
