"""Several sessions of one world stepped at once, which costs less than one after the other.

An accelerator computes them as one batch. Sessions come and go, and a program is compiled for a number of worlds; so
there are programs for a few numbers, and those that are due are shared out among them. What a session shows must not
depend on who else plays: a program is used only if every bit of what it computes equals the single tick, which is tried
when it is compiled. A processor computes one tick on each of its cores, every one by itself: by `tools/bench together`,
two cores need 2.0 ms a tick of coinrun, where one after the other takes 4.9 ms and a batch of two 4.1 ms a tick; four
together would take 3.2, but come out in other bits.
"""

import dataclasses
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.state import Status, WorldState
from oyster_jax.evaluate.machine import cores
from oyster_jax.session.errors import SessionError
from oyster_jax.session.moment import Moment
from oyster_jax.worlds.inside import ready, take
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.world import World

#: Numbers of worlds that programs are compiled for on an accelerator.
SIZES = (1, 2, 4, 8, 16)
#: Cores that a processor's ticks are spread over, at most.
CORES = 16
#: Seconds of a core that a tick takes beside itself: its picture, sockets, log and snapshots share a processor with it.
#: So much that whom `tools/bench players` finds admitted have their ticks in time: 15 players where 16 are carried.
REST = 0.0032
#: Ticks that a program is compared over with the single tick, and that it is measured over.
TRIALS, MEASURED = 6, 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stepped:
    """What became of one session's tick.

    Attributes:
      frame: uint8 `[height, width, 3]`, None if there was no tick.
      seconds: that it took to compute, together with those beside it.
      error: why there was no tick, or None.
    """

    frame: np.ndarray | None
    seconds: float
    error: SessionError | None = None


class Together:
    """Steps sessions of one world; from several threads at once, as long as no session is in two.

    Args:
      world: that all of them live in.

    Attributes:
      sizes: of batches that may pay on this device, ascending.
      workers: how many calls at once pay on this device.
      seconds: that a call of each size takes while `workers` are under way, as measured when it was compiled, so that
        `workers` calls are done in that time; those that are ready.
      unequal: sizes whose program does not compute the single tick's bits, and so is never used.
    """

    def __init__(self, world: World):
        self.world = world
        on_cores = jax.default_backend() == "cpu"
        self.sizes = (1,) if on_cores else SIZES
        # One more than cores: none of them idles while Python notes what became of a tick.
        self.workers = min(threads() + 1, CORES) if on_cores and threads() > 1 else 1
        self._rest = REST / threads() if on_cores else 0.0
        self.seconds: dict[int, float] = {}
        self.unequal: set[int] = set()
        self._batches = threading.Lock()
        self._spare: list[WorldState] = []

    def prepare(self, size: int) -> bool:
        """Compiles the program for `size` worlds and compares it with single ticks; returns whether it may be used."""
        equal = size == 1 or self._equals_singles(size)
        if equal:
            self.measure(size)
            start = threading.Barrier(self.workers)
            with ThreadPoolExecutor(self.workers) as pool:
                ended = np.stack(list(pool.map(lambda _: self._live(size, start), range(self.workers))))
            # Of all of them together: which waits for which is for the processor to say.
            took = float(ended[:, -1].max() - ended[:, 0].min()) / MEASURED
            # Measured again, it may be beside something else.
            self.seconds[size] = min(took, self.seconds.get(size, took))
        else:
            self.unequal.add(size)
        return equal

    def measure(self, size: int) -> float:
        """Returns the median of the seconds that a call for `size` worlds takes by itself, compiling it if need be."""
        return float(np.median(np.diff(self._live(size))[1:]))

    def cost(self, count: int) -> float:
        """Returns the seconds that `count` ticks take of the whole device with all that a server does for them."""
        return self._duration(count) / self.workers + count * self._rest

    def size_for(self, count: int) -> int:
        """Returns for how many worlds the next program is, where `count` ticks are due; fewer may fill it."""
        sizes = sorted(self.seconds)
        fitting = [size for size in sizes if size <= count]
        above = next((size for size in sizes if size > count), None)
        best = fitting[-1] if fitting else sizes[0]
        if above is not None and self.seconds[above] < self.seconds[best] + self._duration(count - best):
            return above
        return best

    def step(self, sessions: Sequence[Session], actions: Sequence[int]) -> list[Stepped]:
        """Lives one tick in each session, no matter how many; what goes wrong in one is told of that one alone.

        Args:
          sessions: of this world, all different.
          actions: the id of an action for each.
        """
        done: dict[int, Stepped] = {}
        waiting: list[tuple[int, Moment]] = []
        for index, (session, action) in enumerate(zip(sessions, actions, strict=True)):
            begin = time.perf_counter()
            try:
                now = ready(session)
                # Another dream begins apart from the others: that is no tick.
                if int(now.state.status) == Status.TERMINAL or len(sessions) == 1:
                    done[index] = Stepped(frame=session.step(action), seconds=time.perf_counter() - begin)
                else:
                    waiting.append((index, now))
            except SessionError as error:
                done[index] = Stepped(frame=None, seconds=0.0, error=error)
        while waiting:
            size = self.size_for(len(waiting))
            batch, waiting = waiting[:size], waiting[size:]
            done |= self._step([(index, sessions[index], actions[index], now) for index, now in batch], size)
        return [done[index] for index in range(len(sessions))]

    def _step(self, batch: list[tuple[int, Session, int, Moment]], size: int) -> dict[int, Stepped]:
        if size == 1:
            index, session, action, _ = batch[0]
            begin = time.perf_counter()
            return {index: Stepped(frame=session.step(action), seconds=time.perf_counter() - begin)}
        begin = time.perf_counter()
        later, frames = self._advance([now.state for *_, now in batch], [action for *_, action, _ in batch], size)
        took = time.perf_counter() - begin
        stepped = {}
        for (index, session, action, now), state, frame in zip(batch, later, frames, strict=True):
            moment = Moment(tick=now.tick + 1, state=state, frame=frame)
            # What a rewind will cost is the single tick.
            take(session, action, moment, self.seconds.get(1, took))
            stepped[index] = Stepped(frame=frame, seconds=took)
        return stepped

    def _advance(
        self, states: list[WorldState], actions: list[int], size: int
    ) -> tuple[list[WorldState], list[np.ndarray]]:
        """Returns states and frames one tick later; the states are used up."""
        missing = size - len(states)
        row = np.asarray(actions + [0] * missing, np.int32)
        with self._batches:
            while len(self._spare) < missing:
                self._spare.append(self.world.reset(len(self._spare)))
            later, frames = self.world.ticks(size)(states + self._spare[:missing], row)
            # What fills the places that nobody needs is used up as the others are.
            self._spare[:missing] = later[len(states) :]
        return later[: len(states)], list(np.array(frames)[: len(states)])

    def _duration(self, count: int) -> float:
        """Returns the seconds of `count` ticks, shared out at best, one call after the other."""
        if count <= 0 or not self.seconds:
            return 0.0
        size = self.size_for(count)
        return self.seconds[size] + self._duration(count - size)

    def _live(self, size: int, start: threading.Barrier | None = None) -> np.ndarray:
        """Makes calls for `size` worlds; returns when they began and when each had ended, float64 `[MEASURED + 1]`."""
        states = [self.world.reset(seed) for seed in range(size)]
        if start is not None:
            start.wait()
        ended = [time.perf_counter()]
        for row in self._actions(size, MEASURED):
            if size == 1:
                states = [self.world.tick(states[0], int(row[0]), donate=True)[0]]
            else:
                states, _ = self.world.ticks(size)(states, row)
            jax.block_until_ready(states)
            ended.append(time.perf_counter())
        return np.asarray(ended)

    def _equals_singles(self, size: int) -> bool:
        world, program = self.world, self.world.ticks(size)
        alone = [world.reset(seed) for seed in range(size)]
        together = [jax.tree.map(lambda leaf: leaf.copy(), state) for state in alone]
        equal = True
        for row in self._actions(size, TRIALS):
            singles = [world.tick(state, int(action), donate=True) for state, action in zip(alone, row, strict=True)]
            alone = [state for state, _ in singles]
            together, frames = program(together, row)
            equal &= _equal(alone, together)
            equal &= all(
                np.array_equal(frame, single) for frame, (_, single) in zip(np.asarray(frames), singles, strict=True)
            )
        return equal

    def _actions(self, size: int, ticks: int) -> np.ndarray:
        """Returns actions to try a program with, int32 `[ticks, size]`."""
        count = self.world.spec.action.count
        return np.random.default_rng(size).integers(count, size=(ticks, size)).astype(np.int32)


def threads() -> int:
    """Returns how many threads XLA computes with on a processor."""
    return int(os.environ.get("NPROC") or cores())


def _equal(one: list[WorldState], other: list[WorldState]) -> bool:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(np.asarray(_words(a)), np.asarray(_words(b)), equal_nan=_is_float(a)) for a, b in pairs)


def _words(leaf: jax.Array) -> jax.Array:
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _is_float(leaf: jax.Array) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jnp.floating))
