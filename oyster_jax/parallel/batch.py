"""Many worlds at once, each device its own: no world waits for another, and no number crosses between devices.

>>> many = sharded(lambda params, state, actions: rollout(model, params, state, actions), mesh)
>>> states, frames = many(params, states, actions)  # [worlds, …], on all devices
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.sharding import Mesh, PartitionSpec

from oyster_jax.parallel import rules


def sharded(function: Callable[..., Any], mesh: Mesh, *, donate: Sequence[int] = ()) -> Any:
    """Returns `jit(shard_map(vmap(function)))`: `many(params, *rows) → rows`, to be called or lowered.

    Rows are cut over all axes but `tensor`, by hand, so that each device runs the program of one device on its worlds.
    Along `tensor`, devices share the worlds and cut the layers between them, as in training; parameters then lie as
    `rules.param_shardings(mesh, params, logical="heads")` says.

    Args:
      function: of parameters and of what belongs to one world, as in `rollout`.
      mesh: of devices; the number of worlds is a multiple of `batch_ways(mesh)`.
      donate: which of the rows, counted from 0, a call uses up: what is returned takes their memory. For callers that
        go on with the result alone, as with the states of worlds.
    """
    by_hand = set(rules.RULES["batch"]) | ({"tensor"} if mesh.shape["tensor"] == 1 else set())
    rows = PartitionSpec(rules.RULES["batch"])

    def many(params: Any, *given: Any) -> Any:
        return over_worlds(function, params, *given)

    def run(params: Any, *given: Any) -> Any:
        mapped = jax.shard_map(
            many,
            mesh=mesh,
            in_specs=(PartitionSpec(), *[rows] * len(given)),
            out_specs=rows,
            axis_names=by_hand,
            # A world that begins inside holds constants, which JAX would take for equal on all devices.
            check_vma=False,
        )
        return mapped(params, *given)

    given_up = tuple(1 + place for place in donate)
    # Devices that share worlds all hold what is returned, so that it can be given again.
    return jax.jit(run, out_shardings=rules.batch_sharding(mesh), donate_argnums=given_up)


def over_worlds(function: Callable[..., Any], params: Any, *given: Any) -> Any:
    """Applies a function of parameters and one world to many worlds."""
    return jax.vmap(function, in_axes=(None, *[0] * len(given)))(params, *given)
