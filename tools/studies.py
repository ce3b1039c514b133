"""What studies of training have in common: latents of recordings, encoded once, and what an update costs."""

from pathlib import Path

import jax

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.latents import cache_latents
from oyster_jax.data.manifest import FIRST_HELD_OUT_LEVEL, MANIFEST
from oyster_jax.data.record import RecordConfig, record
from oyster_jax.evaluate.flops import matmul_flops
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.train.drafts import frame_encoder
from oyster_jax.train.loop import Stage
from oyster_jax.tree import tree_digest
from oyster_jax.typing import Params

#: Levels that nothing is trained on.
HELD_OUT = (FIRST_HELD_OUT_LEVEL, FIRST_HELD_OUT_LEVEL + 10_000)


def recorded(config: RecordConfig, folder: Path) -> EpisodeDataset:
    """Returns a recording, made where there is none yet."""
    if not (folder / MANIFEST).exists():
        for shard in folder.glob("episodes-*"):  # of a recording that was cut off
            shard.unlink()
        record(config, folder)
    return EpisodeDataset(folder)


def latents(tokenizer: TokenizerConfig, params: Params, dataset: EpisodeDataset, folder: Path) -> EpisodeDataset:
    """Returns the latents of a recording, encoded where that was not done yet.

    Args:
      tokenizer: encodes.
      params: of it.
      dataset: the recording.
      folder: of the latents.
    """
    encode = frame_encoder(tokenizer, params, None, jitter=0.0, seed=0)
    return cache_latents(dataset, encode, tree_digest(params), folder)


def operations(stage: Stage) -> int:
    """Returns the operations of the matrix products of one update's loss and gradient."""
    batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), next(stage.batches()))
    key = jax.random.key(0)
    return matmul_flops(jax.grad(stage.loss, has_aux=True), jax.eval_shape(stage.init, key), batch, key)
