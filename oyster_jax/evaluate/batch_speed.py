"""How many ticks a second many worlds make together: `jit(vmap)` of a rollout, frames rendered and on the host."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.model import WorldModel
from oyster_jax.core.rollout import rollout
from oyster_jax.core.state import WorldState
from oyster_jax.evaluate.figure import Figure, median_figure
from oyster_jax.evaluate.stopwatch import call_times
from oyster_jax.typing import Actions, Array, Params


def batch_figure(
    model: WorldModel,
    params: Params,
    *,
    batch: int,
    ticks: int,
    rounds: int,
    seed: int,
    conditions: dict[str, Any],
) -> Figure:
    """Measures rollouts of `batch` worlds: `batch.N.rate`, in ticks/s of all worlds together.

    Every world has a key and random actions of its own. What they show is the same at first, which makes no difference
    to the time.

    Args:
      model: the world's model.
      params: its parameters.
      batch: worlds.
      ticks: of one rollout; every frame of it is rendered and fetched.
      rounds: rollouts that are measured, each from where the last one ended, after two that are not.
      seed: of keys and actions.
      conditions: of the figure.
    """
    key = jax.random.key(seed)
    state = jax.jit(model.reset)(params, key)
    states = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (batch, *leaf.shape)), state)
    states = states.replace(key=jax.random.split(key, batch))
    actions = jax.random.randint(key, (batch, ticks), 0, model.spec.action.count, jnp.int32)

    def together(params: Params, states: WorldState, actions: Actions) -> tuple[WorldState, Array]:
        return jax.vmap(lambda state, actions: rollout(model, params, state, actions))(states, actions)

    program = jax.jit(together, donate_argnums=1).lower(params, states, actions).compile()

    def call() -> np.ndarray:
        nonlocal states
        states, frames = program(params, states, actions)
        return np.asarray(frames)

    times = call_times(call, rounds)
    about = conditions | {"batch": batch, "ticks": ticks, "rounds": rounds}
    return median_figure(f"batch.{batch}.rate", batch * ticks / times, "ticks/s", about)
