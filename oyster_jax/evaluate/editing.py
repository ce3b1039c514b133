"""Edits: is what was changed otherwise, and nothing else?

A state after real frames is edited as `World.edit` does it, one change at a time, and lives one idle tick beside the
same state left alone, with the same noise. Intended: what was changed is told so at once, and still after the tick (a
creature may have taken a step). Else: the share of other tiles that the two tell differently after the tick.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.batch import begin, window_keys
from oyster_jax.evaluate.chunks import Progress, padded_chunks
from oyster_jax.evaluate.windows import check_dataset, choose_windows, read_windows
from oyster_jax.models.sketch import Sketch
from oyster_jax.models.structure import Cells, StructureConfig
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.typing import Array, Params

CHUNK = 32

#: What is done, one of them to a moment.
KINDS = ("add", "remove", "tile", "set")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EditFigures:
    """Of one kind of edit, or of all.

    Attributes:
      moments: how many were tried.
      at_once: share at which the edited state tells what was intended, 0 to 1.
      later: the same after a tick.
      others: share of other tiles that are otherwise after the tick than without the edit.
    """

    moments: int
    at_once: float
    later: float
    others: float


class Change(NamedTuple):
    """One edit: the token, the part of `Cells` (kinds, types or levels), and the number that it gets or loses."""

    part: str
    token: int
    number: int
    there: bool


def edit_figures(
    model: WorldNetwork,
    params: Params,
    dataset: EpisodeDataset,
    *,
    moments: int,
    context: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, EditFigures]:
    """Tries `moments` moments, with one edit each; the last entry, `all`, is the mean over kinds.

    Raises:
      DatasetError: the recording is not held out or not of this world, or the world tells no structure.
    """
    check_dataset(dataset, model.spec)
    grid = model.tokenizer.structure
    if grid is None:
        raise DatasetError(f"The world of {dataset.folder} does not tell what is in its frames.")
    windows = choose_windows(dataset.lengths, context, moments, seed)
    generator = np.random.default_rng(seed)
    rows: dict[str, list[tuple[bool, bool, float]]] = {}
    for chosen, count in padded_chunks(len(windows), min(CHUNK, len(windows))):
        read = read_windows(dataset, windows, chosen, context, ("frames", "actions"))
        states = begin(model, params, read["frames"], read["actions"][:, :-1], window_keys(seed, chosen))
        known = jax.device_get(_known(model, params, states))
        seen = np.asarray(known.levels)
        changes = [_drawn(grid, _row(known, index), seen, KINDS[number % len(KINDS)], generator)
                   for index, number in enumerate(chosen)]  # fmt: skip
        outcome = _tried(model, params, states, known, changes)
        for number, change, row in list(zip(chosen, changes, outcome, strict=True))[:count]:
            if change is not None:
                rows.setdefault(KINDS[number % len(KINDS)], []).append(row)
        if progress is not None:
            progress(int(chosen[-1]) + 1, len(windows))
    found = {kind: _figures(rows[kind]) for kind in KINDS if kind in rows}
    means = {name: float(np.mean([getattr(one, name) for one in found.values()]))
             for name in ("at_once", "later", "others")}  # fmt: skip
    return found | {"all": EditFigures(moments=sum(one.moments for one in found.values()), **means)}


def _drawn(
    grid: StructureConfig, known: Cells, seen: np.ndarray, kind: str, generator: np.random.Generator
) -> Change | None:
    """Draws an edit of a kind that makes sense in a moment; None where there is none.

    Numbers are set to what they are in others of the moments, `seen` `[moments, tokens, levels]`.
    """
    kinds, types, levels = (np.asarray(part) for part in (known.kinds, known.types, known.levels))
    agent = grid.agent[0] * grid.grid[1] + grid.agent[1]
    standing = types.sum(axis=1) > 0
    free = grid.tiled & ~standing
    free[agent] = False
    if kind == "add":
        # Where the agent can stand, a creature can.
        places = np.flatnonzero(free & (kinds.argmax(axis=1) == kinds[agent].argmax()))
        return Change("types", _one(places, generator), 1 + int(generator.integers(2)), True) if len(places) else None
    if kind == "remove":
        there = np.argwhere(types[:, 1:] > 0)
        if not len(there):
            return None
        token, number = there[generator.integers(len(there))]
        return Change("types", int(token), int(number) + 1, False)
    if kind == "tile":
        token = _one(np.flatnonzero(free), generator)
        others = [number for number in np.unique(kinds[grid.tiled].argmax(axis=1)) if number != kinds[token].argmax()]
        return Change("kinds", token, int(generator.choice(others)), True) if others else None
    column = int(generator.choice(grid.placed))
    place = grid.places[column]
    assert place is not None
    token = place[0] * grid.grid[1] + place[1]
    values = [value for value in np.unique(seen[:, token].argmax(axis=1)) if value != levels[token].argmax()]
    return Change("levels", token, int(generator.choice(values)), True) if values else None


def _one(places: np.ndarray, generator: np.random.Generator) -> int:
    return int(places[generator.integers(len(places))])


def _tried(
    model: WorldNetwork, params: Params, states: Any, known: Cells, changes: list[Change | None]
) -> list[tuple[bool, bool, float]]:
    """Returns for each moment whether what was meant is so at once, and later, and the share of what else changed."""
    grid = model.tokenizer.structure
    assert grid is not None
    touched = np.zeros((len(changes), grid.tokens), bool)
    wanted = []
    for index, change in enumerate(changes):
        wanted.append(_changed(Sketch(model.spec, grid, _row(known, index)), change))
        if change is not None:
            touched[index, change.token] = True
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *wanted)
    edited, later, alone = jax.device_get(_lived(model, params, states, stacked, jnp.asarray(touched)))
    rows = []
    for index, change in enumerate(changes):
        if change is None:
            rows.append((False, False, 0.0))
            continue
        near = _neighbours(grid, change.token) if change.part == "types" and change.there else [change.token]
        told, left = (
            {name: np.asarray(getattr(cells, name))[index] for name in ("kinds", "types", "levels")}
            for cells in (later, alone)
        )
        now = bool(np.asarray(getattr(edited, change.part))[index, change.token, change.number]) == change.there
        then = bool(told[change.part][near, change.number].any()) == change.there
        different = (told["kinds"] != left["kinds"]).any(axis=1) | (told["types"] != left["types"]).any(axis=1)
        different = different & grid.tiled
        different[_neighbours(grid, change.token)] = False
        rows.append((now, then, float(different.sum() / grid.tiled.sum())))
    return rows


def _changed(sketch: Sketch, change: Change | None) -> Cells:
    if change is None:
        return sketch.cells()
    match change.part:
        case "kinds":
            sketch.tile(change.token, change.number)
        case "levels":
            sketch.level(change.token, change.number)
        case _ if change.there:
            sketch.put(change.token, change.number, sketch.usual(change.number))
        case _:
            sketch.take(change.token, change.number)
    return sketch.cells()


def _neighbours(grid: StructureConfig, token: int) -> list[int]:
    """Returns a token and those to which a creature could step from it."""
    row, column = divmod(token, grid.grid[1])
    steps = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
    places = ((row + down, column + right) for down, right in steps)
    return [
        at * grid.grid[1] + beside for at, beside in places if 0 <= at < grid.grid[0] and 0 <= beside < grid.grid[1]
    ]


@functools.partial(jax.jit, static_argnums=0)
def _known(model: WorldNetwork, params: Params, states: Any) -> Cells:
    return jax.vmap(model.known, (None, 0))(params, states)


@functools.partial(jax.jit, static_argnums=0)
def _lived(
    model: WorldNetwork, params: Params, states: Any, wanted: Cells, touched: Array
) -> tuple[Cells, Cells, Cells]:
    """Returns what is told after the edits, a tick later, and a tick later without them."""
    idle = jnp.int32(model.spec.action.names.index(model.spec.action.idle))

    def one(state: Any, wanted: Cells, touched: Array) -> tuple[Cells, Cells, Cells]:
        edited = model.edited(params, state, wanted, touched)
        later, alone = (model.advance(params, start, idle) for start in (edited, state))
        first, second, third = (model.known(params, seen) for seen in (edited, later, alone))
        return first, second, third

    return jax.vmap(one)(states, wanted, touched)


def _row(known: Cells, index: int) -> Cells:
    return jax.tree.map(lambda leaf: leaf[index], known)


def _figures(rows: list[tuple[bool, bool, float]]) -> EditFigures:
    at_once, later, others = np.mean(np.array(rows, np.float64), axis=0).tolist()
    return EditFigures(moments=len(rows), at_once=at_once, later=later, others=others)
