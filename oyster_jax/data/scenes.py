"""Scenes: the structure of moments as small whole numbers, and back; what these mean is read off a recording."""

import dataclasses
from typing import Any, Self

import numpy as np
from jaxtyping import Int32

from oyster_jax.core.facts import Moments, places
from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.episode import STRUCTURE
from oyster_jax.data.errors import DatasetError

#: Fields of the agent that say how it stands.
POSE = ("facing_x", "facing_y")

#: Values into which a quantity that is no whole number is cut.
_CUTS = 21

#: More than there are types of entities.
_TYPES = 256


def read_moments(dataset: EpisodeDataset) -> Moments:
    """Returns the structure of all ticks of a recording.

    Raises:
      DatasetError: it holds none.
    """
    if missing := set(STRUCTURE) - set(dataset.content):
        raise DatasetError(
            f"{dataset.folder} holds no {', '.join(sorted(missing))}; record a world that has structure."
        )
    windows = (dataset.window(episode, 0, int(ticks), STRUCTURE) for episode, ticks in enumerate(dataset.lengths))
    return Moments.joined([Moments(**window) for window in windows])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scenes:
    """What the tokens of a scene mean.

    Attributes:
      spec: of the world.
      symbols: what a tile can be, pairs of a kind and the type of the entity on it (0 for none; the agent is none).
      standing: which of them have been under the agent.
      values: those that each quantity takes.
      poses: how the agent stands, values of the `POSE` fields that there are.
      usual: a row of the entity table for each type: the median of each field over the recording.
    """

    spec: WorldSpec
    symbols: tuple[tuple[int, int], ...]
    standing: tuple[int, ...]
    values: tuple[tuple[float, ...], ...]
    poses: tuple[tuple[float, ...], ...]
    usual: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, spec: WorldSpec, moments: Moments) -> Self:
        """Reads off a recording what there can be."""
        assert spec.tiles is not None
        assert spec.quantities is not None
        grid = _laid(spec, moments)
        numbers = grid[..., 0] * _TYPES + grid[..., 1]
        counts = np.bincount(numbers.reshape(-1))
        known = [number for number in np.argsort(-counts, kind="stable").tolist() if counts[number]]
        under = set(numbers[:, *spec.tiles.agent].tolist())
        whole = (moments.quantities == np.round(moments.quantities)).all(axis=0)
        values = tuple(
            tuple(np.arange(most + 1).tolist() if exact else np.linspace(0, most, _CUTS).tolist())
            for most, exact in zip(spec.quantities.most, whole.tolist(), strict=True)
        )
        stands = moments.entities[:, 0][:, _pose(spec)]
        poses = np.unique(stands, axis=0) if stands.shape[1] else stands[:1]
        return cls(
            spec=spec,
            symbols=tuple(divmod(number, _TYPES) for number in known),
            standing=tuple(place for place, number in enumerate(known) if number in under),
            values=values,
            poses=tuple(tuple(pose) for pose in poses.tolist()),
            usual=_usual(spec, moments),
        )

    def to_json(self) -> dict[str, Any]:
        """Returns a JSON-ready dict without the specification; `from_json` is its inverse."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "spec"}

    @classmethod
    def from_json(cls, spec: WorldSpec, data: dict[str, Any]) -> Self:
        """Rebuilds it for a world of a specification."""
        given: dict[str, Any] = {
            name: tuple(tuple(one) if isinstance(one, list) else one for one in value) for name, value in data.items()
        }
        return cls(spec=spec, **given)

    @property
    def levels(self) -> tuple[int, ...]:
        """How many values each token beyond the tiles has: quantities, then the pose."""
        return (*(len(values) for values in self.values), len(self.poses))

    def tokens(self, moments: Moments) -> Int32[np.ndarray, "moments tokens"]:
        """Returns moments as scenes; what there cannot be is taken for the nearest."""
        table = np.zeros((256, 256), np.int32)
        for kind in {kind for kind, _ in self.symbols}:
            table[kind] = next(number for number, pair in enumerate(self.symbols) if pair[0] == kind)
        for number, (kind, inhabitant) in enumerate(self.symbols):
            table[kind, inhabitant] = number
        grid = _laid(self.spec, moments)
        found = [table[grid[..., 0], grid[..., 1]].reshape(len(moments), -1)]
        for column, values in enumerate(self.values):
            found.append(_nearest(moments.quantities[:, column, None], np.array(values)[:, None]))
        found.append(_nearest(moments.entities[:, 0][:, _pose(self.spec)], np.array(self.poses)))
        return np.concatenate(found, axis=1)

    def moments(self, tokens: Int32[np.ndarray, "moments tokens"]) -> Moments:
        """Returns scenes as moments; the agent stands at 0, 0, and entities beyond the table's rows are left out."""
        tiles, entity = self.spec.tiles, self.spec.entity
        assert tiles is not None
        assert entity is not None
        count, area = len(tokens), tiles.rows * tiles.columns
        pairs = np.array(self.symbols)[tokens[:, :area]].reshape(count, tiles.rows, tiles.columns, 2)
        quantities = np.stack(
            [np.array(values, np.float32)[tokens[:, area + column]] for column, values in enumerate(self.values)],
            axis=1,
        )
        table = np.zeros((count, entity.capacity, len(entity.fields)), np.float32)
        mask = np.zeros((count, entity.capacity), bool)
        table[:, 0], mask[:, 0] = self.usual[0], True
        table[:, 0, _pose(self.spec)] = np.array(self.poses, np.float32)[tokens[:, -1]]
        self._share(table, quantities)
        used = np.ones(count, int)
        for moment, row, column in np.argwhere(pairs[..., 1] > 0):
            if (at := used[moment]) < entity.capacity:
                table[moment, at] = self.usual[pairs[moment, row, column, 1]]
                table[moment, at, entity.column("x")] = column - tiles.agent[1]
                table[moment, at, entity.column("y")] = tiles.agent[0] - row
                mask[moment, at] = True
                used[moment] += 1
        return Moments(tiles=pairs[..., 0].astype(np.uint8), entities=table, entity_mask=mask, quantities=quantities)

    def _share(self, table: np.ndarray, quantities: np.ndarray) -> None:
        """Gives the agent those of its fields that are quantities too, as health is."""
        entity, named = self.spec.entity, self.spec.quantities
        assert entity is not None
        assert named is not None
        for name in set(entity.fields) & set(named.names):
            table[:, 0, entity.column(name)] = quantities[:, named.column(name)]


def _laid(spec: WorldSpec, moments: Moments) -> Int32[np.ndarray, "moments rows columns 2"]:
    """Returns for each tile its kind and the type of the entity on it; of several the one in the first row."""
    assert spec.entity is not None
    row, column, shown = places(spec, moments)
    on = np.zeros(moments.tiles.shape, np.int32)
    moment, entity = np.nonzero(shown)
    # Last rows first, so that the first remains.
    order = np.argsort(-entity, kind="stable")
    moment, entity = moment[order], entity[order]
    kind = moments.entities[moment, entity, spec.entity.column("type")].astype(np.int32)
    on[moment, row[moment, entity], column[moment, entity]] = kind
    return np.stack([moments.tiles.astype(np.int32), on], axis=-1)


def _nearest(given: np.ndarray, known: np.ndarray) -> Int32[np.ndarray, "moments 1"]:
    """Returns which row of `known` is nearest to each of `given`."""
    distance = np.square(given[:, None] - known[None]).sum(axis=-1)
    return distance.argmin(axis=1).astype(np.int32)[:, None]


def _pose(spec: WorldSpec) -> list[int]:
    assert spec.entity is not None
    return [spec.entity.column(name) for name in POSE if name in spec.entity.fields]


def _usual(spec: WorldSpec, moments: Moments) -> tuple[tuple[float, ...], ...]:
    """Returns a row for each type, as it stands at 0, 0 and does not move."""
    entity = spec.entity
    assert entity is not None
    rows = moments.entities[moments.entity_mask]
    found = np.zeros((len(entity.types), len(entity.fields)), np.float32)
    for number in range(len(entity.types)):
        if len(of_type := rows[rows[:, entity.column("type")] == number]):
            found[number] = np.quantile(of_type, 0.5, axis=0, method="nearest")
    for name in {"x", "y", "vx", "vy"} & set(entity.fields):
        found[:, entity.column(name)] = 0
    found[:, entity.column("type")] = np.arange(len(entity.types))
    return tuple(tuple(row) for row in found.tolist())
