"""A session at one tick."""

import dataclasses

import numpy as np

from oyster_jax.core.state import WorldState


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moment:
    """A session at one tick.

    Attributes:
      tick: which.
      state: of the world; the next tick uses it up.
      frame: what it shows, uint8 `[height, width, 3]`.
      done: how many interventions were done since the tick came.
    """

    tick: int
    state: WorldState
    frame: np.ndarray
    done: int = 0
