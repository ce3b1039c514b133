"""Which tokens of a next frame count more: where creatures are, counts change, or something is made to happen.

Of a frame's tokens most show terrain, which a model learns first and which then makes up most of the error; a cow is
one tile in sixty, and a count changes at one tick in fifty.
"""

import dataclasses

import jax.numpy as jnp

from oyster_jax.core.observation import Observation
from oyster_jax.core.spec import WorldSpec
from oyster_jax.models import structure
from oyster_jax.models.structure import StructureConfig
from oyster_jax.train.step import Batch
from oyster_jax.typing import Array, Float


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmphasisConfig:
    """By how much the error of a token counts more, beside 1.

    Attributes:
      creatures: where an entity other than the agent is, or was a tick before.
      counts: where a quantity is shown that changes.
      events: everywhere, at a tick at which something is made to happen.
    """

    creatures: float = 4.0
    counts: float = 16.0
    events: float = 2.0


def emphasis(config: EmphasisConfig, spec: WorldSpec, batch: Batch) -> Float[Array, "batch ticks tokens"]:
    """Returns the weights of the tokens of all frames of windows but the first; their mean is 1.

    Args:
      config: by how much.
      spec: of a world with structure.
      batch: arrays `[batch, ticks, …]`, named as in `Episode`.
    """
    seen = Observation(entities=batch["entities"], entity_mask=batch["entity_mask"], quantities=batch["quantities"])
    known = structure.cells(StructureConfig.of(spec, {}), seen)
    there = (known.types[..., 1:].sum(axis=-1) > 0).astype(jnp.float32)
    weight = 1 + config.creatures * jnp.maximum(there[:, 1:], there[:, :-1])
    changed = jnp.abs(known.levels[:, 1:] - known.levels[:, :-1]).sum(axis=-1) > 0
    weight = weight + config.counts * changed.astype(jnp.float32)
    if "events" in batch:
        weight = weight + config.events * (batch["events"][:, :-1] > 0).astype(jnp.float32)[..., None]
    return weight / jnp.mean(weight)
