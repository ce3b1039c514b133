"""Cached latents: a dataset whose frames a tokenizer has replaced, so that dynamics training never decodes a frame."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import MANIFEST, read_manifest
from oyster_jax.data.writer import DatasetWriter
from oyster_jax.typing import Latents

#: Frames that are encoded in one call; the last one of an episode is padded up to it, so that nothing recompiles.
BLOCK = 128


def cache_latents(
    dataset: EpisodeDataset,
    encode: Callable[[np.ndarray], Latents],
    tokenizer_digest: str,
    out: Path,
    progress: Callable[[int], None] | None = None,
) -> EpisodeDataset:
    """Returns the latents of a dataset, encoding them first where `out` does not hold them yet.

    Args:
      dataset: episodes with frames.
      encode: maps uint8 frames `[BLOCK, height, width, 3]` to latents `[BLOCK, tokens, channels]`.
      tokenizer_digest: of the tokenizer's parameters; latents of another tokenizer are refused.
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
        for episode in dataset:
            if episode.frames is None:
                raise DatasetError(f"{dataset.folder} has no frames to encode; give the recording itself.")
            blocks = []
            for start in range(0, episode.ticks, BLOCK):
                frames = episode.frames[start : start + BLOCK]
                padded = np.zeros((BLOCK, *frames.shape[1:]), np.uint8)
                padded[: len(frames)] = frames
                blocks.append(np.asarray(encode(padded))[: len(frames)].astype(np.float16))
            writer.add(dataclasses.replace(episode, frames=None, latents=np.concatenate(blocks)))
            done += episode.ticks
            if progress is not None:
                progress(done)
    return EpisodeDataset(out)


def _clear_unfinished(out: Path) -> None:
    """Removes the shards of an encoding that was killed: without a manifest they are nobody's."""
    for shard in out.glob("episodes-*") if out.is_dir() else ():
        shard.unlink()
