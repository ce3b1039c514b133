"""Facts of a moment: what people say of it, as counts of tiles, entities or quantities that lie between bounds."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from oyster_jax.core.spec import WorldSpec

#: Where a fact may be said to hold. Sides are wedges: what lies at least as far to a side as across it. `beside` are
#: the eight tiles around the agent, `near` those at most two away.
REGIONS = ("here", "left", "right", "above", "below", "beside", "near")
SIDES = REGIONS[1:5]

#: Words of people for `SIDES`.
_SIDES_SAID = {"left": "to the left", "right": "to the right", "above": "above", "below": "below"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that is so, or not: a number of things in a region that lies between two bounds.

    Attributes:
      name: as in `water_left`.
      says: the same in words, as in `water to the left`.
      topic: what it is about, as in `water`; facts of one topic may exclude each other.
      part: which part of the structure is counted: tiles of some kinds, entities of some types, or the sum of some
        quantities.
      of: names of the kinds, types or quantities.
      region: one of `REGIONS`; quantities are `here`.
      least: the smallest number that makes it so.
      most: the largest; no bound where it is None.
    """

    name: str
    says: str
    topic: str
    part: Literal["tiles", "entities", "quantities"]
    of: tuple[str, ...]
    region: str = "here"
    least: float = 1.0
    most: float | None = None

    def __post_init__(self) -> None:
        if self.region not in REGIONS:
            raise ValueError(f"The fact {self.name} is of the region '{self.region}'; known are {', '.join(REGIONS)}.")

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Rebuilds a fact from its fields."""
        return cls(**{**data, "of": tuple(data["of"])})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moments:
    """The structure of moments, as recordings hold it.

    Attributes:
      tiles: uint8 `[moments, rows, columns]`.
      entities: float32 `[moments, capacity, fields]`, row 0 the agent.
      entity_mask: bool `[moments, capacity]`.
      quantities: float32 `[moments, quantities]`.
    """

    tiles: UInt8[np.ndarray, "moments rows columns"]
    entities: Float32[np.ndarray, "moments capacity fields"]
    entity_mask: Bool[np.ndarray, "moments capacity"]
    quantities: Float32[np.ndarray, "moments quantities"]

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, rows: Any) -> "Moments":
        """Returns some of the moments."""
        return Moments(**{field.name: getattr(self, field.name)[rows] for field in dataclasses.fields(self)})

    @staticmethod
    def joined(parts: "Sequence[Moments]") -> "Moments":
        """Returns the moments of several in one."""
        names = [field.name for field in dataclasses.fields(Moments)]
        return Moments(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def region(spec: WorldSpec, name: str) -> Bool[np.ndarray, "rows columns"]:
    """Returns which tiles of a frame belong to a region; the agent's own belongs to `here` only."""
    assert spec.tiles is not None
    rows = np.arange(spec.tiles.rows)[:, None] - spec.tiles.agent[0]
    columns = np.arange(spec.tiles.columns)[None, :] - spec.tiles.agent[1]
    across, along = np.abs(rows), np.abs(columns)
    far = np.maximum(across, along)
    return {
        "here": far >= 0,
        "left": (columns < 0) & (along >= across),
        "right": (columns > 0) & (along >= across),
        "above": (rows < 0) & (across >= along),
        "below": (rows > 0) & (across >= along),
        "beside": (far == 1),
        "near": (far >= 1) & (far <= 2),
    }[name]


def places(spec: WorldSpec, moments: Moments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns where entities stand in the frame: rows and columns, int, and which of them, but the agent, it shows."""
    assert spec.entity is not None
    assert spec.tiles is not None
    x, y = (moments.entities[..., spec.entity.column(name)] for name in ("x", "y"))
    row = np.round(y[:, :1] - y).astype(int) + spec.tiles.agent[0]
    column = np.round(x - x[:, :1]).astype(int) + spec.tiles.agent[1]
    shown = (row >= 0) & (row < spec.tiles.rows) & (column >= 0) & (column < spec.tiles.columns)
    shown &= moments.entity_mask
    shown[:, 0] = False
    return row, column, shown


def holds(spec: WorldSpec, facts: Sequence[Fact], moments: Moments) -> Bool[np.ndarray, "moments facts"]:
    """Returns which facts are so in which moments.

    Raises:
      ValueError: a fact is of something that the world does not have.
    """
    wheres = np.stack([region(spec, name) for name in REGIONS]).reshape(len(REGIONS), -1).astype(np.float32)
    tiles = _tiles_counted(spec, moments, wheres)
    entities = _entities_counted(spec, moments, wheres)
    found = np.zeros((len(moments), len(facts)), bool)
    for number, fact in enumerate(facts):
        ids, where = _numbers(spec, fact), REGIONS.index(fact.region)
        if fact.part == "quantities":
            count = moments.quantities[:, ids].sum(axis=1)
        else:
            count = (tiles if fact.part == "tiles" else entities)[:, ids, where].sum(axis=1)
        # Half a hundredth of slack: quantities are float32.
        most = np.inf if fact.most is None else fact.most + 0.005
        found[:, number] = (count >= fact.least - 0.005) & (count <= most)
    return found


def _tiles_counted(spec: WorldSpec, moments: Moments, wheres: np.ndarray) -> np.ndarray:
    """Returns how many tiles of each kind each region has, float32 `[moments, kinds, regions]`."""
    assert spec.tiles is not None
    flat = moments.tiles.reshape(len(moments), -1)
    return np.stack([(flat == kind).astype(np.float32) @ wheres.T for kind in range(len(spec.tiles.kinds))], axis=1)


def _entities_counted(spec: WorldSpec, moments: Moments, wheres: np.ndarray) -> np.ndarray:
    """Returns the same of entities of each type."""
    assert spec.entity is not None
    assert spec.tiles is not None
    row, column, shown = places(spec, moments)
    kind = moments.entities[..., spec.entity.column("type")].astype(int)
    counted = np.zeros((len(moments), len(spec.entity.types), len(wheres)), np.float32)
    moment, entity = np.nonzero(shown)
    cell = row[moment, entity] * spec.tiles.columns + column[moment, entity]
    np.add.at(counted, (moment, kind[moment, entity]), wheres.T[cell])
    return counted


def _numbers(spec: WorldSpec, fact: Fact) -> list[int]:
    owner = {"tiles": spec.tiles, "entities": spec.entity, "quantities": spec.quantities}[fact.part]
    names = {"tiles": "kinds", "entities": "types", "quantities": "names"}[fact.part]
    known = () if owner is None else getattr(owner, names)
    if unknown := set(fact.of) - set(known):
        raise ValueError(f"The fact {fact.name} is of {min(unknown)}, but the world has {', '.join(known) or 'none'}.")
    return [known.index(name) for name in fact.of]


def sided(side: str) -> str:
    """Returns a region of `SIDES` in words, as in `to the left`."""
    return _SIDES_SAID[side]
