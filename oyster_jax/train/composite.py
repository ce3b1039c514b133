"""Frames with no, one or two agents anywhere, made of real frames that all have one in the middle.

A frame is rolled by whole pixels around its edges; a rectangle of another frame is laid over it; the agent is covered
with a piece of the frame or kept; agents of other frames and pieces that hold none are pasted. Pieces with and without
an agent have the same shape, so that a seam tells nothing about what is inside it.
"""

import jax
import jax.numpy as jnp

from oyster_jax.models.inverse_dynamics import CELL, JudgeConfig
from oyster_jax.typing import Array, Float, Frames, Int32, PRNGKey

#: How many pieces with an agent, and how many without, may be pasted into one frame.
PASTED = 2

#: Smallest and largest side of the rectangle of another frame, in pixels.
TRANSPLANT = (12, 40)


def composite(
    config: JudgeConfig, frames: Frames, others: Frames, places: Float[Array, "batch rows 2"], key: PRNGKey
) -> tuple[Array, Array, Array]:
    """Returns frames with known numbers of agents, where they are, and which cells come from another frame.

    Args:
      config: sizes.
      frames: uint8 `[batch, height, width, 3]`, real, with the agent in the middle.
      others: the same, of other episodes; agents and rectangles come from them.
      places: x, y in pixels of things in `frames`; rolled along, NaN where a place is empty or covered.
      key: of all choices.

    Returns:
      Frames uint8; places float32 `[batch, PASTED + 1 + rows, 2]`, the first `PASTED + 1` of agents (NaN where there
      is none); bool `[batch, rows, columns]`.
    """
    keys = jax.random.split(key, len(frames))
    return jax.vmap(lambda *one: _composite_one(config, *one))(frames, others, places, keys)


def _composite_one(
    config: JudgeConfig, frame: Array, other: Array, places: Array, key: PRNGKey
) -> tuple[Array, Array, Array]:
    keys = iter(jax.random.split(key, 16))
    height, width = config.height, config.width
    size = jnp.array(config.agent_box)
    middle = jnp.array([height // 2, width // 2])
    agent = _cut(config, other, middle - size // 2)
    # What covers the agent or is pasted without one comes from beside it, so that it holds no part of one.
    empty = [_cut(config, source, _beside(config, next(keys))) for source in (frame, other, frame)]
    keep = jax.random.bernoulli(next(keys), 0.6)
    frame = jnp.where(keep, frame, _paste(frame, empty[0], middle - size // 2))
    shift = jax.random.randint(next(keys), (2,), 0, jnp.array([height, width]))
    # Half of the frames keep their agent in the middle, where it belongs.
    shift = jnp.where(jax.random.bernoulli(next(keys), 0.5), shift, 0)
    frame = jnp.roll(frame, shift, axis=(0, 1))
    places = (places + shift[None, ::-1].astype(jnp.float32)) % jnp.array([[width, height]], jnp.float32)
    own = (middle + shift) % jnp.array([height, width])
    frame, foreign = _transplant(config, frame, other, own, next(keys))
    covered = _inside(foreign, places)
    places = jnp.where(covered[:, None], jnp.nan, places)
    agents = [jnp.where(keep, own, -1)]
    for piece in empty[1:]:
        frame, _ = _pasted_apart(config, frame, piece, [own], 0.5, next(keys))
    for _ in range(PASTED):
        frame, where = _pasted_apart(config, frame, agent, [own, *agents], 0.3, next(keys))
        agents.append(where)
    found = jnp.stack(agents)
    found = jnp.where(found[:, :1] >= 0, found[:, ::-1].astype(jnp.float32), jnp.nan)
    cells = foreign[CELL // 2 :: CELL, CELL // 2 :: CELL]
    return frame, jnp.concatenate([found, places]), cells


def _cut(config: JudgeConfig, frame: Array, corner: Array) -> Array:
    return jax.lax.dynamic_slice(frame, (corner[0], corner[1], 0), (*config.agent_box, 3))


def _paste(frame: Array, piece: Array, corner: Array) -> Array:
    return jax.lax.dynamic_update_slice(frame, piece, (corner[0], corner[1], 0))


def _beside(config: JudgeConfig, key: PRNGKey) -> Array:
    """Draws the corner of a piece that lies to the left or to the right of the middle, clear of the agent."""
    rows, columns = config.agent_box
    row_key, column_key, side_key = jax.random.split(key, 3)
    row = jax.random.randint(row_key, (), 0, config.height - rows)
    distance = jax.random.randint(column_key, (), columns + 1, config.width // 2 - columns)
    right = jax.random.bernoulli(side_key)
    return jnp.stack([row, config.width // 2 - columns // 2 + jnp.where(right, distance, -distance)])


def _transplant(config: JudgeConfig, frame: Array, other: Array, own: Array, key: PRNGKey) -> tuple[Array, Array]:
    """Lays a rectangle of another frame over half of the frames, from beside its agent and not over this one's."""
    size_key, corner_key, use_key = jax.random.split(key, 3)
    rows, columns = jax.random.randint(size_key, (2,), *TRANSPLANT)
    limit = jnp.array([config.height - rows, config.width - columns])
    top, left = jax.random.randint(corner_key, (2,), 0, limit + 1)
    y, x = jnp.arange(config.height)[:, None], jnp.arange(config.width)[None, :]
    inside = (y >= top) & (y < top + rows)
    inside = inside & ((x >= left) & (x < left + columns))
    inside = inside & jax.random.bernoulli(use_key, 0.5)
    middle = jnp.array([config.height // 2, config.width // 2])
    for agent in (own, middle):
        near = (jnp.abs(y - agent[0]) <= config.agent_box[0]) & (jnp.abs(x - agent[1]) <= config.agent_box[1])
        inside = inside & ~near
    return jnp.where(inside[..., None], other, frame), inside


def _pasted_apart(
    config: JudgeConfig, frame: Array, piece: Array, taken: list[Array], share: float, key: PRNGKey
) -> tuple[Array, Array]:
    """Pastes a piece into a share of the frames, where it touches no place in `taken`; returns its middle or -1."""
    size = jnp.array(config.agent_box)
    place_key, use_key = jax.random.split(key)
    corner = jax.random.randint(place_key, (2,), 0, jnp.array([config.height, config.width]) - size + 1)
    where = corner + size // 2
    apart = [jnp.any(jnp.abs(where - place) > size + 1) for place in taken]
    use = jnp.all(jnp.stack(apart)) & jax.random.bernoulli(use_key, share)
    return jnp.where(use, _paste(frame, piece, corner), frame), jnp.where(use, where, -1)


def _inside(mask: Array, places: Float[Array, "rows 2"]) -> Array:
    """Returns where a place (x, y in pixels) lies inside a mask; an empty place does not."""
    limit = jnp.array([[mask.shape[1] - 1, mask.shape[0] - 1]])
    at: Int32[Array, "rows 2"] = jnp.clip(jnp.nan_to_num(places).astype(jnp.int32), 0, limit)
    return mask[at[:, 1], at[:, 0]]
