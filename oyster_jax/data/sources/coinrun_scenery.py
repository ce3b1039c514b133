"""What surrounds the agent of CoinRun, in words: tiles and things, as the simulator knows them."""

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from oyster_jax.core.spec import TileSpec

#: Tiles to each side of the agent's own that a frame may show a part of.
REACH = 7

#: Tiles across a frame.
ACROSS = 13

#: Kinds of tiles, with the simulator's codes; what turns enemies round is seen as air.
_CODES = {"air": (100, 19), "ground": (15,), "ground_top": (16,), "lava": (17,), "lava_top": (18,), "coin": (1,)}

#: Types of entities, by the simulator's codes.
_TYPES = {0: "agent", 2: "saw", 5: "enemy", 20: "crate", 59: "dust"}
TYPES = tuple(_TYPES.get(code, "") for code in range(max(_TYPES) + 1))

#: What things come with, where somebody describes them: half sizes, and what draws the agent in front.
USUAL = (
    *(("agent", field, value) for field, value in {"rx": 0.5, "ry": 0.5787, "alpha": 1.0, "render_z": 1.0}.items()),
    *(
        (kind, field, value)
        for kind, image in {"saw": 2.0, "enemy": 6.0, "crate": 20.0}.items()
        for field, value in {"rx": 0.5, "ry": 0.5, "alpha": 1.0, "image_type": image}.items()
    ),
    ("enemy", "image_theme", 4.0),
)


def tiles(side: int) -> TileSpec:
    """Returns the tiles around the agent, in frames of `side` pixels a side."""
    size = 2 * REACH + 1
    return TileSpec(
        kinds=tuple(_CODES), rows=size, columns=size, side=side / ACROSS, agent=(REACH, REACH), scrolls=True
    )


def around(grid: Int32[np.ndarray, "rows columns"], agent: Float32[np.ndarray, "2"]) -> UInt8[np.ndarray, "size size"]:
    """Returns the kinds of the tiles around the agent, the highest row first; beyond the level is ground.

    Args:
      grid: of the level, the simulator's codes, the lowest row first.
      agent: its place in the level, x and y in tiles.
    """
    kinds = np.full(grid.max() + 1, -1, np.int32)
    for kind, codes in enumerate(_CODES.values()):
        for code in codes:
            if code < len(kinds):
                kinds[code] = kind
    ground = tuple(_CODES).index("ground")
    laid = np.pad(kinds[grid], REACH, constant_values=ground)
    assert laid.min() >= 0, "CoinRun has a tile of which nothing is known"
    column, row = np.clip(np.floor(agent).astype(int), 0, np.array(grid.shape[::-1]) - 1)
    size = 2 * REACH + 1
    return laid[row : row + size, column : column + size][::-1].astype(np.uint8)
