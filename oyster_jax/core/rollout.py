"""Rolling a world out under actions: in one scan, or in chunks as they are computed."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax

from oyster_jax.core.model import WorldModel
from oyster_jax.core.state import WorldState
from oyster_jax.typing import Action, Actions, Params

type Observe = Callable[[Params, WorldState], Any]


def rollout(
    model: WorldModel, params: Params, state: WorldState, actions: Actions, *, observe: Observe | None = None
) -> tuple[WorldState, Any]:
    """Advances a world under `actions` [ticks]; returns the last state and what `observe` saw at each tick.

    Args:
      model: the world's model.
      params: its parameters.
      state: where to begin.
      actions: int32 `[ticks]`.
      observe: what to keep of each new state, `model.render` unless given.

    Returns:
      The state after the last action, and the observations stacked over a leading `ticks` axis.
    """
    observe = observe or model.render

    def tick(state: WorldState, action: Action) -> tuple[WorldState, Any]:
        state = model.advance(params, state, action)
        return state, observe(params, state)

    return jax.lax.scan(tick, state, actions)


def stream_rollout(
    model: WorldModel,
    params: Params,
    state: WorldState,
    actions: Actions,
    *,
    chunk: int = 64,
    observe: Observe | None = None,
    donate: bool = False,
) -> Iterator[tuple[WorldState, Any]]:
    """Yields `rollout` in chunks of `chunk` ticks, so that memory stays bounded however long `actions` is.

    The chunks laid end to end equal one `rollout` bit for bit (law 2). The last chunk may be shorter.

    Args:
      model: the world's model.
      params: its parameters.
      state: where to begin.
      actions: int32 `[ticks]`.
      chunk: ticks at a time.
      observe: what to keep of each new state, `model.render` unless given.
      donate: use up `state`, and each state that is yielded as soon as the next one is asked for; their memory becomes
        the next state's. For whoever keeps none but the last.

    Raises:
      ValueError: `chunk` is less than one.
    """
    if chunk < 1:
        raise ValueError(f"A rollout is streamed in chunks of at least one tick, but chunk was {chunk}.")
    run = jax.jit(functools.partial(rollout, model, observe=observe), donate_argnums=(1,) if donate else ())
    for start in range(0, len(actions), chunk):
        state, observations = run(params, state, actions[start : start + chunk])
        yield state, observations
