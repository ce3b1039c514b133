"""Where the camera stood in the level: what of it a frame shows.

In the simulators recorded here the camera is centred on the agent, which is row 0 of the entity table.
"""

import numpy as np
from jaxtyping import Float32

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.errors import DatasetError

#: Tiles across a frame of the platformers that follow their agent, by the world's name.
VIEW_TILES = {"coinrun": 13.0}


def follows_agent(spec: WorldSpec) -> bool:
    """Whether the camera of recordings of `spec` is known: they hold entities, and it follows the agent."""
    return spec.entity is not None and spec.name in VIEW_TILES


def pixels_per_tile(spec: WorldSpec) -> float:
    """Returns how many pixels a tile of the level takes.

    Raises:
      DatasetError: the world's camera is not known.
    """
    if spec.name not in VIEW_TILES:
        raise DatasetError(
            f"How many tiles a frame of '{spec.name}' shows is not known; it is known for {', '.join(VIEW_TILES)}."
        )
    return spec.frame.width / VIEW_TILES[spec.name]


def camera_positions(
    spec: WorldSpec, entities: Float32[np.ndarray, "ticks capacity fields"]
) -> Float32[np.ndarray, "ticks 2"]:
    """Returns where the middle of each frame lies in the level: pixels, x to the right and y downwards.

    Raises:
      DatasetError: the world records no entities, or its camera is not known.
    """
    if spec.entity is None:
        raise DatasetError(f"The recording of '{spec.name}' has no entities to find its camera by; record with them.")
    agent = entities[:, 0][:, [spec.entity.column("x"), spec.entity.column("y")]]
    return (agent * np.array([1.0, -1.0], np.float32) * np.float32(pixels_per_tile(spec))).astype(np.float32)
