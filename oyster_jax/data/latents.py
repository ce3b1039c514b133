"""Cached latents: a dataset whose frames a tokenizer has replaced, so that dynamics training never encodes a frame."""

import dataclasses
from collections import deque
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


class _Queue:
    """Rows of several arrays that stand in line: put at its end, taken from its front."""

    def __init__(self) -> None:
        self._parts: list[Arrays] = []
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def put(self, arrays: Arrays) -> None:
        """Adds rows, as many in every array."""
        self._parts.append(arrays)
        self._rows += len(next(iter(arrays.values())))

    def take(self, count: int) -> Arrays:
        """Removes the first `count` of at least as many rows and returns them."""
        # A long episode is joined once and then cut, not copied anew for every block of it.
        if len(self._parts) > 1:
            self._parts = [{name: np.concatenate([part[name] for part in self._parts]) for name in self._parts[0]}]
        (whole,) = self._parts
        self._parts = [{name: array[count:] for name, array in whole.items()}]
        self._rows -= count
        return {name: array[:count] for name, array in whole.items()}


def _encoded(dataset: EpisodeDataset, encode: Encode) -> Iterator[tuple[Episode, Arrays]]:
    """Yields every episode with its arrays; blocks run on from one episode into the next."""
    waiting: deque[tuple[Episode, Arrays]] = deque()
    inputs, outputs, memory = _Queue(), _Queue(), None
    for episode in dataset:
        frames = _inputs(dataset, episode)
        waiting.append((episode, _motion(dataset, frames["camera"])))
        inputs.put(frames)
        while len(inputs) >= BLOCK:
            memory, arrays = _encode_block(encode, memory, inputs.take(BLOCK))
            outputs.put(arrays)
        while waiting and len(outputs) >= waiting[0][0].ticks:
            whole, extra = waiting.popleft()
            yield whole, outputs.take(whole.ticks) | extra
    if waiting:
        outputs.put(_encode_block(encode, memory, inputs.take(len(inputs)))[1])
        for whole, extra in waiting:
            yield whole, outputs.take(whole.ticks) | extra


def _encode_block(encode: Encode, memory: Any, rows: Arrays) -> tuple[Any, Arrays]:
    """Encodes a block, filled up with its last row where there are fewer."""
    missing = BLOCK - len(rows["began"])
    block = {name: np.concatenate([array, np.repeat(array[-1:], missing, 0)]) for name, array in rows.items()}
    memory, arrays = encode(memory, block)
    return memory, {name: np.asarray(array) for name, array in arrays.items()}


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
