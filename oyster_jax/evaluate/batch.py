"""Rolling many worlds out at once for an evaluation: compiled once for every shape, in bounded memory.

All functions take a batch of worlds. What is compiled for a batch size and a number of context frames serves rollouts
of any length, which run block by block and leave their frames on the host.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32, UInt8

from oyster_jax.core.model import WorldModel
from oyster_jax.core.rollout import rollout
from oyster_jax.core.state import WorldState
from oyster_jax.prng import named_key
from oyster_jax.typing import Array, Frames, Params

#: Ticks that one compiled call advances.
BLOCK = 32


def window_keys(seed: int, numbers: Int32[np.ndarray, "worlds"]) -> Array:
    """Returns one key a window, which depends on the seed and the window's number alone."""
    return jax.vmap(lambda number: jax.random.fold_in(jax.random.key(seed), number))(numbers)


@functools.partial(jax.jit, static_argnums=0)
def begin(model: WorldModel, params: Params, frames: Array, actions: Array, keys: Array) -> WorldState:
    """Returns the states of worlds that saw `frames` `[worlds, ticks, …]` under `actions` `[worlds, ticks - 1]`."""
    keys = jax.vmap(lambda key: named_key(key, "context"))(keys)
    return jax.vmap(model.encode, (None, 0, 0, 0))(params, frames, actions, keys)


def simulate(
    model: WorldModel, params: Params, states: WorldState, actions: Int32[np.ndarray, "worlds ticks"]
) -> UInt8[np.ndarray, "worlds ticks height width 3"]:
    """Advances worlds under their actions and returns the frames of every tick."""
    ticks = actions.shape[1]
    block = min(BLOCK, ticks)
    # Blocks of one length are one compilation; what is rolled out beyond the last action is cut.
    padded = np.pad(actions, ((0, 0), (0, -ticks % block)), mode="edge")
    frames = []
    for first in range(0, padded.shape[1], block):
        states, seen = _advance(model, params, states, padded[:, first : first + block])
        frames.append(np.asarray(seen))
    return np.concatenate(frames, 1)[:, :ticks]


@functools.partial(jax.jit, static_argnums=0)
def render(model: WorldModel, params: Params, states: WorldState) -> Frames:
    """Returns the frame that each state shows."""
    return jax.vmap(model.render, (None, 0))(params, states)


@functools.partial(jax.jit, static_argnums=0)
def reconstruct(model: WorldModel, params: Params, frames: Frames, keys: Array) -> Frames:
    """Encodes frames `[worlds, frames, …]` and renders them again, each by itself, without a tick in between."""
    nothing = jnp.zeros((0,), jnp.int32)

    def one(frame: Array, key: Array) -> Array:
        return model.render(params, model.encode(params, frame[None], nothing, key))

    keys = jax.vmap(lambda key: named_key(key, "ceiling"))(keys)
    return jax.vmap(jax.vmap(one, (0, None)))(frames, keys)


@functools.partial(jax.jit, static_argnums=0)
def _advance(model: WorldModel, params: Params, states: WorldState, actions: Array) -> tuple[WorldState, Array]:
    return jax.vmap(functools.partial(rollout, model, params))(states, actions)
