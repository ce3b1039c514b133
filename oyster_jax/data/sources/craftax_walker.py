"""Finding one's way in Craftax: a map of what was seen, and the shortest way on it to whatever is wanted.

All of it works on many environments at once, with NumPy, on a square of the map around each agent. Cells are counted as
in the frame: rows downwards, columns to the right.
"""

import dataclasses

import numpy as np

from oyster_jax.data.sources.craftax_state import ENTITIES, LEVEL, QUANTITIES, TILES, TYPES
from oyster_jax.data.sources.source import TimeStep

#: Cells on each side of the agent that ways are looked for in, and the longest way.
REACH, LONGEST = 12, 36

_SIDE = 2 * REACH + 1

#: Left, right, up, down: the moves are actions 1 to 4 in this order.
MOVES = np.array([[0, -1], [0, 1], [-1, 0], [1, 0]])
DO = 5

#: What has not been seen; no level has such a tile.
UNKNOWN = TILES.kinds.index("invalid")

_FAR = np.int16(1000)


def kinds(*names: str) -> list[int]:
    """Returns the numbers of kinds of tiles."""
    return [TILES.kinds.index(name) for name in names]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the agents know of the square around them.

    Attributes:
      tiles: uint8 `[environments, side, side]`, kinds of tiles, `UNKNOWN` where unseen; the agent stands in the
        middle.
      creatures: uint8, likewise, the type of what is alive there; 0 where there is nothing.
      facing: int `[environments, 2]`, the agent's direction: rows, columns.
      quantities: float32 `[environments, quantities]`.
    """

    tiles: np.ndarray
    creatures: np.ndarray
    facing: np.ndarray
    quantities: np.ndarray

    def has(self, name: str) -> np.ndarray:
        """Returns a quantity, `[environments]`."""
        return self.quantities[:, QUANTITIES.column(name)]

    def creature(self, name: str) -> np.ndarray:
        """Returns where creatures of a type are, bool `[environments, side, side]`."""
        return self.creatures == TYPES.index(name)

    def near(self, name: str) -> np.ndarray:
        """Whether a kind of tile is among the eight around the agent, where one can craft."""
        around = self.tiles[:, REACH - 1 : REACH + 2, REACH - 1 : REACH + 2]
        return (around == TILES.kinds.index(name)).any(axis=(1, 2))

    def ahead(self, cells: np.ndarray) -> np.ndarray:
        """Returns what `[environments, side, side]` cells hold where the agent looks."""
        rows = np.arange(len(cells))
        return cells[rows, REACH + self.facing[:, 0], REACH + self.facing[:, 1]]

    def within(self, cells: np.ndarray, distance: int) -> np.ndarray:
        """Whether any of the cells is at most so many moves away."""
        line = np.abs(np.arange(_SIDE) - REACH)
        return (cells & (line[:, None] + line[None, :] <= distance)).any(axis=(1, 2))


class Walker:
    """Remembers what agents saw of their levels.

    Args:
      environments: how many.
      generator: chooses between ways that are equally long.
    """

    def __init__(self, environments: int, generator: np.random.Generator) -> None:
        side = LEVEL + 2 * REACH
        self._known = np.full((environments, side, side), UNKNOWN, np.uint8)
        self._generator = generator

    def look(self, seen: TimeStep, began: np.ndarray) -> Surroundings:
        """Adds what is seen to the maps, which begin anew with an episode."""
        assert seen.entities is not None
        assert seen.entity_mask is not None
        assert seen.tiles is not None
        assert seen.quantities is not None
        self._known[began] = UNKNOWN
        column = {name: seen.entities[:, :, ENTITIES.column(name)].astype(int) for name in ENTITIES.fields}
        rows, columns = LEVEL - 1 - column["y"], column["x"]
        top, left = rows[:, 0] - TILES.agent[0] + REACH, columns[:, 0] - TILES.agent[1] + REACH
        self._known[_square(top, left, TILES.rows, TILES.columns)] = seen.tiles
        alive = seen.entity_mask & np.isin(
            column["type"], [TYPES.index(name) for name in ("zombie", "cow", "skeleton")]
        )
        line, place = rows - rows[:, :1] + REACH, columns - columns[:, :1] + REACH
        inside = alive & (line >= 0) & (line < _SIDE) & (place >= 0) & (place < _SIDE)
        creatures = np.zeros((len(began), _SIDE, _SIDE), np.uint8)
        which, entity = np.nonzero(inside)
        creatures[which, line[which, entity], place[which, entity]] = column["type"][which, entity]
        return Surroundings(
            tiles=self._known[_square(rows[:, 0], columns[:, 0], _SIDE, _SIDE)],
            creatures=creatures,
            facing=np.stack([-column["facing_y"][:, 0], column["facing_x"][:, 0]], axis=1),
            quantities=seen.quantities,
        )

    def toward(self, around: Surroundings, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the action of the shortest way to the nearest wanted cell, and whether there is a way.

        What is wanted is faced and then done to; what stands in the way and can be taken away is dug through.

        Args:
          around: what is known.
          wanted: bool `[environments, side, side]`.
        """
        free = np.isin(around.tiles, kinds("grass", "sand", "path"))
        solid = _diggable(around)
        open_ = (free | solid) & (around.creatures == 0)
        distance = _distances(open_, wanted)
        beside = np.stack([distance[:, REACH + row, REACH + column] for row, column in MOVES], axis=1)
        best = np.argmin(beside + self._generator.random(beside.shape), axis=1)
        rows = np.arange(len(best))
        line, place = (REACH + MOVES[best, axis] for axis in (0, 1))
        blocked = solid[rows, line, place] | wanted[rows, line, place]
        faced = (around.facing == MOVES[best]).all(axis=1)
        return np.where(blocked & faced, DO, best + 1), beside.min(axis=1) < _FAR


def _square(top: np.ndarray, left: np.ndarray, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns indices of a rectangle in each environment's map."""
    return (
        np.arange(len(top))[:, None, None],
        (top[:, None] + np.arange(rows))[:, :, None],
        (left[:, None] + np.arange(columns))[:, None, :],
    )


def _diggable(around: Surroundings) -> np.ndarray:
    """Returns which cells the agent's tools take away."""
    with_tool = {"tree": None, "stone": "wood_pickaxe", "coal": "wood_pickaxe", "iron": "stone_pickaxe"}
    found = np.zeros(around.tiles.shape, bool)
    for kind, tool in with_tool.items():
        able = True if tool is None else around.has(tool)[:, None, None] > 0
        found |= (around.tiles == TILES.kinds.index(kind)) & able
    return found


def _distances(open_: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns int16 `[environments, side, side]`, moves to the nearest wanted cell over open ones, `_FAR` if none."""
    padded = np.full((len(open_), _SIDE + 2, _SIDE + 2), _FAR, np.int16)
    inner = padded[:, 1:-1, 1:-1]
    inner[wanted] = 0
    open_ = open_ & ~wanted
    for _ in range(LONGEST):
        nearest = np.minimum(
            np.minimum(padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]), np.minimum(padded[:, 1:-1, :-2], padded[:, 1:-1, 2:])
        )
        np.copyto(inner, np.minimum(inner, nearest + np.int16(1)), where=open_)
    return np.minimum(inner, _FAR)
