"""Several sessions of one world stepped at once: a batch of ticks costs less than its ticks one after the other.

Sessions come and go, and a program is compiled for a number of worlds. So there are programs for a few numbers, and
those that are due are shared out among them. What a session shows must not depend on who else plays: a program is used
only if every bit of what it computes equals the single tick, which is tried when it is compiled.
"""

import dataclasses
import time
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.state import Status, WorldState
from oyster_jax.session.errors import SessionError
from oyster_jax.session.moment import Moment
from oyster_jax.worlds.inside import ready, take
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.world import World

#: Numbers of worlds that programs are compiled for.
SIZES = (1, 2, 4, 8, 16)
#: Ticks that a program is compared over with the single tick, and measured.
TRIALS = 6


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
    """Steps sessions of one world. Not to be used from two threads at once.

    Args:
      world: that all of them live in.

    Attributes:
      seconds: that a call of each size takes, as measured when it was compiled; those that are ready.
      unequal: sizes whose program does not compute the single tick's bits, and so is never used.
    """

    def __init__(self, world: World):
        self.world = world
        self.seconds: dict[int, float] = {}
        self.unequal: set[int] = set()
        self._spare: list[WorldState] = []

    def prepare(self, size: int) -> bool:
        """Compiles the program for `size` worlds and compares it with single ticks; returns whether it may be used."""
        world = self.world
        actions = np.random.default_rng(size).integers(world.spec.action.count, size=(TRIALS, size)).astype(np.int32)
        alone = [world.reset(seed) for seed in range(size)]
        together = [jax.tree.map(lambda leaf: leaf.copy(), state) for state in alone]
        program = None if size == 1 else world.ticks(size)
        times, equal = [], True
        for row in actions:
            singles = [world.tick(state, int(action), donate=True) for state, action in zip(alone, row, strict=True)]
            jax.block_until_ready(singles)
            alone = [state for state, _ in singles]
            if program is None:
                begin = time.perf_counter()
                together, frames = [world.tick(together[0], int(row[0]), donate=True)[0]], None
                jax.block_until_ready(together)
            else:
                begin = time.perf_counter()
                together, frames = program(together, row)
                jax.block_until_ready((together, frames))
            times.append(time.perf_counter() - begin)
            equal &= _equal(alone, together)
            equal &= frames is None or all(
                np.array_equal(frame, single) for frame, (_, single) in zip(np.asarray(frames), singles, strict=True)
            )
        if equal:
            self.seconds[size] = float(np.median(times[1:]))
        else:
            self.unequal.add(size)
        return equal

    def cost(self, count: int) -> float:
        """Returns the seconds that `count` ticks are expected to take, shared out at best."""
        sizes = sorted(self.seconds)
        if count <= 0 or not sizes:
            return 0.0
        size = self.size_for(count)
        return self.seconds[size] + self.cost(count - size)

    def size_for(self, count: int) -> int:
        """Returns for how many worlds the next program is, where `count` ticks are due; fewer may fill it."""
        sizes = sorted(self.seconds)
        fitting = [size for size in sizes if size <= count]
        above = next((size for size in sizes if size > count), None)
        best = fitting[-1] if fitting else sizes[0]
        if above is not None and self.seconds[above] < self.seconds[best] + self.cost(count - best):
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
        missing = size - len(batch)
        while len(self._spare) < missing:
            self._spare.append(self.world.reset(len(self._spare)))
        states = [now.state for *_, now in batch] + self._spare[:missing]
        row = np.asarray([action for _, _, action, _ in batch] + [0] * missing, np.int32)
        later, frames = self.world.ticks(size)(states, row)
        # What fills the places that nobody needs is used up as the others are.
        self._spare[:missing] = later[len(batch) :]
        frames = np.array(frames)
        took = time.perf_counter() - begin
        stepped = {}
        for (index, session, action, now), state, frame in zip(batch, later, frames, strict=False):
            moment = Moment(tick=now.tick + 1, state=state, frame=frame)
            # What a rewind will cost is the single tick.
            take(session, action, moment, self.seconds.get(1, took))
            stepped[index] = Stepped(frame=frame, seconds=took)
        return stepped


def _equal(one: list[WorldState], other: list[WorldState]) -> bool:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(np.asarray(_words(a)), np.asarray(_words(b)), equal_nan=_is_float(a)) for a, b in pairs)


def _words(leaf: jax.Array) -> jax.Array:
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _is_float(leaf: jax.Array) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jnp.floating))
