"""Flights of an agent, jumps and falls, in the course of its height.

In free flight the vertical speed changes by the same amount each tick, the gravity. A clean flight is one in which the
simulator's agent stood, left the ground, flew freely until just before it landed, and stayed where it landed.
"""

import dataclasses

import numpy as np
from jaxtyping import Float

#: How far, in tiles a tick, speeds may differ that are the same in the simulator: its numbers are float32.
EXACT = 1e-3

#: A landing is where an agent that fell faster than the one no longer falls faster than the other, in tiles a tick.
FALLING = 0.35
STOPPED = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flight:
    """Which ticks of a course of heights `[1 + ticks]` are a flight.

    Speeds are counted as the heights' differences: speed `t` led from height `t` to height `t + 1`.

    Attributes:
      begin: the first speed in the air.
      end: one past the last speed of free flight before the tick of landing.
      landing: the height at which the agent has landed.
    """

    begin: int
    end: int
    landing: int


def find_flight(heights: Float[np.ndarray, "ticks"], *, shortest: int) -> Flight | None:
    """Returns the clean flight in a simulator's course of heights in tiles, or None if there is none.

    Args:
      heights: `[1 + ticks]`.
      shortest: speeds in free flight that it takes at least.
    """
    speeds = np.diff(heights.astype(np.float64))
    moving = np.flatnonzero(np.abs(speeds) > EXACT)
    if len(moving) == 0 or moving[0] + 2 > len(speeds):
        return None
    begin = int(moving[0])
    gravity = speeds[begin + 1] - speeds[begin]
    free = np.abs(speeds[begin:] - speeds[begin] - gravity * np.arange(len(speeds) - begin)) < EXACT
    end = begin + int(np.argmin(free)) if not free.all() else len(speeds)
    landing = find_landing(speeds[begin:])
    if gravity >= -EXACT or end - begin < shortest or speeds[end - 1] > -FALLING or landing is None:
        return None
    # Between free flight and landing there is at most the fastest fall and one tick cut short.
    stays = np.abs(np.diff(heights[begin + landing :])).max(initial=0) < EXACT
    falls = (speeds[end : begin + landing] < EXACT).all()
    if not (stays and falls):
        return None
    # A simulator may call the agent's speed none already at the tick in which it lands.
    return Flight(begin=begin, end=min(end, begin + landing - 1), landing=begin + landing)


def find_landing(speeds: Float[np.ndarray, "ticks"]) -> int | None:
    """Returns the tick at which an agent has landed, counted as the heights are, or None if it does not.

    Args:
      speeds: vertical speeds in tiles a tick, upwards positive; exact or read off a model.
    """
    fast = np.flatnonzero(speeds < -FALLING)
    if len(fast) == 0:
        return None
    stopped = np.flatnonzero(speeds[fast[0] :] > -STOPPED)
    return int(fast[0] + stopped[0]) if len(stopped) else None


def slope(speeds: Float[np.ndarray, "ticks"]) -> float:
    """Returns the slope of the least-squares line through speeds, in tiles a tick²."""
    ticks = np.arange(len(speeds)) - (len(speeds) - 1) / 2
    return float(ticks @ speeds / (ticks @ ticks))
