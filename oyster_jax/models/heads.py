"""Read-out heads: what the dynamics says of the coming tick in words of the game: reward, end, entities.

Entities are read per place of the latent grid, as detectors do (CenterNet, arXiv 1904.07850): a class or none, where
in the place it stands, and its velocity. Coordinates are in tiles relative to the middle of the frame, y upwards.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from oyster_jax.nn.attention import rms_norm
from oyster_jax.nn.dense import Dense
from oyster_jax.nn.patch import split_tokens
from oyster_jax.typing import Array, Bool, Float, Int

#: Columns of the entity table that `entities` returns.
ENTITY_FIELDS = ("type", "x", "y", "vx", "vy")

#: A logit that leaves no doubt.
_SURE = 20.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadsConfig:
    """What is read out.

    Attributes:
      entity_types: the simulator's type ids that are told apart; none switches the entity head off.
      view: tiles across the frame, which is centred on the agent.
    """

    entity_types: tuple[int, ...] = ()
    view: float = 13.0

    @property
    def place_outputs(self) -> int:
        """Numbers read at one place: a logit a type and one for none, offset (2), velocity (2)."""
        return len(self.entity_types) + 5 if self.entity_types else 0


class Heads(nnx.Module):
    """Linear maps from trunk features to read-outs, laid out in one vector a tick."""

    def __init__(self, config: HeadsConfig, width: int, merge: int, columns: int, *, rngs: nnx.Rngs):
        self.merge, self.columns, self.outputs = merge, columns, config.place_outputs
        self.summary = Dense(width, 2, rngs=rngs, scale=0.0, bias=True)
        self.places = Dense(width, merge**2 * self.outputs, rngs=rngs, scale=0.0, bias=True) if self.outputs else None

    def __call__(self, tokens: Float[Array, "*batch coarse width"], registers: Array, dtype: jnp.dtype) -> Array:
        """Returns `[*batch, outputs]`: reward (symlog), logit of the end, then the places of the fine grid."""
        summary = self.summary(rms_norm(jnp.mean(registers, axis=-2)).astype(dtype)).astype(jnp.float32)
        if self.places is None:
            return summary
        places = self.places(rms_norm(tokens).astype(dtype)).astype(jnp.float32)
        places = split_tokens(places, self.merge, self.columns // self.merge)
        return jnp.concatenate([summary, places.reshape(*places.shape[:-2], -1)], axis=-1)


def silence(config: HeadsConfig, tokens: int) -> Float[Array, "outputs"]:
    """Returns the read-outs of a world in which nothing has been read yet: no reward, no end, and nothing anywhere."""
    place = jnp.zeros((config.place_outputs,)).at[:1].set(_SURE)
    return jnp.concatenate([jnp.array([0.0, -_SURE]), jnp.tile(place, tokens)])


def symlog(x: Array) -> Array:
    """Compresses large values: `sign(x) log(1 + |x|)` (arXiv 2301.04104)."""
    return jnp.sign(x) * jnp.log1p(jnp.abs(x))


def reward(readout: Float[Array, "*batch outputs"]) -> Float[Array, "*batch"]:
    """Returns the predicted reward, in the recording's units."""
    return jnp.sign(readout[..., 0]) * jnp.expm1(jnp.abs(readout[..., 0]))


def terminal(readout: Float[Array, "*batch outputs"]) -> Float[Array, "*batch"]:
    """Returns the probability that the episode ended."""
    return jax.nn.sigmoid(readout[..., 1])


def entities(config: HeadsConfig, readout: Float[Array, "outputs"], columns: int) -> tuple[Array, Array]:
    """Returns a table `[places, 5]` of `ENTITY_FIELDS` and the probability `[places]` that something is there."""
    places = readout[2:].reshape(-1, config.place_outputs)
    classes = len(config.entity_types)
    probability = jax.nn.softmax(places[:, : classes + 1])
    kind = jnp.asarray(config.entity_types, jnp.float32)[jnp.argmax(probability[:, 1:], axis=-1)]
    place = jnp.arange(len(places))
    corner = jnp.stack([place % columns, place // columns], axis=-1).astype(jnp.float32)
    position = (corner + 0.5 + places[:, classes + 1 : classes + 3]) / columns - 0.5
    position = position * jnp.array([[config.view, -config.view]])
    table = jnp.concatenate([kind[:, None], position, places[:, classes + 3 :]], axis=-1)
    return table, 1 - probability[:, 0]


def entity_targets(
    config: HeadsConfig,
    columns: int,
    tokens: int,
    relative: Float[Array, "rows 4"],
    kinds: Int[Array, "rows"],
    mask: Bool[Array, "rows"],
) -> tuple[Int[Array, "places"], Float[Array, "places 4"]]:
    """Lays an entity table onto the grid.

    Args:
      config: which types count.
      columns: places in a row of the grid.
      tokens: places in all.
      relative: x, y (tiles from the middle of the frame), vx, vy of each entity.
      kinds: the simulator's type ids.
      mask: which rows are in use.

    Returns:
      The class of each place (0: none) and offset and velocity of what is there. Where two share a place the row that
      comes later counts.
    """
    types = jnp.asarray(config.entity_types, jnp.int32)
    known = kinds[:, None] == types[None, :]
    where = (relative[:, :2] / jnp.array([[config.view, -config.view]]) + 0.5) * columns
    corner = jnp.floor(where).astype(jnp.int32)
    inside = jnp.all((corner >= 0) & (corner < jnp.array([[columns, tokens // columns]])), axis=-1)
    seen = mask & known.any(axis=-1) & inside
    # Rows that do not count are written beyond the grid, where `drop` lets them fall.
    place = jnp.where(seen, corner[:, 1] * columns + corner[:, 0], tokens)
    classes = jnp.zeros((tokens,), jnp.int32).at[place].set(jnp.argmax(known, -1).astype(jnp.int32) + 1, mode="drop")
    values = jnp.concatenate([where - jnp.floor(where) - 0.5, relative[:, 2:]], axis=-1)
    return classes, jnp.zeros((tokens, 4), jnp.float32).at[place].set(values, mode="drop")
