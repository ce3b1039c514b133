"""The traced parts of a long run: a chunk of ticks in which ended worlds go on elsewhere, and futures branching off."""

from typing import Any

import jax
import jax.numpy as jnp

from oyster_jax.core.model import WorldModel
from oyster_jax.core.rollout import rollout
from oyster_jax.core.state import Status, WorldState
from oyster_jax.evaluate.appearance import appearance
from oyster_jax.evaluate.fidelity import squared_error
from oyster_jax.prng import named_key
from oyster_jax.typing import Array, Params, PRNGKey


def run_chunk(
    model: WorldModel, respawn: bool, params: Params, states: WorldState, standing_by: Any, actions: Array
) -> tuple[WorldState, tuple[Array, Array, Array]]:
    """Runs worlds under actions `[worlds, ticks]`: the states after, and frames, looks and statuses of every tick."""

    def one(state: WorldState, fresh: WorldState | None, actions: Array) -> Any:
        def tick(carried: tuple[WorldState, Array], action: Array) -> Any:
            state, used = carried
            state = model.advance(params, state, action)
            status = state.status
            if respawn and fresh is not None:
                ended = status == Status.TERMINAL
                again = fresh.replace(key=jax.random.fold_in(fresh.key, used))
                state = jax.tree.map(lambda new, old: jnp.where(ended, new, old), again, state)
                used = used + ended.astype(jnp.int32)
            frame = model.render(params, state)
            return (state, used), (frame, appearance(frame), status)

        (state, _), seen = jax.lax.scan(tick, (state, jnp.int32(0)), actions)
        return state, seen

    return jax.vmap(one, in_axes=(0, None if standing_by is None else 0, 0))(states, standing_by, actions)


def branch(model: WorldModel, params: Params, states: WorldState, own: Array, random: Array) -> dict[str, Array]:
    """Compares futures of worlds under their own actions `[worlds, ticks]`, with other noise, and under random ones."""

    def observe(params: Params, state: WorldState) -> tuple[Array, Array]:
        return model.render(params, state), state.status

    def one(state: WorldState, own: Array, random: Array) -> dict[str, Array]:
        noisy = state.replace(key=_other_noise(state.key))
        futures = (state, own), (noisy, own), (state, random)
        seen = [rollout(model, params, begin, actions, observe=observe)[1] for begin, actions in futures]
        (frame, _), (with_noise, _), (with_random, _) = ((frames[-1], status) for frames, status in seen)
        sound = jnp.all(jnp.stack([status for _, status in seen]) == Status.OK)
        return {
            "other_noise": squared_error(frame, with_noise),
            "other_actions": squared_error(frame, with_random),
            "sound": sound,
        }

    return jax.vmap(one)(states, own, random)


def _other_noise(key: PRNGKey) -> PRNGKey:
    return named_key(key, "other noise")
