"""Episodes that need no simulator: every number in them says which episode and tick it belongs to."""

from pathlib import Path

import numpy as np

from oyster_jax.core.spec import ActionSpec, EntitySpec, FrameSpec, WorldSpec
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.episode import Episode
from oyster_jax.data.manifest import Provenance
from oyster_jax.data.sources.source import TimeStep
from oyster_jax.data.writer import DatasetWriter

#: `actions[t]` of episode `i` is `STRIDE * i + t`.
STRIDE = 1000

PROVENANCE = Provenance(
    spec=WorldSpec(
        name="numbers",
        frame=FrameSpec(height=8, width=6, rate=10.0),
        action=ActionSpec(names=("noop", "go"), idle="noop"),
        entity=EntitySpec(capacity=3, fields=("x", "y")),
    ),
    split="training",
    levels=(0, 10),
    source="tests:numbers",
    options={"size": 6},
    policy="counting",
    seed=7,
    licence="Apache-2.0",
)


def make_episode(index: int, ticks: int, *, full: bool = False) -> Episode:
    """An episode of `ticks` ticks; `full` adds latents and entities."""
    generator = np.random.default_rng(index)
    terminals = np.zeros(ticks, bool)
    terminals[-1] = True
    return Episode(
        actions=np.arange(ticks, dtype=np.int32) + STRIDE * index,
        rewards=generator.random(ticks, np.float32),
        terminals=terminals,
        frames=generator.integers(256, size=(ticks, 8, 6, 3), dtype=np.uint8),
        latents=generator.normal(size=(ticks, 4, 2)).astype(np.float16) if full else None,
        entities=generator.normal(size=(ticks, 3, 2)).astype(np.float32) if full else None,
        entity_mask=generator.random((ticks, 3)) < 0.5 if full else None,
        metadata={"level": index},
    )


def write(folder: Path, lengths: list[int], *, shard_bytes: int = 2**30, first: int = 0) -> EpisodeDataset:
    """Writes episodes numbered from `first` with these lengths and opens them."""
    with DatasetWriter(folder, PROVENANCE, shard_bytes=shard_bytes) as writer:
        for index, ticks in enumerate(lengths):
            writer.add(make_episode(first + index, ticks))
    return EpisodeDataset(folder)


def tables(shown: TimeStep) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The entities, mask and lost counts of a time step that has them."""
    assert shown.entities is not None
    assert shown.entity_mask is not None
    assert shown.entities_lost is not None
    return shown.entities, shown.entity_mask, shown.entities_lost


def same(one: Episode, other: Episode) -> bool:
    """Whether two episodes are equal to the bit, dtypes included."""
    return (
        one.metadata == other.metadata
        and list(one.arrays) == list(other.arrays)
        and all(
            array.dtype == other.arrays[name].dtype and np.array_equal(array, other.arrays[name])
            for name, array in one.arrays.items()
        )
    )
