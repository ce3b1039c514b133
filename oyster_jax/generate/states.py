"""Start states as bytes, so that an array of them holds whole worlds: any episode can be lived again, or otherwise."""

import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tensorstore
from jaxtyping import UInt8

from oyster_jax.core.model import WorldModel
from oyster_jax.core.state import WorldState
from oyster_jax.generate.errors import GenerateError
from oyster_jax.tree import named_leaves
from oyster_jax.typing import Params

STARTS = "starts"


def state_leaves(model: WorldModel, params: Params) -> list[dict[str, Any]]:
    """Returns name, dtype and shape of every leaf of a world's state, in the order of their bytes."""
    leaves = named_leaves(jax.eval_shape(lambda params: words(model.reset(params, jax.random.key(0))), params))
    return [{"name": name, "dtype": str(leaf.dtype), "shape": list(leaf.shape)} for name, leaf in leaves.items()]


def words(state: WorldState) -> WorldState:
    """Returns a state whose key is given by its words."""
    return state.replace(key=jax.random.key_data(state.key))  # pyright: ignore[reportArgumentType]


def state_bytes(states: list[np.ndarray]) -> UInt8[np.ndarray, "episodes bytes"]:
    """Lays the leaves of a batch of states, keys as words, out as bytes."""
    return np.concatenate([np.ascontiguousarray(leaf).reshape(len(leaf), -1).view(np.uint8) for leaf in states], 1)


def start_state(folder: Path, index: int, model: WorldModel, params: Params) -> WorldState:
    """Returns the state in which an episode began.

    Args:
      folder: of a generation that kept its start states.
      index: of the episode.
      model: the world's model.
      params: its parameters; only their shapes matter.

    Raises:
      GenerateError: the folder holds no start states, those of another world, or damaged ones.
    """
    path = folder / STARTS
    try:
        store = tensorstore.open(
            {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path}/"}}, open=True, read=True
        ).result()
        attributes = store.spec().to_json()["metadata"]["attributes"]
        raw = np.asarray(store[index].read().result())
    except (ValueError, OSError, IndexError) as error:
        raise GenerateError(
            f"{path} does not hold the start of episode {index} ({str(error).splitlines()[0]}); give the folder of a "
            "generation that kept its start states."
        ) from error
    leaves = state_leaves(model, params)
    if attributes["leaves"] != leaves:
        raise GenerateError(f"{path} holds states of another world than this; give the one that generated them.")
    found, at = [], 0
    for leaf in leaves:
        dtype = jnp.dtype(leaf["dtype"])
        size = dtype.itemsize * math.prod(leaf["shape"])
        found.append(jnp.asarray(raw[at : at + size].view(dtype).reshape(leaf["shape"])))
        at += size
    structure = jax.tree.structure(jax.eval_shape(model.reset, params, jax.random.key(0)))
    state = jax.tree.unflatten(structure, found)
    return state.replace(key=jax.random.wrap_key_data(state.key))
