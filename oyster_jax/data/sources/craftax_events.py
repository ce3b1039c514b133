"""What can be made to happen in Craftax-Classic: interventions in its state, between two of its ticks.

An event happens only where it can: a cow dies where one is in sight, a zombie appears where it could stand. What is
seen of it is in the frame after the next action, which the creatures' own moves have then changed too.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.spec import EventSpec
from oyster_jax.data.sources import craftax_state
from oyster_jax.typing import Array, Bool

#: Rows and columns to where a creature appears, seen from the agent, nearest first.
_SIDES = {"left": (0, -1), "right": (0, 1), "above": (-1, 0), "below": (1, 0)}

#: Things that can appear in front of the agent, and the tiles that they are.
_AHEAD = ("tree", "water", "stone", "table")

#: What can be given: the name in the inventory, how many, and how many can be carried.
_GIFTS = {"sword": ("iron_sword", 1, 1), "pickaxe": ("iron_pickaxe", 1, 1), "wood": ("wood", 3, 9),
          "sapling": ("sapling", 1, 9)}  # fmt: skip

#: The quantity that shows an event.
_QUANTITIES = {f"{gift}_given": name for gift, (name, _, _) in _GIFTS.items()} | dict.fromkeys(
    ("healed", "hurt"), "health"
)

#: Ticks of a day, the tick of it at which night is deep, and one at which it is day.
_DAY, _NIGHT, _MORNING = 300, 180, 30
#: Light below which it is night.
_DARK = 0.5

#: Points that "hurt" takes, and the least health that it needs.
_HURT, _LEAST = 2, 4

#: Health of a creature that appears.
_HEALTH = {"zombie": 5, "cow": 3}
_TABLES = {"zombie": "zombies", "cow": "cows"}

_WALKABLE = tuple(craftax_state.TILES.kinds.index(kind) for kind in ("grass", "sand", "path"))

#: Takes a state; returns it changed, and whether the event could happen.
type Happening = Callable[[Any], tuple[Any, Bool[Array, ""]]]


def happen(state: Any, event: Array) -> tuple[Any, Bool[Array, ""]]:
    """Makes an event happen in one state, if it can.

    Args:
      state: Craftax's.
      event: int32, an id of `EVENTS`, 0 for none.

    Returns:
      The state, and whether it changed.
    """
    branches: list[Happening] = [lambda state: (state, jnp.bool_(False)), *_HAPPENINGS.values()]
    after, can = jax.lax.switch(event, branches, state)
    return jax.tree.map(lambda new, old: jnp.where(can, new, old).astype(jnp.asarray(old).dtype), after, state), can


def _night(state: Any) -> tuple[Any, Array]:
    return _at(state, state.timestep // _DAY * _DAY + _NIGHT, state.light_level >= _DARK)


def _morning(state: Any) -> tuple[Any, Array]:
    return _at(state, (state.timestep // _DAY + 1) * _DAY + _MORNING, state.light_level < _DARK)


def _at(state: Any, tick: Array, can: Array) -> tuple[Any, Array]:
    later = jnp.where(tick > state.timestep, tick, tick + _DAY)
    return state.replace(timestep=later), can


def _appears(kind: str, side: str) -> Happening:
    row, column = _SIDES[side]
    across = (column, row)
    # Two tiles away where that is free, else nearer or further, else a row or column beside.
    steps = [(far * row + beside * across[0], far * column + beside * across[1])
             for beside in (0, 1, -1) for far in (2, 3, 1)]  # fmt: skip

    def happening(state: Any) -> tuple[Any, Array]:
        places = state.player_position + jnp.asarray(steps, jnp.int32)
        free = _free(state, places)
        place = places[jnp.argmax(free)]
        table = getattr(state, _TABLES[kind])
        # The game allows few of a kind at once: one that is out of sight makes room.
        away = ~_seen(state, table.position)
        slot = jnp.argmax(jnp.where(table.mask, away.astype(jnp.int32), 2))
        gone, was = table.position[slot], table.mask[slot]
        occupied = state.mob_map.at[gone[0], gone[1]].set(state.mob_map[gone[0], gone[1]] & ~was)
        table = table.replace(
            position=table.position.at[slot].set(place), health=table.health.at[slot].set(_HEALTH[kind]),
            mask=table.mask.at[slot].set(True), attack_cooldown=table.attack_cooldown.at[slot].set(0),
        )  # fmt: skip
        can = free.any() & (~was | away[slot])
        return state.replace(mob_map=occupied.at[place[0], place[1]].set(True), **{_TABLES[kind]: table}), can

    return happening


def _dies(kind: str) -> Happening:
    def happening(state: Any) -> tuple[Any, Array]:
        table = getattr(state, _TABLES[kind])
        seen = table.mask & _seen(state, table.position)
        away = jnp.abs(table.position - state.player_position).sum(axis=1)
        nearest = jnp.argmin(jnp.where(seen, away, craftax_state.LEVEL**2))
        place = table.position[nearest]
        left = state.mob_map.at[place[0], place[1]].set(False)
        table = table.replace(mask=table.mask.at[nearest].set(False))
        return state.replace(mob_map=left, **{_TABLES[kind]: table}), seen.any()

    return happening


def _arrows(state: Any) -> tuple[Any, Array]:
    # From the upper edge of the sight, on both sides of the agent and over it, flying down.
    count = len(state.arrows.mask)
    beside = jnp.arange(count, dtype=jnp.int32) - count // 2
    above = jnp.full((count,), 1 - craftax_state.TILES.agent[0], jnp.int32)
    places = state.player_position + jnp.stack([above, beside], axis=1)
    free = _free(state, places)
    down = jnp.broadcast_to(jnp.array([1, 0], state.arrow_directions.dtype), state.arrow_directions.shape)
    arrows = state.arrows.replace(position=places.astype(state.arrows.position.dtype), mask=free)
    return state.replace(arrows=arrows, arrow_directions=down), free.any() & ~state.arrows.mask.any()


def _given(gift: str) -> Happening:
    name, count, most = _GIFTS[gift]

    def happening(state: Any) -> tuple[Any, Array]:
        has = getattr(state.inventory, name)
        more = state.inventory.replace(**{name: jnp.minimum(has + count, most)})
        return state.replace(inventory=more), has < most

    return happening


def _healed(state: Any) -> tuple[Any, Array]:
    return state.replace(player_health=jnp.full_like(state.player_health, 9)), state.player_health < 8


def _hurt(state: Any) -> tuple[Any, Array]:
    return state.replace(player_health=state.player_health - _HURT), state.player_health >= _LEAST


def _ahead(kind: str) -> Happening:
    tile = craftax_state.TILES.kinds.index(kind)

    def happening(state: Any) -> tuple[Any, Array]:
        place = state.player_position + jnp.asarray(craftax_state.FACING)[state.player_direction - 1]
        changed = state.map.at[place[0], place[1]].set(tile)
        return state.replace(map=changed), _free(state, place[None])[0]

    return happening


def _seen(state: Any, places: Array) -> Bool[Array, "places"]:
    """Whether places of the level are in the frame."""
    away = jnp.abs(places - state.player_position)
    return (away[:, 0] <= craftax_state.TILES.agent[0]) & (away[:, 1] <= craftax_state.TILES.agent[1])


def _free(state: Any, places: Array) -> Bool[Array, "places"]:
    """Whether something could stand at places of the level: within it, walkable, nobody there."""
    row, column = places[:, 0], places[:, 1]
    side = craftax_state.LEVEL
    inside = (row >= 0) & (row < side) & (column >= 0) & (column < side)
    row, column = jnp.clip(row, 0, side - 1), jnp.clip(column, 0, side - 1)
    walkable = jnp.isin(state.map[row, column], jnp.asarray(_WALKABLE, state.map.dtype))
    agent = (places == state.player_position).all(axis=1)
    return inside & walkable & ~state.mob_map[row, column] & ~agent


_HAPPENINGS: dict[str, Happening] = {
    "night_falls": _night,
    "day_breaks": _morning,
    **{f"{kind}_{side}": _appears(kind, side) for kind in _TABLES for side in _SIDES},
    **{f"{kind}_dies": _dies(kind) for kind in _TABLES},
    "arrows_rain": _arrows,
    **{f"{gift}_given": _given(gift) for gift in _GIFTS},
    "healed": _healed,
    "hurt": _hurt,
    **{f"{kind}_ahead": _ahead(kind) for kind in _AHEAD},
}

EVENTS = EventSpec(names=tuple(_HAPPENINGS))


class Sight(NamedTuple):
    """What is seen at a moment, however it was found out: by the game, by a model or by a probe.

    Attributes:
      tiles: int `[rows, columns]`, kinds.
      types: bool `[rows, columns, types]`, what stands there.
      quantities: `[quantities]`.
    """

    tiles: np.ndarray
    types: np.ndarray
    quantities: np.ndarray


def shows(event: str, before: Sight, after: Sight) -> bool:
    """Whether what an event brings about is there after it, and was not, or less so, before.

    Creatures that come or go by themselves look the same; so this is compared with what happens without the event.
    """
    if event in _QUANTITIES:
        column = craftax_state.QUANTITIES.column(_QUANTITIES[event])
        more = round(float(after.quantities[column])) - round(float(before.quantities[column]))
        return more < 0 if event == "hurt" else more > 0
    if event in ("night_falls", "day_breaks"):
        light = after.quantities[craftax_state.QUANTITIES.column("daylight")]
        return bool((light < _DARK) == (event == "night_falls"))
    kind, _, what = event.partition("_")
    if what == "ahead":
        tile = craftax_state.TILES.kinds.index(kind)
        return bool((after.tiles == tile).sum() > (before.tiles == tile).sum())
    kind = "arrow" if event == "arrows_rain" else kind
    count, was = (int(sight.types[..., craftax_state.TYPES.index(kind)].sum()) for sight in (after, before))
    return count < was if what == "dies" else count > was


def draw(generators: Sequence[np.random.Generator], share: float) -> np.ndarray:
    """Draws what is to happen to each environment at a tick: int32 ids, mostly 0.

    Args:
      generators: one an environment.
      share: of ticks at which something is to.
    """
    tried = [generator.random() < share for generator in generators]
    ids = [generator.integers(1, len(EVENTS.names) + 1) for generator in generators]
    return np.where(tried, ids, 0).astype(np.int32)
