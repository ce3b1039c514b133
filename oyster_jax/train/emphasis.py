"""Which tokens of a next frame count more: where creatures are, counts change, or something is made to happen.

Of a frame's tokens most show terrain, which a model learns first and which then makes up most of the error; a cow is
one tile in sixty, and a count changes at one tick in fifty. Weights that depend on the frame that is to be predicted,
as those of creatures and counts do, make rare things quick to learn, and bias what is expected of them by as much;
those that depend on what was before alone, or on nothing, do not.
"""

import dataclasses

import jax
import jax.numpy as jnp

from oyster_jax.core.observation import Observation
from oyster_jax.core.spec import WorldSpec
from oyster_jax.models import structure
from oyster_jax.models.structure import StructureConfig
from oyster_jax.train.step import Batch
from oyster_jax.typing import Array, Float

#: Tiles that an entity can come across the frame in a tick.
_REACH = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmphasisConfig:
    """By how much the error of a token counts more, beside 1.

    Attributes:
      creatures: where an entity other than the agent is, or was a tick before.
      near: within two tiles of where one was a tick before: so far it comes when it takes a step and the agent too.
      counts: where a quantity is shown that changes.
      shown: where a quantity is shown, whether it changes or not.
      events: everywhere, at a tick at which something is made to happen.
    """

    creatures: float = 4.0
    near: float = 0.0
    counts: float = 16.0
    shown: float = 0.0
    events: float = 2.0


def emphasis(config: EmphasisConfig, spec: WorldSpec, batch: Batch) -> Float[Array, "batch ticks tokens"]:
    """Returns the weights of the tokens of all frames of windows but the first; their mean is 1.

    Args:
      config: by how much.
      spec: of a world with structure.
      batch: arrays `[batch, ticks, …]`, named as in `Episode`.
    """
    seen = Observation(entities=batch["entities"], entity_mask=batch["entity_mask"], quantities=batch["quantities"])
    layout = StructureConfig.of(spec, {})
    known = structure.cells(layout, seen)
    there = (known.types[..., 1:].sum(axis=-1) > 0).astype(jnp.float32)
    weight = 1 + config.creatures * jnp.maximum(there[:, 1:], there[:, :-1])
    weight = weight + config.near * _near(there[:, :-1], layout.grid)
    changed = jnp.abs(known.levels[:, 1:] - known.levels[:, :-1]).sum(axis=-1) > 0
    weight = weight + config.counts * changed.astype(jnp.float32)
    weight = weight + config.shown * jnp.asarray(layout.spots.sum(axis=0))[None, None]
    if "events" in batch:
        weight = weight + config.events * (batch["events"][:, :-1] > 0).astype(jnp.float32)[..., None]
    return weight / jnp.mean(weight)


def _near(there: Float[Array, "batch ticks tokens"], grid: tuple[int, int]) -> Float[Array, "batch ticks tokens"]:
    """Returns 1 within `_REACH` tiles of where something is, sideways and up and down."""
    around = (1, 1, 2 * _REACH + 1, 2 * _REACH + 1)
    laid = there.reshape(*there.shape[:2], *grid)
    return jax.lax.reduce_window(laid, 0.0, jax.lax.max, around, (1,) * 4, "SAME").reshape(there.shape)
