"""Counting: when something is collected, made, placed, lost or suffered, do the numbers change as they should?

From the frames before a tick at which a shown quantity truly changed the world goes on for that tick under the recorded
action; right is a quantity that it then tells as the recording has it. A world that changes nothing is right of no
changed quantity and of all others. What chance decides (whether grass gives a sapling, whether a zombie strikes) cannot
be foreseen: it stands apart.
"""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.batch import begin, window_keys
from oyster_jax.evaluate.chunks import Progress, padded_chunks
from oyster_jax.evaluate.windows import Windows, check_dataset, draw_windows, read_windows
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.typing import Array, Params

CHUNK = 32

#: What is told apart, by the quantity that changes and its direction.
NEEDS = ("food", "drink", "energy")
TOOLS = ("pickaxe", "sword")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CountFigures:
    """Of one kind of change.

    Attributes:
      moments: how many were tried.
      right: share at which every quantity that changed is told as it then was, 0 to 1.
      others: share of the other quantities that are told as they were.
    """

    moments: int
    right: float
    others: float


def count_figures(
    model: WorldNetwork,
    params: Params,
    dataset: EpisodeDataset,
    *,
    moments: int,
    context: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, CountFigures]:
    """Measures at most `moments` of each kind of change; see `kind_of`.

    Raises:
      DatasetError: the recording is not held out, not of this world, or has no quantities that change.
    """
    check_dataset(dataset, model.spec)
    if "quantities" not in dataset.content or model.spec.quantities is None or model.tokenizer.structure is None:
        raise DatasetError(f"{dataset.folder} counts nothing; record a world that has quantities.")
    columns = np.array(model.tokenizer.structure.placed, int)
    names = np.array(model.spec.quantities.names)[columns]
    windows, kinds = _changes(dataset, columns, names, moments, context, seed)
    rows = []
    for chosen, count in padded_chunks(len(windows), min(CHUNK, len(windows))):
        read = read_windows(dataset, windows, chosen, context + 1, ("frames", "actions", "quantities"))
        states = begin(
            model, params, read["frames"][:, :context], read["actions"][:, : context - 1], window_keys(seed, chosen)
        )
        told = np.asarray(_told(model, params, states, read["actions"][:, context - 1]))[:, columns]
        before, after = (np.round(read["quantities"][:, at, columns]) for at in (context - 1, context))
        changed, right = before != after, np.round(told) == after
        every = np.where(changed, right, True).all(axis=1)
        others = np.where(changed, 0, right).sum(axis=1) / (~changed).sum(axis=1)
        rows += [np.array(row) for row in zip(every[:count], others[:count], strict=True)]
        if progress is not None:
            progress(len(rows), len(windows))
    found = {}
    for kind in dict.fromkeys(kinds):
        own = np.array([row for row, other in zip(rows, kinds, strict=True) if other == kind], np.float64)
        found[kind] = CountFigures(moments=len(own), right=float(own[:, 0].mean()), others=float(own[:, 1].mean()))
    return found


def kind_of(name: str, more: bool) -> str:
    """Returns what kind of change it is when a quantity grows, or does not."""
    if name == "health":
        return "recovery" if more else "damage"
    if name in NEEDS:
        return "eating, drinking, resting" if more else "hunger, thirst, fatigue"
    if name.endswith(TOOLS):
        return "making tools"
    if name == "sapling" and more:
        return "finding saplings"
    return "collecting" if more else "placing and using up"


@functools.partial(jax.jit, static_argnums=0)
def _told(model: WorldNetwork, params: Params, states: Any, actions: Array) -> Array:
    def one(state: Any, action: Array) -> Array:
        return model.told(params, model.advance(params, state, action))["quantities"]

    return jax.vmap(one)(states, actions)


def _changes(
    dataset: EpisodeDataset, columns: np.ndarray, names: np.ndarray, moments: int, context: int, seed: int
) -> tuple[Windows, list[str]]:
    """Draws moments of every kind; a tick at which several kinds of change meet counts for the last quantity's."""
    places: dict[str, list[tuple[int, int]]] = {}
    for episode, length in enumerate(dataset.lengths.tolist()):
        counted = np.round(dataset.window(episode, 0, length, ("quantities",))["quantities"][:, columns])
        difference = np.diff(counted, axis=0)
        for tick in np.flatnonzero(difference.any(axis=1)):
            if tick < context - 1:
                continue
            # Materials are used up where tools are made: the last that changed says what it was about.
            column = np.flatnonzero(difference[tick])[-1]
            kind = kind_of(str(names[column]), bool(difference[tick, column] > 0))
            places.setdefault(kind, []).append((episode, int(tick)))
    if not places:
        raise DatasetError(f"No quantity changes in {dataset.folder}; record more.")
    return draw_windows(dict(sorted(places.items())), moments, context, seed)
