"""How fast a world answers one action at a time, and whether it still does after half an hour.

A latency is what a player waits: from the action until its frame is uint8 on the host. Nothing is overlapped that the
next action could depend on; `pipelined_rate` shows what a replay of known actions gains by not waiting.
"""

import dataclasses
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int32

from oyster_jax.evaluate.chunks import Progress
from oyster_jax.evaluate.figure import Figure, median_figure
from oyster_jax.evaluate.memory import resident_bytes

type Step[State] = Callable[[State, Any], tuple[State, Any]]

#: Ticks of a run that are not counted: the first few fill caches.
WARM_UP = 20

#: Where flatness begins: by now every cache and ring of a world is as full as it will be.
EARLY = 100
#: Ticks of a stretch whose median is compared, and the fewest stretches that say anything of flatness.
STRETCH, STRETCHES = 1_000, 4
#: Ticks of the shortest stretch, for the short runs of a first look.
SHORTEST = 100

#: Parts of a replay whose rates are compared.
PARTS = 10

#: Ticks between two looks at the memory.
MEMORY_EVERY = 100

MEGABYTE = 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run[State]:
    """One continuous run of a world.

    Attributes:
      times: milliseconds of each tick, from its action to its frame on the host.
      resident: bytes of this process after the ticks 100, 200, …; empty where the system does not tell.
      early: a copy of the state at tick 100; None in a shorter run.
      last: the state at the end.
    """

    times: Float[np.ndarray, "ticks"]
    resident: np.ndarray
    early: State | None
    last: State


def run_world[State](
    tick: Step[State],
    state: State,
    actions: Int32[np.ndarray, "ticks"],
    progress: Progress | None = None,
) -> Run[State]:
    """Steps a world as someone who plays it does: one action, one tick, the frame as NumPy on the host.

    Args:
      tick: returns the next state and its frame; it may use up the state that it is given.
      state: where to begin.
      actions: one a tick, in one continuous run.
      progress: told the ticks done and to do, now and then.
    """
    times, resident, early = np.empty(len(actions)), [], None
    for index, action in enumerate(np.asarray(actions, np.int32)):
        began = time.perf_counter()
        state, frame = tick(state, action)
        np.asarray(frame)
        times[index] = time.perf_counter() - began
        if index + 1 == EARLY:
            early = jax.tree.map(jnp.copy, state)
        if (index + 1) % MEMORY_EVERY == 0:
            resident.append(resident_bytes())
            if progress is not None:
                progress(index + 1, len(actions))
    told = [held for held in resident if held is not None]
    return Run(times=1000 * times, resident=np.asarray(told, np.int64), early=early, last=state)


def stepping_figures(run: Run[Any], conditions: dict[str, Any]) -> list[Figure]:
    """Returns median, 99th percentile, rate, and of a run that is long enough flatness and growth of memory.

    Raises:
      ValueError: the run is no longer than its warm-up.
    """
    times = run.times
    counted = times[WARM_UP:]
    if len(counted) == 0:
        raise ValueError(f"A run has to be longer than its {WARM_UP} ticks of warm-up, but it had {len(times)} ticks.")
    conditions = conditions | {"ticks": len(times), "warm_up": WARM_UP}

    def figure(name: str, value: float, unit: str, spread: np.ndarray) -> Figure:
        ends = (float(spread.min()), float(spread.max()))
        return Figure(name=f"interactive.{name}", value=float(value), unit=unit, spread=ends, conditions=conditions)

    middle, tail = np.percentile(counted, (50, 99))
    reach = np.percentile(counted, (10, 90))
    figures = [
        figure("tick.p50", middle, "ms", reach),
        figure("tick.p99", tail, "ms", reach),
        figure("rate", 1000 / np.mean(counted), "ticks/s", 1000 / reach),
    ]
    return figures + flatness_figures(times, conditions) + growth_figures(run.resident, conditions)


def flatness_figures(times: Float[np.ndarray, "ticks"], conditions: dict[str, Any]) -> list[Figure]:
    """Returns how much slower a world is at the end of a run than from tick 100 on; none for a short run.

    `interactive.flatness` is the median of the last stretch over that of the first, its spread the same ratio between
    10th and between 90th percentiles. `interactive.trend` is what the line of Theil (1950) and Sen (1968) through the
    medians of all stretches says of the same two ends: one busy minute of the machine does not move it. Both are 1
    where stepping does not slow down.
    """
    counted = times[EARLY:]
    count = max(STRETCHES, len(counted) // STRETCH)
    if len(counted) < count * SHORTEST:
        return []
    stretches = np.array_split(counted, count)
    medians = np.asarray([np.median(stretch) for stretch in stretches])
    about = conditions | {
        "early": [EARLY, EARLY + len(stretches[0])],
        "late": [len(times) - len(stretches[-1]), len(times)],
        "medians": [round(float(median), 3) for median in medians],
    }
    low, middle, high = np.percentile(stretches[-1], (10, 50, 90)) / np.percentile(stretches[0], (10, 50, 90))
    ends = (float(min(low, middle, high)), float(max(low, middle, high)))
    return [
        Figure(name="interactive.flatness", value=float(middle), unit="late/early", spread=ends, conditions=about),
        Figure(name="interactive.trend", value=trend_of(medians), unit="late/early", spread=None, conditions=about),
    ]


def trend_of(values: np.ndarray) -> float:
    """Returns the end over the beginning of the line of Theil and Sen through values that follow each other."""
    first, second = np.triu_indices(len(values), 1)
    slope = np.median((values[second] - values[first]) / (second - first))
    begin = np.median(values - slope * np.arange(len(values)))
    return float(1 + slope * (len(values) - 1) / begin)


def growth_figures(resident: np.ndarray, conditions: dict[str, Any]) -> list[Figure]:
    """Returns by how much memory grew from tick 100 to the end, `resident` being bytes every 100 ticks.

    An allocator takes what it needs within the first minutes and keeps it, so `memory.growth.late` tells of the last
    half alone: it is 0 where nothing leaks.
    """
    if len(resident) < 2:
        return []
    held = resident / MEGABYTE

    def figure(name: str, since: int) -> Figure:
        grown = float(held[-1] - held[since])
        return Figure(name=name, value=grown, unit="MB", spread=None, conditions=conditions)

    return [
        figure("memory.growth", 0),
        figure("memory.growth.late", len(held) // 2),
        median_figure("memory.resident", held, "MB", conditions),
    ]


def paired_flatness[State](
    tick: Step[State],
    early: State,
    late: State,
    actions: Int32[np.ndarray, "ticks"],
    *,
    rounds: int,
    conditions: dict[str, Any],
) -> Figure:
    """Compares two moments of one run in turns, so that whatever else the machine does meets both alike.

    Args:
      tick: as for `run_world`.
      early: the state at the early moment; it stays usable.
      late: the state at the late one; it stays usable.
      actions: of one turn, of which the first tenth is not counted.
      rounds: how many turns each has.
      conditions: of the figure.

    Returns:
      `interactive.flatness.paired`: the median over rounds of the ratio of the medians, late over early.
    """
    ratios = []
    for index in range(rounds):
        # Who goes first alternates too.
        turns = [("early", early), ("late", late)][:: 1 if index % 2 else -1]
        medians = {}
        for name, state in turns:
            times = run_world(tick, jax.tree.map(jnp.copy, state), actions).times
            medians[name] = np.median(times[len(times) // 10 :])
        ratios.append(medians["late"] / medians["early"])
    about = conditions | {"rounds": rounds, "ticks": len(actions)}
    return median_figure("interactive.flatness.paired", np.asarray(ratios), "late/early", about)


def pipelined_rate[State](
    tick: Step[State], state: State, actions: Int32[np.ndarray, "ticks"], *, depth: int, conditions: dict[str, Any]
) -> Figure:
    """Measures a replay of actions that are known beforehand: a frame is fetched while the next ticks are computed.

    This is no latency: an action that depends on the frame before it cannot be given this early.

    Args:
      tick: as for `run_world`.
      state: where to begin.
      actions: one a tick, at least `depth + 2 * PARTS`; the rate is measured in so many parts of them.
      depth: how many ticks are under way at once.
      conditions: of the figure.

    Raises:
      ValueError: there are fewer actions.
    """
    if len(actions) < depth + 2 * PARTS:
        raise ValueError(f"A replay needs at least {depth + 2 * PARTS} actions, but had {len(actions)}.")
    under_way, arrived = deque(), []
    for action in np.asarray(actions, np.int32):
        state, frame = tick(state, action)
        under_way.append(frame)
        if len(under_way) == depth:
            np.asarray(under_way.popleft())
            arrived.append(time.perf_counter())
    parts = np.array_split(np.asarray(arrived), PARTS)
    rates = np.asarray([(len(part) - 1) / (part[-1] - part[0]) for part in parts])
    return median_figure("interactive.pipelined", rates, "ticks/s", conditions | {"depth": depth})
