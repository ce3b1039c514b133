"""Structure as people write it: a JSON document of tiles, entities and quantities, by their names.

    {
      "tiles": ["grass grass tree …", …],                       a row of names each, or one name for all
      "entities": [{"type": "cow", "x": 2, "y": -1, "health": 3}, {"type": "agent", "facing_y": 1}],
      "quantities": {"health": 7, "wood": 2, "daylight": 0.3}
    }

Places are in tiles from the agent, x to the right and y upwards, whole numbers; the agent may be left out, and stands
at 0, 0. Where frames scroll by fractions of a tile (CoinRun), places are such fractions, from the middle of the tile in
which the agent is, and it may itself be off that by half a tile. Fields that an entity does not give are what such a
one comes with (a zombie 5 points of health), or 0; quantities that are not named have the value with which an episode
begins. Any of the three parts may be left out, and is then unknown, or empty where frames scroll. A world without
quantities has two parts.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from oyster_jax.core.facts import Moments
from oyster_jax.core.observation import Observation
from oyster_jax.core.spec import EntitySpec, QuantitySpec, TileSpec, WorldSpec
from oyster_jax.models.structure import StructureConfig
from oyster_jax.worlds.errors import WorldError

PARTS = ("tiles", "entities", "quantities")

#: Larger numbers mean nothing in any world, and would soon be infinite.
_LARGEST = 1e6

#: From the middle of a tile to its edge, in tiles.
_HALF = 0.5

#: Probability from which on an entity is told.
_THERE = 0.5


def read_structure(path: Path) -> dict[str, Any]:
    """Returns the document in a file.

    Raises:
      WorldError: there is none, or it is no JSON object.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise WorldError(f"{path} cannot be read ({error.strerror or error}); give a file of JSON.") from error
    except ValueError as error:
        raise WorldError(f"{path} is not JSON ({error}); mend it there.") from error
    if not isinstance(data, dict):
        raise WorldError(f'{path} holds no JSON object; write one, as in {{"tiles": "grass"}}.')
    return data


def parse(spec: WorldSpec, data: Mapping[str, Any]) -> Observation:
    """Returns the moment that a document describes.

    Raises:
      WorldError: something in it is not as it should be, or the world has no structure.
    """
    if spec.tiles is None or spec.entity is None:
        raise WorldError(f"The world '{spec.name}' knows frames only, and cannot begin from entities.")
    if not isinstance(data, Mapping):
        example = json.dumps({"tiles": spec.tiles.kinds[0]})
        raise WorldError(f"A description is an object, as in {example}; read a file of JSON first.")
    parts = PARTS if spec.quantities is not None else PARTS[:2]
    if unknown := set(data) - set(parts):
        raise WorldError(f"A description has {', '.join(parts)}, but no '{min(map(str, unknown))}'; leave it out.")
    if not data:
        raise WorldError(f"The description is empty; give any of {', '.join(parts)}.")
    found: dict[str, Any] = {}
    if "tiles" in data:
        found["tiles"] = _tiles(spec.tiles, data["tiles"])
    if "entities" in data:
        found["entities"], found["entity_mask"] = _entities(spec.entity, spec.tiles, data["entities"])
    if "quantities" in data and spec.quantities is not None:
        found["quantities"] = _quantities(spec.quantities, data["quantities"])
    return Observation(**{name: jnp.asarray(array) for name, array in found.items()})


def described(spec: WorldSpec, config: StructureConfig, reading: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Returns the document of what a latent tells, see `models.structure.reading`; `parse` reads it again.

    An entity has its `probability` beside what it is.
    """
    assert spec.tiles is not None
    assert spec.entity is not None
    assert spec.quantities is not None
    kinds, names = spec.tiles.kinds, spec.entity.types
    fields = [spec.entity.fields[column] for column in config.columns[3:]]
    entities = []
    for token, kind in np.argwhere(reading["types"] > _THERE):
        row, column = divmod(int(token), config.grid[1])
        place = {"x": column - config.agent[1], "y": config.agent[0] - row}
        own = {name: round(float(value), 2) for name, value in zip(fields, reading["attributes"][token], strict=True)}
        sure = round(float(reading["types"][token, kind]), 3)
        entities.append({"type": names[kind], **place, **own, "probability": sure})
    values = zip(spec.quantities.names, reading["quantities"], strict=True)
    return {
        "tiles": [[kinds[kind] for kind in row] for row in reading["tiles"].tolist()],
        "entities": entities,
        "quantities": {name: round(float(value), 3) for name, value in values},
    }


def documented(spec: WorldSpec, moment: Moments) -> dict[str, Any]:
    """Returns the document of one moment, whose entities the frame shows; `parse` reads it again."""
    assert spec.tiles is not None
    assert spec.entity is not None
    assert spec.quantities is not None
    values = zip(spec.quantities.names, moment.quantities[0].tolist(), strict=True)
    table = moment.entities[0][moment.entity_mask[0]]
    return pictured(spec, moment.tiles[0], table) | {"quantities": {name: round(value, 3) for name, value in values}}


def pictured(spec: WorldSpec, tiles: np.ndarray, table: np.ndarray) -> dict[str, Any]:
    """Returns tiles `[rows, columns]` and those of the entities `[entities, fields]` that a frame shows, as a document.

    Fields in which a thing is as such a one comes are left out.
    """
    assert spec.tiles is not None
    assert spec.entity is not None
    fields = spec.entity.fields
    origin = table[0, [fields.index("x"), fields.index("y")]]
    origin = np.floor(origin) + _HALF if spec.tiles.scrolls else origin
    entities = []
    for row in table.tolist():
        own = dict(zip(fields, row, strict=True))
        kind = spec.entity.types[int(own.pop("type"))]
        place = {name: float(own.pop(name) - start) for name, start in zip(("x", "y"), origin, strict=True)}
        if kind and placed(spec.tiles, **place):
            said = {name: value for name, value in own.items() if value != spec.entity.usual_value(kind, name)}
            entities.append({"type": kind, **place, **said})
    return {"tiles": [[spec.tiles.kinds[kind] for kind in row] for row in tiles.tolist()], "entities": entities}


def _tiles(spec: TileSpec, given: Any) -> np.ndarray:
    if isinstance(given, str):
        given = [[given] * spec.columns] * spec.rows
    rows = [row.split() if isinstance(row, str) else row for row in given] if isinstance(given, list) else None
    if rows is None or len(rows) != spec.rows or not all(isinstance(row, list) for row in rows):
        count = "none" if rows is None else len(rows)
        raise WorldError(
            f"The tiles are {spec.rows} rows of names, or one name for all of them, but {count} were given."
        )
    for number, row in enumerate(rows, start=1):
        if len(row) != spec.columns:
            raise WorldError(f"Row {number} of the tiles has {len(row)} names, but a frame shows {spec.columns}.")
        for name in row:
            if name not in spec.kinds:
                raise WorldError(f"There is no tile '{name}' (row {number}); this world has {', '.join(spec.kinds)}.")
    return np.array([[spec.kinds.index(name) for name in row] for row in rows], np.uint8)


def _entities(spec: EntitySpec, tiles: TileSpec, given: Any) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise WorldError(f'The entities are a list of objects, as in [{{"type": "{spec.named[1]}", "x": 2, "y": -1}}].')
    agents = [one for one in given if one.get("type") == spec.types[0]]
    if len(agents) > 1:
        raise WorldError(f"There is one {spec.types[0]} in a world, but {len(agents)} were given.")
    others = [one for one in given if one.get("type") != spec.types[0]]
    if len(others) >= spec.capacity:
        raise WorldError(f"At most {spec.capacity - 1} entities fit beside the agent, but {len(others)} were given.")
    table = np.zeros((spec.capacity, len(spec.fields)), np.float32)
    mask = np.zeros(spec.capacity, bool)
    mask[0] = True
    for row, one in enumerate([*(agents or [{}]), *others]):
        kind = one.get("type", spec.types[0] if row == 0 else None)
        if kind not in spec.named:
            raise WorldError(f"There is no entity of type '{kind}'; this world has {', '.join(spec.named)}.")
        table[row] = [spec.usual_value(kind, name) for name in spec.fields]
        for name, value in one.items():
            if name in ("type", "probability"):
                continue
            if name not in spec.fields:
                known = ", ".join(field for field in spec.fields if field != "type")
                raise WorldError(f"A {kind} has no '{name}'; entities of this world have {known}.")
            table[row, spec.column(name)] = number(value, f"The {name} of a {kind}")
        table[row, spec.column("type")] = spec.types.index(kind)
        x, y = (float(table[row, spec.column(axis)]) for axis in ("x", "y"))
        if row == 0 and not (-_HALF <= min(x, y) <= max(x, y) < _HALF if tiles.scrolls else x == y == 0):
            off = ", or less than half a tile off it" if tiles.scrolls else ""
            raise WorldError(
                f"The {kind} stands at x 0, y 0{off}, not at x {x:g}, y {y:g}, for places count from there; move tiles "
                "and other things instead."
            )
        check_place(tiles, f"The {kind}", x, y)
        mask[row] = True
    if tiles.scrolls:
        # As in a level: fractions tell where in its tile something is.
        table[mask] += _HALF * np.isin(spec.fields, ("x", "y"))
    return table, mask


def check_place(tiles: TileSpec, what: str, x: float, y: float) -> None:
    """Checks that a place, in tiles from the agent, is one that a frame shows.

    Raises:
      WorldError: it lies beyond; the sentence begins with `what`.
    """
    if not placed(tiles, x, y):
        left, right, bottom, top = _bounds(tiles)
        raise WorldError(
            f"{what} at x {x:g}, y {y:g} lies beyond the frame, which shows x {left} to {right} and y {bottom} to "
            f"{top} around the agent."
        )


def placed(tiles: TileSpec, x: float, y: float) -> bool:
    """Whether a place, in tiles from the agent, is one that a frame shows."""
    left, right, bottom, top = _bounds(tiles)
    return left <= x <= right and bottom <= y <= top


def _bounds(tiles: TileSpec) -> tuple[int, int, int, int]:
    """Returns the places of the outermost tiles: left, right, bottom, top."""
    left, top = -tiles.agent[1], tiles.agent[0]
    return left, left + tiles.columns - 1, top - tiles.rows + 1, top


def _quantities(spec: QuantitySpec, given: Any) -> np.ndarray:
    if not isinstance(given, Mapping):
        raise WorldError('The quantities are an object of numbers by name, as in {"health": 7}.')
    values = np.array(spec.usual or (0.0,) * len(spec.names), np.float32)
    for name, value in given.items():
        found = quantity(spec, name, value)
        values[spec.column(name)] = found
    return values


def quantity(spec: QuantitySpec, name: str, value: Any) -> float:
    """Returns the value of a quantity that stands in a document.

    Raises:
      WorldError: the world has no such quantity, or it has not such a value.
    """
    if name not in spec.names:
        raise WorldError(f"This world has no quantity '{name}'; it has {', '.join(spec.names)}.")
    most, found = spec.most[spec.column(name)], number(value, f"The quantity {name}")
    if not 0 <= found <= most:
        raise WorldError(f"The quantity {name} lies between 0 and {most:g}, but was {found:g}.")
    return found


def number(value: Any, what: str) -> float:
    """Returns a number that stands in a document.

    Raises:
      WorldError: it is none, or no finite one; the sentence begins with `what`.
    """
    # Whole numbers of JSON may be larger than any float.
    ordinary = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not ordinary or not abs(value) < _LARGEST:
        raise WorldError(f"{what} is a number, but was {json.dumps(value, default=str)}.")
    return float(value)
