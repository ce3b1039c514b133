"""What Craftax-Classic's state means: its tiles, entities and quantities as a recording holds them.

The level is 64 × 64 tiles. A frame shows 9 × 7 of them around the agent and, in two rows below, what the agent has.
Places in the level are x to the right and y upwards, in tiles from its lower left corner, whole numbers.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.spec import EntitySpec, QuantitySpec, TileSpec
from oyster_jax.typing import Array, Bool, Float, UInt8

#: Tiles of a level's side.
LEVEL = 64

#: Craftax's block types in its order.
TILES = TileSpec(
    kinds=(
        "invalid", "out_of_bounds", "grass", "water", "stone", "tree", "wood", "path", "coal", "iron", "diamond",
        "table", "furnace", "sand", "lava", "plant", "ripe_plant",
    ),
    rows=7, columns=9, side=7, agent=(3, 4),
)  # fmt: skip

#: `vx`, `vy`: how it moved in the last tick, tiles. `facing_x`, `facing_y`: the agent's direction, that of an arrow's
#: flight; 0 of others. `health`: points, 0 to 9. `cooldown`: ticks until it may attack again. `age`: of a plant, ticks
#: since it was planted or last eaten; it is ripe from 600 on.
FIELDS = ("type", "x", "y", "vx", "vy", "facing_x", "facing_y", "health", "cooldown", "age")
TYPES = ("agent", "zombie", "cow", "skeleton", "arrow", "plant")

#: One agent, then 3 zombies, 3 cows, 2 skeletons, 3 arrows and 10 plants: a row is the same thing while it lives.
ENTITIES = EntitySpec(
    capacity=22,
    fields=FIELDS,
    types=TYPES,
    usual=(("agent", "health", 9.0), ("zombie", "health", 5.0), ("cow", "health", 3.0), ("skeleton", "health", 3.0)),
)

#: Rows and columns to the tile that the agent faces, by its direction: left, right, up, down are 1 to 4.
FACING = np.array([[0, -1], [0, 1], [-1, 0], [1, 0]], np.int32)

_NEEDS = ("health", "food", "drink", "energy")
_CARRIED = (
    "sapling", "wood", "stone", "coal", "iron", "diamond", "wood_pickaxe", "stone_pickaxe", "iron_pickaxe",
    "wood_sword", "stone_sword", "iron_sword",
)  # fmt: skip

#: Points of health, food, drink and energy, 0 to 9; things carried, at most 9 of a kind; `sleeping` 0 or 1; `daylight`
#: from 0 (midnight) to 1. Where the frame has nothing to show, a place stays empty.
QUANTITIES = QuantitySpec(
    names=(*_NEEDS, *_CARRIED, "sleeping", "daylight"),
    most=(9.0,) * (len(_NEEDS) + len(_CARRIED)) + (1.0, 1.0),
    places=tuple((7, column) for column in range(9)) + tuple((8, column) for column in range(7)) + (None, None),
    usual=(9.0,) * len(_NEEDS) + (0.0,) * len(_CARRIED) + (0.0, 0.8),
)


def tiles(state: Any) -> UInt8[Array, "rows columns"]:
    """Returns the kinds of the tiles that the frame shows."""
    beyond = jnp.full(
        (LEVEL + 2 * TILES.rows, LEVEL + 2 * TILES.columns), TILES.kinds.index("out_of_bounds"), jnp.uint8
    )
    level = jax.lax.dynamic_update_slice(beyond, state.map.astype(jnp.uint8), (TILES.rows, TILES.columns))
    row, column = state.player_position[0] - TILES.agent[0], state.player_position[1] - TILES.agent[1]
    return jax.lax.dynamic_slice(level, (row + TILES.rows, column + TILES.columns), (TILES.rows, TILES.columns))


def quantities(state: Any) -> Float[Array, "quantities"]:
    """Returns what the agent has and how light it is."""
    needs = [getattr(state, f"player_{name}") for name in _NEEDS]
    carried = [getattr(state.inventory, name) for name in _CARRIED]
    values = [*needs, *carried, state.is_sleeping, state.light_level]
    return jnp.stack([jnp.asarray(value, jnp.float32) for value in values])


def entities(before: Any, state: Any) -> tuple[Float[Array, "capacity fields"], Bool[Array, "capacity"]]:
    """Returns the table of entities and which rows are in use.

    Args:
      before: the state a tick earlier; `state` itself where an episode begins.
      state: the state now.
    """
    rows, used = zip(_agent(before, state), *_creatures(before, state), _plants(state), strict=True)
    mask = jnp.concatenate(used)
    table = jnp.concatenate(rows)
    return jnp.where(mask[:, None], table, jnp.zeros_like(table)), mask


def _agent(before: Any, state: Any) -> tuple[Array, Array]:
    facing = jnp.asarray(FACING)[state.player_direction - 1]
    table = _rows(
        "agent",
        position=state.player_position[None],
        moved=(state.player_position - before.player_position)[None],
        facing=facing[None],
        health=state.player_health[None],
    )
    return table, jnp.ones((1,), bool)


def _creatures(before: Any, state: Any) -> list[tuple[Array, Array]]:
    found = []
    for kind, name in (("zombie", "zombies"), ("cow", "cows"), ("skeleton", "skeletons")):
        now, then = getattr(state, name), getattr(before, name)
        moved = now.position - then.position
        # A row that was given to another creature meanwhile has not moved.
        same = now.mask & then.mask & (jnp.abs(moved).sum(axis=1) <= 1)
        table = _rows(
            kind,
            position=now.position,
            moved=jnp.where(same[:, None], moved, 0),
            health=now.health,
            cooldown=jnp.maximum(now.attack_cooldown, 0),
        )
        found.append((table, now.mask))
    arrows, flight = state.arrows, state.arrow_directions
    return [*found, (_rows("arrow", position=arrows.position, moved=flight, facing=flight), arrows.mask)]


def _plants(state: Any) -> tuple[Array, Array]:
    table = _rows("plant", position=state.growing_plants_positions, age=state.growing_plants_age)
    return table, state.growing_plants_mask


def _rows(
    kind: str,
    *,
    position: Array,
    moved: Array | None = None,
    facing: Array | None = None,
    health: Array | None = None,
    cooldown: Array | None = None,
    age: Array | None = None,
) -> Float[Array, "rows fields"]:
    """Returns rows of the table; places and directions are given as Craftax has them, row first and downwards."""
    count = len(position)
    nothing = jnp.zeros((count,), jnp.int32)
    still = jnp.zeros((count, 2), jnp.int32)
    moved, facing = (still if given is None else given for given in (moved, facing))
    columns = [
        jnp.full((count,), TYPES.index(kind), jnp.int32),
        position[:, 1], LEVEL - 1 - position[:, 0],
        moved[:, 1], -moved[:, 0],
        facing[:, 1], -facing[:, 0],
        *(nothing if given is None else given for given in (health, cooldown, age)),
    ]  # fmt: skip
    return jnp.stack(columns, axis=1).astype(jnp.float32)
