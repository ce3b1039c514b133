"""Entities as a world reads them out, laid out as its recordings have them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.camera import pixels_per_tile

#: The type of the agent in the simulators whose camera is known.
AGENT = 0


def as_recorded(
    spec: WorldSpec,
    fields: Sequence[str],
    entities: Float32[np.ndarray, "ticks places read"],
    mask: Bool[np.ndarray, "ticks places"],
    camera: Float32[np.ndarray, "ticks 2"],
) -> tuple[Float32[np.ndarray, "ticks capacity fields"], Bool[np.ndarray, "ticks capacity"]]:
    """Returns the table of entities that a simulator would have recorded, and which of its rows are in use.

    The agent stands in row 0, where the camera is; its velocity is that of the agent nearest to the frame's middle.
    What a world does not read out (sizes, rotations, …) is zero, and what does not fit into the table is left out.

    Args:
      spec: of the world, with entities, whose camera follows its agent.
      fields: names of the columns of `entities`: type, x, y, vx, vy.
      entities: positions in tiles from the frame's middle, y upwards; velocities in tiles a tick.
      mask: which of them are there.
      camera: where the frame's middle stands, in pixels, x to the right and y downwards.

    Raises:
      DatasetError: the world's camera is not known.
    """
    assert spec.entity is not None
    read = {name: entities[:, :, column] for column, name in enumerate(fields)}
    middle = camera * np.array([1, -1], np.float32) / np.float32(pixels_per_tile(spec))
    ticks, capacity = np.arange(len(mask)), spec.entity.capacity
    away = np.where(mask & (read["type"] == AGENT), np.hypot(read["x"], read["y"]), np.inf)
    agent = np.argmin(away, axis=1)
    known = np.isfinite(away[ticks, agent])
    others = mask.copy()
    others[ticks[known], agent[known]] = False
    # Those that are there come first, in the order of their places.
    order = np.argsort(~others, axis=1, kind="stable")[:, : capacity - 1]
    table = np.zeros((len(mask), capacity, len(spec.entity.fields)), np.float32)
    used = np.zeros((len(mask), capacity), bool)
    used[:, 0] = True
    used[:, 1 : 1 + order.shape[1]] = np.take_along_axis(others, order, 1)
    for name in fields:
        column = table[:, :, spec.entity.column(name)]
        rows = np.take_along_axis(read[name], order, 1)
        if name in ("x", "y"):
            axis = "xy".index(name)
            rows = rows + middle[:, axis : axis + 1]
            column[:, 0] = middle[:, axis]
        elif name != "type":
            column[:, 0] = np.where(known, read[name][ticks, agent], 0)
        column[:, 1 : 1 + order.shape[1]] = rows
        column[~used] = 0
    return table, used
