"""Events: does what is made to happen come about, and does anything else change?

From moments of a held-out recording at which an event truly happened the world goes on twice with the same noise and
the recorded actions: once it is told of the event, once it is not. Success: within `TICKS` ticks the world tells of
what the event brings about (see `craftax_events.shows`). Collateral: the share of tiles that the two then tell
differently a tick later, beyond the ones that the event itself is about.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.observation import Observation
from oyster_jax.core.rollout import rollout
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.episode import STRUCTURE
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.sources.craftax_events import Sight, shows
from oyster_jax.evaluate.batch import begin, window_keys
from oyster_jax.evaluate.chunks import Progress, padded_chunks
from oyster_jax.evaluate.windows import Windows, check_dataset, draw_windows, read_windows
from oyster_jax.models import structure
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.typing import Array, Params

#: Ticks within which an event must have come about.
TICKS = 8

#: Moments that are simulated in one call.
CHUNK = 16

#: Tiles that an event itself changes, one unless named here.
OWN_TILES = {"arrows_rain": 3}

_ARRAYS = ("frames", "actions", *STRUCTURE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EventFigures:
    """Of one event, or of all.

    Attributes:
      moments: how many were tried.
      success: share at which it came about when the world was told, 0 to 1.
      untold: share at which the same was seen when it was not told.
      real: share at which it was seen in the recording.
      collateral: share of tiles that changed without being meant, 0 to 1.
    """

    moments: int
    success: float
    untold: float
    real: float
    collateral: float


def event_figures(
    model: WorldNetwork,
    params: Params,
    dataset: EpisodeDataset,
    *,
    moments: int,
    context: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, EventFigures]:
    """Measures at most `moments` of each event; the last entry, `all`, is their mean over events.

    Raises:
      DatasetError: the recording is not held out, not of this world, or nothing is made to happen in it.
    """
    check_dataset(dataset, model.spec)
    events = model.spec.events
    if events is None or "events" not in dataset.content:
        raise DatasetError(f"Nothing is made to happen in {dataset.folder}; record with --events.")
    windows, ids = _happened(dataset, len(events.names), moments, context, seed)
    rows = []
    for chosen, count in padded_chunks(len(windows), min(CHUNK, len(windows))):
        read = read_windows(dataset, windows, chosen, context + TICKS, _ARRAYS)
        names = [events.names[ids[index] - 1] for index in chosen[:count]]
        rows += _tried(model, params, read, names, ids[chosen], context, window_keys(seed, chosen))
        if progress is not None:
            progress(len(rows), len(windows))
    found = {
        name: _figures([row for row, number in zip(rows, ids, strict=True) if number == event])
        for event, name in enumerate(events.names, 1)
        if (ids == event).any()
    }
    return found | {"all": _mean(list(found.values()))}


def _happened(dataset: EpisodeDataset, count: int, moments: int, context: int, seed: int) -> tuple[Windows, np.ndarray]:
    """Draws moments of every event that leave room for what comes before and after."""
    places: dict[int, list[tuple[int, int]]] = {event: [] for event in range(1, count + 1)}
    for episode, length in enumerate(dataset.lengths.tolist()):
        happened = dataset.window(episode, 0, length, ("events",))["events"]
        for tick in np.flatnonzero(happened):
            if context - 1 <= tick < length - TICKS:
                places[int(happened[tick])].append((episode, int(tick)))
    windows, ids = draw_windows(places, moments, context, seed)
    if not ids:
        raise DatasetError(
            f"No event of {dataset.folder} has {context} frames before it and {TICKS} after; record more."
        )
    return windows, np.array(ids, np.int32)


def _tried(
    model: WorldNetwork, params: Params, read: dict[str, np.ndarray], names: list[str], ids: np.ndarray, context: int,
    keys: Array,
) -> list[np.ndarray]:  # fmt: skip
    """Returns for each moment: whether it came about, did so untold, did so in truth; and collateral."""
    now = context - 1
    states = begin(model, params, read["frames"][:, :context], read["actions"][:, :now], keys)
    actions = read["actions"][:, now : now + TICKS]
    with_event, without = (
        jax.device_get(_told(model, params, states, actions, given)) for given in (ids, np.zeros_like(ids))
    )
    true = _true(model, {name: read[name][:, now:] for name in _ARRAYS})
    rows = []
    for index, name in enumerate(names):
        told, untold, real = (_sights(model, said, index) for said in (with_event, without, true))
        came = [
            any(shows(name, sights[0], later) for later in sights[1 : TICKS + 1]) for sights in (told, untold, real)
        ]
        changed = (told[1].tiles != untold[1].tiles) | (told[1].types != untold[1].types).any(axis=-1)
        collateral = max(int(changed.sum()) - OWN_TILES.get(name, 1), 0) / changed.size
        rows.append(np.array([*came, collateral], np.float64))
    return rows


@functools.partial(jax.jit, static_argnums=0)
def _told(model: WorldNetwork, params: Params, states: Any, actions: Array, events: Array) -> dict[str, Array]:
    """Returns what each world tells now and after every tick, `[moments, 1 + ticks, …]`."""

    def one(state: Any, actions: Array, event: Array) -> Any:
        first = model.told(params, state)
        _, later = rollout(model, params, model.with_event(state, event), actions, observe=model.told)
        return jax.tree.map(lambda now, then: jnp.concatenate([now[None], then]), first, later)

    return jax.vmap(one)(states, actions, events)


def _true(model: WorldNetwork, read: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns what the recording says, laid out like what a world tells."""
    assert model.tokenizer.structure is not None
    seen = Observation(entities=jnp.asarray(read["entities"]), entity_mask=jnp.asarray(read["entity_mask"]))
    types = np.asarray(structure.cells(model.tokenizer.structure, seen).types)
    return {"tiles": read["tiles"], "types": types, "quantities": read["quantities"]}


def _sights(model: WorldNetwork, said: dict[str, np.ndarray], moment: int) -> list[Sight]:
    grid = model.tokenizer.structure
    assert grid is not None
    types = grid.on_tiles(said["types"][moment] > 0.5)
    parts = zip(said["tiles"][moment], types, said["quantities"][moment], strict=True)
    return [Sight(tiles=tiles, types=there, quantities=counted) for tiles, there, counted in parts]


def _figures(rows: list[np.ndarray]) -> EventFigures:
    success, untold, real, collateral = np.mean(rows, axis=0).tolist()
    return EventFigures(moments=len(rows), success=success, untold=untold, real=real, collateral=collateral)


def _mean(found: list[EventFigures]) -> EventFigures:
    means = {
        name: float(np.mean([getattr(one, name) for one in found]))
        for name in ("success", "untold", "real", "collateral")
    }
    return EventFigures(moments=sum(one.moments for one in found), **means)
