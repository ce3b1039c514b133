"""Craftax-Classic (Matthews et al. 2024, https://arxiv.org/abs/2402.16801) as a source of recordings."""

import dataclasses
import types
from typing import Any

import jax
import numpy as np
from jaxtyping import Int32

from oyster_jax.core.spec import ActionSpec, FrameSpec, WorldSpec
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.sources import craftax_events, craftax_game, craftax_state
from oyster_jax.data.sources.craftax_policies import Explorer, Scripted
from oyster_jax.data.sources.craftax_words import LEXICON
from oyster_jax.data.sources.source import TimeStep

GAMES = ("classic",)

#: Craftax's 17 actions in its own order; `do` collects, drinks, eats and attacks what the agent faces.
ACTIONS = (
    "noop", "left", "right", "up", "down", "do", "sleep", "place_stone", "place_table", "place_furnace", "place_plant",
    "make_wood_pickaxe", "make_stone_pickaxe", "make_iron_pickaxe", "make_wood_sword", "make_stone_sword",
    "make_iron_sword",
)  # fmt: skip

#: Craftax's 22 achievements in its own order.
ACHIEVEMENTS = (
    "collect_wood", "place_table", "eat_cow", "collect_sapling", "collect_drink", "make_wood_pickaxe",
    "make_wood_sword", "place_plant", "defeat_zombie", "collect_stone", "place_stone", "eat_plant", "defeat_skeleton",
    "make_stone_pickaxe", "make_stone_sword", "wake_up", "place_furnace", "collect_coal", "collect_iron",
    "collect_diamond", "make_iron_pickaxe", "make_iron_sword",
)  # fmt: skip

#: Pixels a side of the frames: 9 tiles of 7.
FRAME = 63

#: Ticks a second; Craftax has no clock of its own.
FRAME_RATE = 10.0

_LAST_LEVEL = 2**31 - 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Craftax:
    """Craftax-Classic, with all of its state that a frame shows; a level is the seed of a world.

    What happens in an episode follows from the recording's seed, the level and the actions. The reward is the number of
    achievements unlocked by the action, each once an episode.

    Attributes:
      game: one of `GAMES`.
      events: share of ticks at which something is made to happen that no action did, see `craftax_events`; what cannot
        happen then does not, so a little less comes about.

    Raises:
      DatasetError: there is no such game, or the share is none.
    """

    game: str = "classic"
    events: float = 0.0

    licence = "MIT"
    lexicon = LEXICON
    policies = types.MappingProxyType({"explore": Explorer, "scripted": Scripted})

    def __post_init__(self) -> None:
        if self.game not in GAMES:
            raise DatasetError(f"Of Craftax only {', '.join(GAMES)} can be recorded, not '{self.game}'.")
        if not 0 <= self.events <= 1:
            raise DatasetError(f"The share of ticks with events lies between 0 and 1, but was {self.events:g}.")

    @property
    def name(self) -> str:
        """What the manifest calls it."""
        return f"craftax:{self.game}"

    @property
    def options(self) -> dict[str, Any]:
        """The simulator's version, which the worlds of its seeds depend on, and how often something is made to happen.

        Raises:
          DatasetError: the simulator is not installed.
        """
        return {"version": craftax_game.version()} | ({"events": self.events} if self.events else {})

    @property
    def spec(self) -> WorldSpec:
        """Frames of 63 × 63 pixels, 17 actions, entities, tiles and quantities."""
        return WorldSpec(
            name="craftax",
            frame=FrameSpec(height=FRAME, width=FRAME, rate=FRAME_RATE),
            action=ActionSpec(names=ACTIONS, idle="noop"),
            entity=craftax_state.ENTITIES,
            tiles=craftax_state.TILES,
            quantities=craftax_state.QUANTITIES,
            events=craftax_events.EVENTS if self.events else None,
        )

    def open(self, *, environments: int, levels: tuple[int, int], seed: int) -> "CraftaxSimulator":
        """Starts the environments; see `Source.open`.

        Raises:
          DatasetError: the simulator is not installed, or there are not so many levels.
        """
        if levels[1] > _LAST_LEVEL:
            raise DatasetError(f"Craftax's levels end at {_LAST_LEVEL}, but {levels[0]}:{levels[1]} were asked for.")
        return CraftaxSimulator(environments=environments, levels=levels, seed=seed, events=self.events)


class CraftaxSimulator:
    """Environments that step together on the device; see `Simulator`."""

    def __init__(self, *, environments: int, levels: tuple[int, int], seed: int, events: float = 0.0) -> None:
        self._game = craftax_game.game()
        self._share = events
        self._range, self._seed = levels, seed
        # Each environment draws its levels by itself, so that its episodes do not depend on its neighbours'.
        self._generators = [np.random.default_rng((seed, index)) for index in range(environments)]
        self._fates = [np.random.default_rng((seed, index, 1)) for index in range(environments)]
        self._levels = np.zeros(environments, np.int32)
        self._ticks = np.zeros(environments, np.int64)
        #: The tick at whose end each achievement was unlocked, -1 before.
        self._unlocked = np.full((environments, len(ACHIEVEMENTS)), -1, np.int64)
        self._states: Any = None

    def observe(self) -> TimeStep:
        """See `Simulator.observe`."""
        count = len(self._levels)
        begun = [self._begin(index) for index in range(count)]
        self._states = jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), *[state for state, _ in begun])
        seen = {name: np.stack([shown[name] for _, shown in begun]) for name in begun[0][1]}
        nothing = np.zeros(count, bool)
        return self._time_step(seen, np.zeros(count, np.float32), nothing, nothing, [{}] * count)

    def step(self, actions: Int32[np.ndarray, "environments"]) -> TimeStep:
        """See `Simulator.step`."""
        events = self._intervene() if self._share else None
        self._states, outcome = self._game.step(self._states, np.asarray(actions, np.int32))
        outcome = {name: np.array(array) for name, array in jax.device_get(outcome).items()}
        unlocked = outcome.pop("achievements") & (self._unlocked < 0)
        self._unlocked = np.where(unlocked, self._ticks[:, None], self._unlocked)
        self._ticks += 1
        facts = [_facts(row) for row in self._unlocked]
        ended, terminals = outcome.pop("ended"), outcome.pop("terminals")
        for index in np.flatnonzero(ended):
            state, shown = self._begin(int(index))
            self._states = self._game.replace(self._states, np.int32(index), state)
            for name, array in shown.items():
                outcome[name][index] = array
        rewards = unlocked.sum(axis=1, dtype=np.float32)
        return self._time_step(outcome, rewards, ended, terminals, facts, events)

    def close(self) -> None:
        """Frees the environments."""
        self._states = None

    def _begin(self, index: int) -> tuple[Any, dict[str, np.ndarray]]:
        self._levels[index] = self._generators[index].integers(*self._range)
        self._ticks[index], self._unlocked[index] = 0, -1
        state, shown = self._game.begin(np.uint32(self._seed), self._levels[index])
        return state, jax.device_get(shown)

    def _intervene(self) -> Int32[np.ndarray, "environments"]:
        """Makes things happen, and returns the ids of what did."""
        events = craftax_events.draw(self._fates, self._share)
        self._states, happened = self._game.intervene(self._states, events)
        return np.where(happened, events, 0).astype(np.int32)

    def _time_step(
        self,
        seen: dict[str, np.ndarray],
        rewards: np.ndarray,
        ended: np.ndarray,
        terminals: np.ndarray,
        facts: list[dict[str, Any]],
        events: np.ndarray | None = None,
    ) -> TimeStep:
        lost = np.zeros(len(ended), np.int32)
        return TimeStep(
            levels=self._levels.copy(), rewards=rewards, ended=ended, terminals=terminals, entities_lost=lost,
            facts=facts, events=events, **seen,
        )  # fmt: skip


def _facts(unlocked: np.ndarray) -> dict[str, Any]:
    """Says which achievements an episode has unlocked, and by the action of which tick."""
    ticks = unlocked.tolist()
    return {"achievements": {name: tick for name, tick in zip(ACHIEVEMENTS, ticks, strict=True) if tick >= 0}}
