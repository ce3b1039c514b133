"""Sessions that take turns, so that whatever else the machine does meets them alike."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from oyster_jax.data.policies import StickyPolicy
from oyster_jax.evaluate.figure import Figure
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.world import World

type Say = Callable[[str], None]

#: Ticks of a session before its first turn, which fill its caches.
WARM_UP = 100


def sticky_actions(world: World, ticks: int, seed: int) -> list[int]:
    """Returns the actions of the sticky policy, which knows no episodes here."""
    policy = StickyPolicy(world.spec.action, 1, seed)
    return [int(policy.act(np.zeros(1, bool))[0]) for _ in range(ticks)]


def in_turns(
    sessions: Mapping[str, Session], actions: list[int], turns: int, *, rate: float | None = None, say: Say
) -> dict[str, np.ndarray]:
    """Lives sessions in turns, each with the same actions; who goes first alternates too.

    Args:
      sessions: two, by name.
      actions: of one turn.
      turns: that each has.
      rate: ticks a second by the clock on the wall, as fast as it goes unless given.
      say: told after each turn.

    Returns:
      Milliseconds of each `step` by name, float64 `[turns, ticks]`.
    """
    times = {name: np.empty((turns, len(actions))) for name in sessions}
    for turn in range(turns):
        for name in list(sessions)[:: 1 if turn % 2 else -1]:
            session, due = sessions[name], time.perf_counter()
            for tick, action in enumerate(actions):
                if rate is not None:
                    due = max(due + 1 / rate, time.perf_counter())
                    time.sleep(max(0.0, due - time.perf_counter()))
                began = time.perf_counter()
                session.step(action)
                times[name][turn, tick] = 1000 * (time.perf_counter() - began)
            # What one leaves to be written must not meet the other.
            session.flush()
        medians = ", ".join(f"{name} {np.median(times[name][turn]):.1f} ms" for name in sessions)
        say(f"turn {turn + 1} of {turns}: {medians}")
    return times


def pacing_figures(
    world: World, folder: Path, *, seed: int, rate: float, turns: int, ticks: int, conditions: dict, say: Say
) -> list[Figure]:
    """Measures `step` at a steady pace with snapshots and without, two sessions in turns.

    Args:
      world: to live in.
      folder: for both sessions.
      seed: of both and of their actions.
      rate: ticks a second by the clock on the wall.
      turns: that each of the two has.
      ticks: of one turn.
      conditions: of the figures.
      say: told how it goes.
    """
    actions = sticky_actions(world, ticks, seed)
    seconds = (WARM_UP + turns * ticks) / world.spec.frame.rate
    with (
        world.session(folder / "on", seed=seed, max_duration=seconds) as on,
        world.session(folder / "off", seed=seed, max_duration=seconds, snapshot_bytes=0) as off,
    ):
        for session in (on, off):
            session.run(sticky_actions(world, WARM_UP, seed + 1))
            session.flush()
        times = in_turns({"on": on, "off": off}, actions, turns, rate=rate, say=say)
        kept = {session: len(session.timeline().branches[0].snapshots) for session in (on, off)}
    if kept[off] or not kept[on]:
        raise RuntimeError(f"{kept[on]} snapshots were kept where they are on and {kept[off]} where they are off.")
    about = conditions | {"pace": rate, "turns": turns, "turn_ticks": ticks, "snapshots": kept[on]}
    figures = []
    for percentile in (50, 99):
        of_turns = {name: np.percentile(found, percentile, axis=1) for name, found in times.items()}
        whole = {name: float(np.percentile(found, percentile)) for name, found in times.items()}
        values = whole | {"difference": whole["on"] - whole["off"]}
        of_turns["difference"] = of_turns["on"] - of_turns["off"]
        for name, value in values.items():
            low, high = (float(end) for end in np.percentile(of_turns[name], (10, 90)))
            figures.append(
                Figure(
                    name=f"pacing.{name}.p{percentile}", value=value, unit="ms", spread=(low, high), conditions=about
                )
            )
    late = {name: float(np.mean(found > 1000 / rate)) for name, found in times.items()}
    figures += [
        Figure(name=f"pacing.{name}.late", value=share, unit="of the ticks", spread=None, conditions=about)
        for name, share in late.items()
    ]
    return figures
