"""Many ticks of a session, under a policy or a script."""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from oyster_jax.core.spec import as_action_ids
from oyster_jax.session.errors import SessionEndedError
from oyster_jax.worlds.world import Action, Actions

if TYPE_CHECKING:
    from oyster_jax.worlds.session import Session

type Policy = Callable[[np.ndarray], Action]


def run(session: "Session", policy: Policy | Actions, ticks: int | None, watch: Callable[[Any], None] | None) -> int:
    """Lives many ticks, and returns how many; see `Session.run`.

    Raises:
      SessionError, ValueError: as that.
    """
    script = None if callable(policy) else as_action_ids(session.world.spec.action, policy).tolist()
    if ticks is None and script is None:
        raise ValueError("A policy runs for a number of ticks; say how many.")
    repeated, count = itertools.cycle(script or ()), len(script or ()) if ticks is None else ticks
    for lived in range(count):
        try:
            session.step(policy(session.frame) if callable(policy) else next(repeated))
        except SessionEndedError:
            return lived
        if watch is not None:
            watch(session)
    return count
