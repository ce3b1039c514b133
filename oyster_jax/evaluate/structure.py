"""Does structure survive the latent? Structure to frame and back, read by a probe; and frame to structure.

Creatures are all entities but the agent, where the frame shows them. F1 is over pairs of tile and type; a creature's
error of place is the distance to the nearest that was read of its type.
"""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.observation import Observation
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.episode import STRUCTURE
from oyster_jax.data.errors import DatasetError
from oyster_jax.models import structure, tile_probe, tokenizer
from oyster_jax.models.structure import StructureConfig
from oyster_jax.models.tile_probe import ProbeConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.typing import Array, Params

#: Moments that are measured in one call.
BATCH = 64

_ARRAYS = ("frames", *STRUCTURE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StructureFigures:
    """Of one way of reading moments.

    Attributes:
      tiles: share of tiles whose kind is right, 0 to 1.
      creatures: share of visible creatures that are found where they are, of their type (recall).
      f1: of creatures, 0 to 1.
      place: mean error of a creature's place in tiles, over those of whose type anything was read.
      quantities: share of the shown quantities that are right, 0 to 1.
    """

    tiles: float
    creatures: float
    f1: float
    place: float
    quantities: float


def structure_figures(
    config: TokenizerConfig,
    params: Params,
    probe: ProbeConfig,
    probe_params: Params,
    dataset: EpisodeDataset,
    moments: int,
    seed: int = 0,
) -> dict[str, StructureFigures]:
    """Measures on `moments` drawn evenly from all ticks of a recording.

    Returns:
      `real`: the probe on real frames, the ceiling of the next; `spawned`: the probe on frames drawn from structure
      alone; `read`: what latents of frames alone tell; `kept`: what latents of structure alone tell.

    Raises:
      DatasetError: the recording lacks frames or structure.
    """
    assert config.structure is not None
    grid = config.structure

    @jax.jit
    def measured(seen: Observation) -> dict[str, tuple[Array, Array, Array]]:
        model, reader = tokenizer.bind(config, params), tile_probe.bind(probe, probe_params)
        assert seen.frame is not None
        alone = model.encoder.observed(dataclasses.replace(seen, frame=None))
        drawn, kept = model.renderer.told(alone)
        _, read = model.renderer.told(model.encoder(seen.frame))
        found = {"real": reader(seen.frame), "spawned": reader(tokenizer.as_frames(drawn))}
        for name, said in (("read", read), ("kept", kept)):
            found[name] = (said.kinds, said.types, said.levels)
        return {name: _decided(*logits) for name, logits in found.items()}

    rows: dict[str, list[np.ndarray]] = {}
    for seen in _moments(dataset, moments, seed):
        true = structure.cells(grid, seen)
        known = _decided(true.kinds, true.types - 0.5, true.levels)
        for name, said in jax.device_get(measured(seen)).items():
            rows.setdefault(name, []).append(_counts(grid, jax.device_get(known), said))
    return {name: _figures(np.sum(counts, axis=0)) for name, counts in rows.items()}


def _decided(kinds: Array, types: Array, levels: Array) -> tuple[Array, Array, Array]:
    return jnp.argmax(kinds, -1), types > 0, jnp.argmax(levels, -1)


def _counts(grid: StructureConfig, true: tuple[np.ndarray, ...], said: tuple[np.ndarray, ...]) -> np.ndarray:
    """Returns sums: tiles right, all; creatures found, true, read; distances, counted; quantities right, all."""
    tiled, shown = grid.tiled, grid.spots.sum(axis=0) > 0
    kinds = (true[0] == said[0])[:, tiled]
    real, read = (given[1][:, tiled, 1:] for given in (true, said))
    levels = (true[2] == said[2])[:, shown]
    where = np.argwhere(np.ones(grid.tiles))
    distance, counted = 0.0, 0
    for moment, token, kind in np.argwhere(real):
        others = where[read[moment, :, kind]]
        if len(others):
            distance += np.sqrt(np.square(others - where[token]).sum(axis=1)).min()
            counted += 1
    return np.array([
        kinds.sum(), kinds.size, (real & read).sum(), real.sum(), read.sum(), distance, counted,
        levels.sum(), levels.size,
    ])  # fmt: skip


def _figures(counts: np.ndarray) -> StructureFigures:
    kinds, tiles, both, real, read, distance, counted, levels, shown = counts.tolist()
    return StructureFigures(
        tiles=kinds / tiles,
        creatures=both / max(real, 1),
        f1=2 * both / max(real + read, 1),
        place=distance / max(counted, 1),
        quantities=levels / shown,
    )


def _moments(dataset: EpisodeDataset, count: int, seed: int) -> Iterator[Observation]:
    if missing := set(_ARRAYS) - set(dataset.content):
        raise DatasetError(
            f"{dataset.folder} holds no {', '.join(sorted(missing))}; record a world that has structure."
        )
    generator = np.random.default_rng(seed)
    ends = np.cumsum(dataset.lengths)
    drawn = generator.integers(ends[-1], size=count)
    for start in range(0, count - BATCH + 1, BATCH):
        rows = []
        for tick in drawn[start : start + BATCH]:
            episode = int(np.searchsorted(ends, tick, side="right"))
            first = int(tick - (ends[episode] - dataset.lengths[episode]))
            rows.append(dataset.window(episode, first, 1, _ARRAYS))
        arrays = {name: np.concatenate([row[name] for row in rows]) for name in _ARRAYS}
        yield Observation(
            frame=jnp.asarray(arrays["frames"]), tiles=jnp.asarray(arrays["tiles"]),
            entities=jnp.asarray(arrays["entities"]), entity_mask=jnp.asarray(arrays["entity_mask"]),
            quantities=jnp.asarray(arrays["quantities"]),
        )  # fmt: skip
