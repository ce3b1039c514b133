"""Things of a world at one moment: which moved on their own, which pixels they take, which of them a model knows of."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from oyster_jax.core.spec import EntitySpec

#: Tiles within which a thing of the simulator counts as not having moved.
STILL = 0.05

#: Tiles around a moved thing's own box that its picture may cover, and above the agent, whose picture is taller.
MARGIN = 0.25
HEADROOM = 1.0

#: Tiles within which a thing that a model reads out is the simulator's, and how probable it must be.
WITHIN = 1.0
PRESENT = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agreement:
    """How many things a model and the simulator agree on.

    Attributes:
      hits: things of both, of one type and within `WITHIN` tiles.
      said: things that the model reads out.
      true: things of the simulator.
    """

    hits: int
    said: int
    true: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Things:
    """Things at one moment; absolute places in tiles, y up. Row 0 is the agent.

    Attributes:
      places: float `[things, 2]`.
      halves: float `[things, 2]`, half their width and height.
      types: float `[things]`.
    """

    places: Float[np.ndarray, "things 2"]
    halves: Float[np.ndarray, "things 2"]
    types: Float[np.ndarray, "things"]

    @classmethod
    def of(cls, spec: EntitySpec, table: Float[np.ndarray, "rows fields"], mask: Bool[np.ndarray, "rows"]) -> "Things":
        """Reads them out of a recording's table `[capacity, fields]`."""
        rows = table[mask]
        columns = {name: rows[:, spec.column(name)] for name in ("x", "y", "rx", "ry", "type")}
        return cls(
            places=np.stack([columns["x"], columns["y"]], axis=-1),
            halves=np.stack([columns["rx"], columns["ry"]], axis=-1),
            types=columns["type"],
        )

    def moved_since(self, other: "Things") -> Bool[np.ndarray, "things"]:
        """Returns which of these have nothing of their type at their place in `other`."""
        same = self.types[:, None] == other.types
        apart = np.linalg.norm(self.places[:, None] - other.places, axis=-1)
        return ~(same & (apart < STILL)).any(axis=1)

    def pixels(
        self, which: Bool[np.ndarray, "things"], camera: Float[np.ndarray, "2"], scale: float, height: int, width: int
    ) -> Bool[np.ndarray, "height width"]:
        """Returns the pixels that some of the things may cover.

        Args:
          which: of the things.
          camera: the middle of the frame in the level, in tiles, y up.
          scale: pixels a tile.
          height: pixels.
          width: pixels.
        """
        covered = np.zeros((height, width), bool)
        right = (np.arange(width) + (1 - width) / 2) / scale
        up = -(np.arange(height) + (1 - height) / 2) / scale
        for index in np.flatnonzero(which):
            x, y = self.places[index] - camera
            half, tall = self.halves[index] + MARGIN
            top = y + tall + (HEADROOM - MARGIN if index == 0 else 0)
            covered |= ((up >= y - tall) & (up <= top))[:, None] & (np.abs(right - x) <= half)
        return covered


def agreement(
    things: Things,
    ignored: Bool[np.ndarray, "things"],
    camera: Float[np.ndarray, "2"],
    table: Float[np.ndarray, "rows 5"],
    probability: Float[np.ndarray, "rows"],
    inside: Bool[np.ndarray, "height width"],
    scale: float,
) -> Agreement:
    """Counts on what a model's read-outs and the simulator agree, nearest pairs first; the agent is left out.

    Args:
      things: the simulator's.
      ignored: things that neither need be known nor count as wrong where they are.
      camera: the middle of the frame in the level, in tiles, y up.
      table: the model's, columns type, x, y, vx, vy, in tiles from the middle of its frame, y up.
      probability: of its rows.
      inside: pixels of the frame in which things count.
      scale: pixels a tile.
    """
    agent = things.types[0]
    relative = things.places - camera
    true = (things.types != agent) & _within(relative, inside, scale)
    said = (probability >= PRESENT) & (table[:, 0] != agent) & _within(table[:, 1:3], inside, scale)
    relative, types, ignored = relative[true], things.types[true], ignored[true]
    places, kinds = table[said, 1:3], table[said, 0]
    apart = np.linalg.norm(relative[:, None] - places, axis=-1)
    apart = np.where((types[:, None] == kinds) & (apart <= WITHIN), apart, np.inf)
    hits = excused = 0
    while apart.size and np.isfinite(apart.min()):
        row, column = np.unravel_index(apart.argmin(), apart.shape)
        hits, excused = hits + (not ignored[row]), excused + bool(ignored[row])
        apart[row], apart[:, column] = np.inf, np.inf
    return Agreement(hits=hits, said=len(kinds) - excused, true=int((~ignored).sum()))


def _within(relative: np.ndarray, inside: np.ndarray, scale: float) -> np.ndarray:
    """Whether places in tiles from the frame's middle fall on pixels that count."""
    height, width = inside.shape
    column = np.floor(relative[:, 0] * scale + width / 2).astype(int)
    row = np.floor(-relative[:, 1] * scale + height / 2).astype(int)
    shown = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return shown & inside[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
