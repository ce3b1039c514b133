"""What a tokenizer with structure learns beside its frames: to tell tiles, entities and quantities from its latents."""

import dataclasses
import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import optax

from oyster_jax.core.observation import Observation
from oyster_jax.models import structure
from oyster_jax.models.structure import Cells, StructureConfig
from oyster_jax.typing import Array, PRNGKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class StructureLossConfig:
    """Weights of what is read off latents, and how often what is hidden from the encoder.

    Attributes:
      tiles: of the kinds of tiles (cross-entropy).
      entities: of what stands where (binary cross-entropy a type, summed over types), and of its attributes.
      quantities: of quantities (cross-entropy of those with a place, squared error of others).
      agreement: of the squared distance of latents from those of the frame alone, which stay where they are.
      frame: share of moments whose frame is hidden, and whose structure is then told whole.
      part: share of the others' parts that are hidden, each by itself.
    """

    tiles: float = 1.0
    entities: float = 1.0
    quantities: float = 1.0
    agreement: float = 1.0
    frame: float = 0.6
    part: float = 0.5


def moments_of(arrays: Mapping[str, Array]) -> Observation:
    """Returns rows of arrays named as in `Episode` as moments."""
    return Observation(
        frame=arrays["frames"], tiles=arrays["tiles"], entities=arrays["entities"],
        entity_mask=arrays["entity_mask"], quantities=arrays.get("quantities"),
    )  # fmt: skip


def shown_parts(weights: StructureLossConfig, count: int, key: PRNGKey) -> dict[str, Array]:
    """Draws what the encoder is told of each moment: structure alone, or the frame and any parts of its structure."""
    alone_key, part_key = jax.random.split(key)
    alone = jax.random.bernoulli(alone_key, weights.frame, (count,))
    kept = jax.random.bernoulli(part_key, 1 - weights.part, (len(structure.PARTS), count)) | alone[None]
    parts = dict(zip(structure.PARTS, kept.astype(jnp.float32), strict=True))
    return {"frame": 1 - alone.astype(jnp.float32)} | parts


def reading_loss(
    config: StructureConfig, weights: StructureLossConfig, said: Cells, moments: Observation
) -> tuple[Array, dict[str, Array]]:
    """Returns the loss of what latents tell of moments, and the shares of tiles and numbers that are right."""
    true = structure.cells(config, moments)
    tiled, shown = jnp.asarray(config.tiled, jnp.float32), jnp.asarray(config.spots.sum(axis=0))
    with jax.numpy_rank_promotion("allow"):
        kinds = optax.softmax_cross_entropy(said.kinds, true.kinds)
        types = optax.sigmoid_binary_cross_entropy(said.types, jnp.clip(true.types, 0, 1)).sum(axis=-1)
        there = jnp.clip(true.types.sum(axis=-1), 0, 1)
        own = jnp.square(said.attributes - true.attributes).sum(axis=-1) * there
        levels = optax.softmax_cross_entropy(said.levels, true.levels)
        free = jnp.mean(jnp.square(said.free - true.free))
        right = {
            "tiles_right": _share(jnp.argmax(said.kinds, -1) == jnp.argmax(true.kinds, -1), tiled),
            "quantities_right": _share(jnp.argmax(said.levels, -1) == jnp.argmax(true.levels, -1), shown),
            "entities_right": _share(jnp.all((said.types > 0) == (true.types > 0), -1), tiled),
        }
        loss = (
            weights.tiles * _share(kinds, tiled)
            + weights.entities * (_share(types, tiled) + jnp.sum(own) / jnp.maximum(jnp.sum(there), 1))
            + weights.quantities * (_share(levels, shown) + free)
        )
    return loss, right


def _share(values: Array, counted: Array) -> Array:
    """Returns the mean of `[*batch, tokens]` over the tokens that count."""
    return jnp.sum(values.astype(jnp.float32) * counted) / (math.prod(values.shape[:-1]) * jnp.sum(counted))
