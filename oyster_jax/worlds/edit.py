"""An edit of a living world as people write it: a JSON document of what is to be otherwise at the present moment.

    {
      "remove": [{"type": "zombie", "x": 1, "y": 0}],
      "move": [{"type": "cow", "x": 2, "y": 0, "to": {"x": 3, "y": 0}}],
      "add": [{"type": "cow", "x": 2, "y": -1, "health": 3}],
      "tiles": [{"x": 0, "y": 1, "kind": "water"}],
      "set": {"health": 7, "wood": 3}
    }

Places are in tiles from the agent, as in `worlds.structure`. Any of the five parts may be left out; they are done in
the order of above. What is moved takes along what it has; what else stands in the description of something that is
removed or moved does not matter, so that what `World.entities` tells may be given as it is. What is added has what it
does not give as things of its type come.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from oyster_jax.core.spec import EntitySpec, TileSpec, WorldSpec
from oyster_jax.models.sketch import Sketch
from oyster_jax.models.structure import Cells, StructureConfig
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.structure import check_place, number, quantity

PARTS = ("remove", "move", "add", "tiles", "set")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thing:
    """An entity at a place.

    Attributes:
      kind: number of its type.
      token: of the grid, where it stands.
      name: type and place, for sentences.
    """

    kind: int
    token: int
    name: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edit:
    """What is to be otherwise, with places as tokens of the grid.

    Attributes:
      remove: entities that go.
      move: entities, and as what they stand where they go to.
      add: entities that come, and their attributes over their scales, NaN where they are as usual.
      tiles: token and number of the kind of each tile that becomes another.
      levels: token and value of each quantity with a place.
      free: row among `StructureConfig.free` and value, over the largest one, of each that has none.
      spec: of the world that it is of.
      config: of that world's structure.
    """

    remove: tuple[Thing, ...]
    move: tuple[tuple[Thing, Thing], ...]
    add: tuple[tuple[Thing, tuple[float, ...]], ...]
    tiles: tuple[tuple[int, int], ...]
    levels: tuple[tuple[int, int], ...]
    free: tuple[tuple[int, float], ...]
    spec: WorldSpec
    config: StructureConfig

    @classmethod
    def parse(cls, spec: WorldSpec, config: StructureConfig, document: Any) -> Self:
        """Returns the edit that a document describes; whether its entities are there is not known here.

        Raises:
          WorldError: something in it is not as it should be.
        """
        assert spec.tiles is not None
        assert spec.entity is not None
        assert spec.quantities is not None
        if not isinstance(document, Mapping) or not document:
            raise WorldError(f"An edit is an object with any of {', '.join(PARTS)}.")
        if unknown := set(document) - set(PARTS):
            raise WorldError(f"An edit has {', '.join(PARTS)}, but no '{min(map(str, unknown))}'; leave it out.")
        where = _Where(entity=spec.entity, tiles=spec.tiles, columns=config.grid[1])
        moved = [(one, where.thing(one, "move", ("to",))) for one in _objects(document, "move")]
        values = document.get("set", {})
        if not isinstance(values, Mapping):
            raise WorldError('What is set is an object of numbers by name, as in {"health": 7}.')
        levels, free = [], []
        for name, value in values.items():
            found, column = quantity(spec.quantities, name, value), spec.quantities.names.index(name)
            if (place := config.places[column]) is not None:
                levels.append((place[0] * config.grid[1] + place[1], round(found)))
            else:
                free.append((config.free.index(column), found / config.most[column]))
        return cls(
            remove=tuple(where.thing(one, "remove") for one in _objects(document, "remove")),
            move=tuple((thing, where.goal(one, thing)) for one, thing in moved),
            add=tuple(
                (where.thing(one, "add"), _attributes(config, spec.entity, one)) for one in _objects(document, "add")
            ),
            tiles=tuple(where.tile(one) for one in _objects(document, "tiles")),
            levels=tuple(levels),
            free=tuple(free),
            spec=spec,
            config=config,
        )

    def applied(self, known: Cells, *, lenient: bool = False) -> Cells:
        """Returns the structure after the edit.

        Args:
          known: the structure before it.
          lenient: leave out what is to go and is not there, and let what comes take the place of what stands there,
            as a replay must on a machine that reads another last bit.

        Raises:
          WorldError: an entity is not there, or something stands where it is to go.
        """
        sketch = Sketch(self.spec, self.config, known)

        def take(thing: Thing) -> np.ndarray:
            if not (sketch.types[thing.token, thing.kind] or lenient):
                raise WorldError(f"There is no {thing.name}; `World.entities` tells what there is.")
            return sketch.take(thing.token, thing.kind)

        def put(thing: Thing, own: np.ndarray) -> None:
            if sketch.types[thing.token].any() and not lenient:
                raise WorldError(f"Something stands already where the {thing.name} is to be; remove or move that too.")
            sketch.put(thing.token, thing.kind, own)

        for thing in self.remove:
            take(thing)
        for thing, own in [(goal, take(thing)) for thing, goal in self.move]:
            put(thing, own)
        for thing, own in self.add:
            put(thing, np.where(np.isnan(own), sketch.usual(thing.kind), own))
        for token, kind in self.tiles:
            sketch.tile(token, kind)
        for token, value in self.levels:
            sketch.level(token, value)
        for row, value in self.free:
            sketch.free[row] = value
        return sketch.cells()


def touched(before: Cells, after: Cells) -> np.ndarray:
    """Returns at which tokens two structures differ, bool `[tokens]`; what has no place is told at all of them."""
    names = ("kinds", "types", "attributes", "levels")
    pairs = [(np.asarray(getattr(before, name)), np.asarray(getattr(after, name))) for name in (*names, "free")]
    *parts, free = (np.any(one != other, axis=-1) for one, other in pairs)
    return np.any(parts, axis=0) | free


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Where:
    """Reads places; `columns` are those of the grid."""

    entity: EntitySpec
    tiles: TileSpec
    columns: int

    def thing(self, one: Mapping[str, Any], part: str, beside: tuple[str, ...] = ()) -> Thing:
        """Returns the entity that is described."""
        kind, others = one.get("type"), self.entity.types[1:]
        if kind not in others:
            said = (
                f"The {kind} stands in the middle of every frame, and an edit does not {part} it"
                if (kind == self.entity.types[0])
                else f"There is no entity of type '{kind}'"
            )
            raise WorldError(f"{said}; an edit of this world is of {', '.join(others)}.")
        for name in one:
            if name not in (*self.entity.fields, "probability", *beside):
                known = ", ".join(field for field in self.entity.fields if field != "type")
                raise WorldError(f"A {kind} has no '{name}'; entities of this world have {known}.")
        return self._at(kind, one, f"The {kind} to {part}")

    def goal(self, one: Mapping[str, Any], thing: Thing) -> Thing:
        """Returns an entity where it is moved to."""
        kind, goal = one["type"], one.get("to")
        if not isinstance(goal, Mapping) or set(goal) != {"x", "y"}:
            raise WorldError(f'The {thing.name} is moved to a place; give it as in "to": {{"x": 3, "y": 0}}.')
        return self._at(kind, goal, f"The place to move the {kind} to,")

    def tile(self, one: Mapping[str, Any]) -> tuple[int, int]:
        """Returns token and kind of a tile."""
        if set(one) != {"x", "y", "kind"}:
            raise WorldError('A tile is given by its place and its new kind, as in {"x": 0, "y": 1, "kind": "water"}.')
        if one["kind"] not in self.tiles.kinds:
            raise WorldError(f"There is no tile '{one['kind']}'; this world has {', '.join(self.tiles.kinds)}.")
        return self._token(*self._place(one, "The tile")), self.tiles.kinds.index(one["kind"])

    def _at(self, kind: str, one: Mapping[str, Any], what: str) -> Thing:
        x, y = self._place(one, what)
        if (x, y) == (0, 0):
            raise WorldError(f"{what} lies at x 0, y 0, where the {self.entity.types[0]} stands; choose another place.")
        return Thing(kind=self.entity.types.index(kind), token=self._token(x, y), name=f"{kind} at x {x}, y {y}")

    def _place(self, one: Mapping[str, Any], what: str) -> tuple[int, int]:
        if missing := [axis for axis in ("x", "y") if axis not in one]:
            raise WorldError(f"{what} has no {missing[0]}; give its place in tiles from the agent.")
        x, y = (round(number(one[axis], f"{what} has a place, whose {axis}")) for axis in ("x", "y"))
        check_place(self.tiles, what, float(x), float(y))
        return x, y

    def _token(self, x: int, y: int) -> int:
        return (self.tiles.agent[0] - y) * self.columns + self.tiles.agent[1] + x


def _objects(document: Mapping[str, Any], part: str) -> list[Mapping[str, Any]]:
    given = document.get(part, [])
    if not isinstance(given, list | tuple) or not all(isinstance(one, Mapping) for one in given):
        raise WorldError(f'The part "{part}" of an edit is a list of objects.')
    return list(given)


def _attributes(config: StructureConfig, spec: EntitySpec, one: Mapping[str, Any]) -> tuple[float, ...]:
    names = [spec.fields[column] for column in config.columns[3:]]
    shares = []
    for name, scale in zip(names, config.scales, strict=True):
        if name not in one:
            shares.append(np.nan)
            continue
        value = number(one[name], f"The {name} of a {one['type']}")
        if abs(value) > scale:
            raise WorldError(f"The {name} of a {one['type']} is at most {scale:g}, but was {value:g}.")
        shares.append(value / scale)
    return tuple(shares)
