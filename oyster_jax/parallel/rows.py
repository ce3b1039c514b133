"""A batch whose rows lie on many devices, of which each process reads its own."""

import bisect
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding


def local_rows(sharding: NamedSharding, batch: int) -> list[int]:
    """Returns which rows of a batch lie on this process's devices, in ascending order.

    Args:
      sharding: of arrays whose first axis is the batch.
      batch: rows of all processes together.
    """
    found: set[int] = set()
    for index in sharding.addressable_devices_indices_map((batch,)).values():
        found.update(range(batch)[index[0]] if index else range(batch))
    return sorted(found)


def spread(local: Any, sharding: NamedSharding, rows: Sequence[int], batch: int) -> Any:
    """Returns a pytree of arrays over all devices, of which this process gives the rows that `local_rows` told.

    Args:
      local: a pytree of arrays whose first axis is this process's rows.
      sharding: of the result.
      rows: which rows these are.
      batch: rows of all processes together.
    """

    def one(part: np.ndarray) -> jax.Array:
        def piece(index: tuple[slice, ...] | None) -> np.ndarray:
            wanted = range(batch)[index[0]] if index else range(batch)
            first = bisect.bisect_left(rows, wanted[0])
            return part[first : first + len(wanted)]

        return jax.make_array_from_callback((batch, *part.shape[1:]), sharding, piece)

    return jax.tree.map(one, local)
