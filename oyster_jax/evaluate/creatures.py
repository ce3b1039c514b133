"""Whether creatures last: how many a world tells of, and whether they go on from one tick to the next, as in reality.

From true frames a world goes on alone under the recorded actions. Where a creature walks is chance, so that it may well
stand elsewhere than in the recording; but it cannot vanish, nor come out of nothing in the midst of the frame. A
creature lasts if a tick later one of its type stands within `REACH` steps of its place on the frame, and comes from
nowhere if none of its type did a tick before. Only tiles that far from the edge are asked about, for beyond the edge
anything may walk in or out. In the game some truly die, are born or despawn, hence the recording's own shares beside.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.observation import Observation
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.batch import begin, window_keys
from oyster_jax.evaluate.chunks import Progress, padded_chunks
from oyster_jax.evaluate.windows import Windows, check_dataset, read_windows
from oyster_jax.models import structure
from oyster_jax.models.structure import StructureConfig
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.typing import Array, Bool, Params

#: Steps from tile to tile that a creature can come across the frame in a tick: one of its own and one of the agent's.
REACH = 2

CHUNK = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class CreatureCounts:
    """What stands on frames one after the other, creatures being all entities but the agent.

    Attributes:
      told: `[windows, ticks]`, how many creatures.
      asked: `[windows, ticks - 1]`, of those of a tick but the last, how many stand off the edge.
      lasted: of these, how many are there a tick later.
      found: `[windows, ticks - 1]`, of those of a tick but the first, how many stand off the edge.
      new: of these, how many come from nowhere.
    """

    told: np.ndarray
    asked: np.ndarray
    lasted: np.ndarray
    found: np.ndarray
    new: np.ndarray


def count_creatures(there: Bool[np.ndarray, "windows ticks rows columns types"]) -> CreatureCounts:
    """Counts creatures, given where on the frame those of each type stand."""
    near = _spread(there)
    edge = np.ones(there.shape[2:4], bool)
    edge[REACH:-REACH, REACH:-REACH] = False
    inner = there & ~edge[..., None]
    before, after = inner[:, :-1], inner[:, 1:]

    def count(what: np.ndarray) -> np.ndarray:
        return what.sum(axis=(2, 3, 4))

    return CreatureCounts(
        told=count(there), asked=count(before), lasted=count(before & near[:, 1:]), found=count(after),
        new=count(after & ~near[:, :-1]),
    )  # fmt: skip


def creature_counts(
    model: WorldNetwork, params: Params, dataset: EpisodeDataset, windows: Windows, *, context: int, ticks: int,
    seed: int = 0, progress: Progress | None = None,
) -> tuple[CreatureCounts, CreatureCounts]:  # fmt: skip
    """Counts the creatures of a world that goes on alone, and of the recording, each from the last true frame on.

    Args:
      model: of the world.
      params: of the world.
      dataset: held-out recording of it.
      windows: where in it, of `context + ticks` ticks.
      context: true frames before it goes on alone.
      ticks: how many it then lives.
      seed: of the world's randomness.
      progress: told how many windows are done.

    Raises:
      DatasetError: the recording is not held out, not of this world, or has no entities.
    """
    check_dataset(dataset, model.spec)
    if "entities" not in dataset.content or model.tokenizer.structure is None:
        raise DatasetError(f"{dataset.folder} tells of no creatures; record a world that has entities.")
    layout = model.tokenizer.structure
    names = ("frames", "actions", "entities", "entity_mask")
    told, recorded = [], []
    for chosen, count in padded_chunks(len(windows), min(CHUNK, len(windows))):
        read = read_windows(dataset, windows, chosen, context + ticks, names)
        keys = window_keys(seed, chosen)
        states = begin(model, params, read["frames"][:, :context], read["actions"][:, : context - 1], keys)
        lived = _lived(model, params, states, read["actions"][:, context - 1 : -1])
        seen = (read[name][:, context - 1 :] for name in ("entities", "entity_mask"))
        true = _laid(layout, _recorded(layout, *seen))
        told.append(np.concatenate([true[:, :1], _laid(layout, lived)], axis=1)[:count])
        recorded.append(true[:count])
        if progress is not None:
            progress(int(chosen[-1]) + 1, len(windows))
    return count_creatures(np.concatenate(told)), count_creatures(np.concatenate(recorded))


@functools.partial(jax.jit, static_argnums=0)
def _lived(model: WorldNetwork, params: Params, states: Any, actions: Array) -> Array:
    """Returns `[worlds, ticks, tokens, types]`, what worlds tell of after each tick."""

    def one(state: Any, actions: Array) -> Array:
        def tick(state: Any, action: Array) -> tuple[Any, Array]:
            state = model.advance(params, state, action)
            return state, model.told(params, state)["types"]

        return jax.lax.scan(tick, state, actions)[1]

    return jax.vmap(one)(states, actions)


def _recorded(layout: StructureConfig, entities: np.ndarray, mask: np.ndarray) -> Array:
    return structure.cells(layout, Observation(entities=jnp.asarray(entities), entity_mask=jnp.asarray(mask))).types


def _laid(layout: StructureConfig, types: Array) -> np.ndarray:
    """Returns bool `[windows, ticks, rows, columns, types]`, where an entity other than the agent stands."""
    return layout.on_tiles(np.asarray(types))[..., 1:] > 0.5


def _spread(there: np.ndarray) -> np.ndarray:
    """Returns where something of a type stands within `REACH` steps, each sideways or up or down."""
    near = there
    for _ in range(REACH):
        padded = np.pad(near, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)))
        beside = (padded[:, :, 2:, 1:-1], padded[:, :, :-2, 1:-1], padded[:, :, 1:-1, 2:], padded[:, :, 1:-1, :-2])
        near = functools.reduce(np.logical_or, beside, near)
    return near
