"""A world that recalls its recording: what it is shown names the tick, and it tells what was recorded from there on."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from oyster_jax.core.state import WorldState
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.episode import Episode
from oyster_jax.data.manifest import FIRST_HELD_OUT_LEVEL, HELD_OUT, Provenance
from oyster_jax.data.sources import craftax_state
from oyster_jax.data.sources.craftax import Craftax
from oyster_jax.data.sources.craftax_events import EVENTS
from oyster_jax.data.writer import DatasetWriter
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.structure import StructureConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.models.world_model import WorldNetwork

SPEC = Craftax(events=0.1).spec
STRUCTURE = StructureConfig.of(SPEC, {"health": 9.0})
TILES, QUANTITIES = craftax_state.TILES, craftax_state.QUANTITIES
GRASS, STONE = TILES.kinds.index("grass"), TILES.kinds.index("stone")
TICKS, AT = 24, 10

#: What happens in each episode, at tick `AT`.
HAPPENS = ("wood_given", "stone_ahead", "hurt", "night_falls")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recalling(WorldNetwork):
    """Parameters are what is told at each tick, and after them the same where nothing had been made to happen.

    `heeds` is whether it does what it is told; `moves` whether time passes in it.
    """

    heeds: bool = True
    moves: bool = True

    def encode(self, params, frames, actions, key):
        place = (frames[-1, 0, 0, 0].astype(jnp.float32) * TICKS + frames[-1, 0, 0, 1].astype(jnp.float32))[None, None]
        return WorldState(
            step=jnp.int32(0), key=key, latent=place, cache={"event": jnp.int32(0)}, memory={},
            readout=jnp.zeros((2,)), status=jnp.int32(0),
        )  # fmt: skip

    def advance(self, params, state, action, moved=None):
        told = (state.cache["event"] > 0) & self.heeds
        count = len(params["tiles"]) // 2
        happening = params["happens"][state.latent[0, 0].astype(jnp.int32)]
        aside = jnp.where(happening & ~told, count, 0).astype(jnp.float32)
        latent = state.latent + (1.0 if self.moves else 0.0) + aside
        return state.replace(latent=latent, cache={"event": jnp.int32(0)}, step=state.step + 1)

    def told(self, params, state):
        place = state.latent[0, 0].astype(jnp.int32)
        return {name: params[name][place] for name in ("tiles", "types", "quantities")}

    def render(self, params, state):
        return jnp.zeros(SPEC.frame.shape, jnp.uint8)


def model(**changes) -> Recalling:
    tokenizer = TokenizerConfig(height=63, width=63, patch=7, channels=4, structure=STRUCTURE)
    dynamics = DynamicsConfig(
        tokens=81, columns=9, channels=4, merge=3, actions=SPEC.action.count, events=len(EVENTS.names)
    )
    return Recalling(spec=SPEC, tokenizer=tokenizer, dynamics=dynamics, **changes)


def episodes(happening=True):
    """What is recorded; without anything happening, what would have been."""
    return [episode(number, name, happening) for number, name in enumerate(HAPPENS)]


def episode(number, name, happening):
    tiles = np.full((TICKS, TILES.rows, TILES.columns), GRASS, np.uint8)
    quantities = np.tile(np.array(QUANTITIES.usual, np.float32), (TICKS, 1))
    quantities[:, QUANTITIES.column("stone")] = 2
    quantities[AT + 4 :, QUANTITIES.column("stone")] = 3  # collected by an action
    events = np.zeros(TICKS, np.int32)
    if happening:
        events[AT] = EVENTS.parse(name)
        after = slice(AT + 1, None)
        if name == "stone_ahead":
            tiles[after, 3, 5] = STONE
        elif name == "night_falls":
            quantities[after, QUANTITIES.column("daylight")] = 0.1
        else:
            quantities[after, QUANTITIES.column("wood" if name == "wood_given" else "health")] += (
                3 if name == "wood_given" else -2
            )
    frames = np.zeros((TICKS, *SPEC.frame.shape), np.uint8)
    frames[:, 0, 0, 0], frames[:, 0, 0, 1] = number, np.arange(TICKS)
    assert SPEC.entity is not None
    table = np.zeros((TICKS, SPEC.entity.capacity, len(SPEC.entity.fields)), np.float32)
    mask = np.zeros((TICKS, SPEC.entity.capacity), bool)
    mask[:, 0] = True
    return Episode(
        actions=np.zeros(TICKS, np.int32), rewards=np.zeros(TICKS, np.float32), terminals=np.zeros(TICKS, bool),
        frames=frames, tiles=tiles, quantities=quantities, entities=table, entity_mask=mask, events=events,
    )  # fmt: skip


def params():
    recorded, untold = episodes(), episodes(happening=False)
    tiles, quantities = (
        np.concatenate([getattr(one, name) for one in recorded + untold]) for name in ("tiles", "quantities")
    )
    types = np.zeros((len(tiles), STRUCTURE.tokens, STRUCTURE.types), np.float32)
    types[:, TILES.agent[0] * TILES.columns + TILES.agent[1], 0] = 1.0
    happens = np.zeros(len(tiles), bool)
    happens[AT : TICKS * len(HAPPENS) : TICKS] = True
    arrays = {"tiles": tiles.astype(np.int32), "types": types, "quantities": quantities, "happens": happens}
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def write(folder, split=HELD_OUT) -> EpisodeDataset:
    first = FIRST_HELD_OUT_LEVEL if split == HELD_OUT else 0
    provenance = Provenance(
        spec=SPEC, split=split, levels=(first, first + 1), source="tests:recalling", options={}, policy="none", seed=0,
        licence="Apache-2.0",
    )  # fmt: skip
    with DatasetWriter(folder, provenance) as writer:
        for one in episodes():
            writer.add(one)
    return EpisodeDataset(folder)
