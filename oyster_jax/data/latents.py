"""Cached latents: a dataset whose frames a tokenizer has replaced, so that dynamics training never encodes a frame."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.data.camera import camera_positions, follows_agent
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.episode import Episode
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import MANIFEST, read_manifest
from oyster_jax.data.writer import DatasetWriter

#: Frames that are encoded in one call, whatever episodes they are of; the last block is filled up.
BLOCK = 128

type Arrays = dict[str, np.ndarray]

#: `encode(memory, block) → (memory, arrays)`: a block holds `frames` uint8 `[BLOCK, height, width, 3]`, `began` bool
#: `[BLOCK]` (an episode's first) and `camera` float32 `[BLOCK, 2]`; arrays are named as in `Episode`, `[BLOCK, …]`.
type Encode = Callable[[Any, Arrays], tuple[Any, dict[str, Any]]]


def cache_latents(
    dataset: EpisodeDataset,
    encode: Encode,
    tokenizer_digest: str,
    out: Path,
    progress: Callable[[int], None] | None = None,
) -> EpisodeDataset:
    """Returns the latents of a dataset, encoding them first where `out` does not hold them yet.

    Frames are kept beside them; where the camera is known its motion is too.

    Args:
      dataset: episodes with frames.
      encode: turns blocks of frames, in their order, into what an episode is to hold; it begins with None as memory.
      tokenizer_digest: of the tokenizer's parameters and of what else decides over the result; another one is refused.
      out: the folder.
      progress: called with the frames encoded so far.

    Raises:
      DatasetError: `out` holds latents of another tokenizer, or the dataset has no frames.
    """
    if (out / MANIFEST).exists():
        if read_manifest(out).provenance.extra.get("tokenizer") != tokenizer_digest:
            raise DatasetError(f"{out} holds the latents of another tokenizer; remove the folder to encode anew.")
        return EpisodeDataset(out)
    _clear_unfinished(out)
    provenance = dataset.manifest.provenance
    extra = provenance.extra | {"tokenizer": tokenizer_digest}
    done = 0
    with DatasetWriter(out, dataclasses.replace(provenance, extra=extra)) as writer:
        for episode, encoded in _encoded(dataset, encode):
            writer.add(dataclasses.replace(episode, **encoded))
            done += episode.ticks
            if progress is not None:
                progress(done)
    return EpisodeDataset(out)


def _encoded(dataset: EpisodeDataset, encode: Encode) -> Iterator[tuple[Episode, Arrays]]:
    """Yields every episode with its arrays; blocks run on from one episode into the next."""
    waiting: list[tuple[Episode, Arrays]] = []
    results: list[Arrays] = []
    memory, given, finished = None, 0, 0

    def ready(count: int) -> Iterator[tuple[Episode, Arrays]]:
        nonlocal results, finished
        joined = {name: np.concatenate([block[name] for block in results]) for name in (results[0] if results else ())}
        used = 0
        while waiting and finished + used + waiting[0][0].ticks <= count:
            episode, extra = waiting.pop(0)
            span = slice(used, used + episode.ticks)
            yield episode, {name: array[span] for name, array in joined.items()} | extra
            used += episode.ticks
        results = [{name: array[used:] for name, array in joined.items()}] if joined else []
        finished += used

    rest: Arrays = {}
    for episode in dataset:
        frames = _inputs(dataset, episode)
        waiting.append((episode, _motion(dataset, frames["camera"])))
        rest = {name: np.concatenate([rest[name], array]) if rest else array for name, array in frames.items()}
        while len(rest["began"]) >= BLOCK:
            block = {name: array[:BLOCK] for name, array in rest.items()}
            rest = {name: array[BLOCK:] for name, array in rest.items()}
            memory, arrays = encode(memory, block)
            results.append({name: np.asarray(array) for name, array in arrays.items()})
            given += BLOCK
        yield from ready(given)
    if waiting:
        count = len(rest["began"])
        filled = {
            name: np.concatenate([array, np.repeat(array[-1:], BLOCK - count, 0)]) for name, array in rest.items()
        }
        _, arrays = encode(memory, filled)
        results.append({name: np.asarray(array) for name, array in arrays.items()})
        yield from ready(given + BLOCK)


def _inputs(dataset: EpisodeDataset, episode: Episode) -> Arrays:
    if episode.frames is None:
        raise DatasetError(f"{dataset.folder} has no frames to encode; give the recording itself.")
    began = np.zeros(episode.ticks, bool)
    began[0] = True
    camera = np.zeros((episode.ticks, 2), np.float32)
    if follows_agent(dataset.spec) and episode.entities is not None:
        camera = camera_positions(dataset.spec, episode.entities)
    return {"frames": episode.frames, "began": began, "camera": camera}


def _motion(dataset: EpisodeDataset, camera: np.ndarray) -> Arrays:
    return {"motion": np.diff(camera, axis=0, prepend=camera[:1])} if follows_agent(dataset.spec) else {}


def _clear_unfinished(out: Path) -> None:
    """Removes the shards of an encoding that was killed: without a manifest they are nobody's."""
    for shard in out.glob("episodes-*") if out.is_dir() else ():
        shard.unlink()
