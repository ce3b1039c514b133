"""Who plays Craftax while it is recorded: one that explores, and one that follows the technology tree.

Both read the recorded state, never the frame.
"""

import numpy as np
from jaxtyping import Int32

from oyster_jax.core.spec import ActionSpec
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.sources.craftax_state import TYPES
from oyster_jax.data.sources.craftax_walker import DO, UNKNOWN, Surroundings, Walker, kinds
from oyster_jax.data.sources.source import TimeStep

#: What the explorer may set out for: kinds of tiles, creatures, or whatever it has not seen.
WISHES = (
    "tree", "stone", "coal", "iron", "diamond", "water", "ripe_plant", "cow", "zombie", "skeleton", "unknown",
)  # fmt: skip

#: How often, each tick, the explorer changes its mind, crafts what it could, and does something at random.
CHANGE, CRAFT, WHIM = 0.03, 0.2, 0.08


class Explorer:
    """Sets out for one thing after another, and often crafts, places, sleeps or goes somewhere at random."""

    def __init__(self, spec: ActionSpec, environments: int, seed: int) -> None:
        self._generator = np.random.default_rng((seed, 1))
        self._walker = Walker(environments, self._generator)
        self._ids = {name: spec.parse(name) for name in spec.names}
        self._wishes = self._draw(environments)

    def act(self, began: np.ndarray, seen: TimeStep | None = None) -> Int32[np.ndarray, "environments"]:
        """See `Policy.act`."""
        around = self._walker.look(_given(seen), began)
        change = began | (self._generator.random(len(began)) < CHANGE)
        self._wishes = np.where(change, self._draw(len(began)), self._wishes)
        wanted = np.stack([_wanted(around, name) for name in WISHES])[self._wishes, np.arange(len(began))]
        actions = _go(self._walker, around, wanted, self._generator)
        able = _free_ahead(around) & ~around.near("table") & (around.has("wood") >= 3)
        for name, when in [("place_table", able), *_crafts(around)]:
            actions = np.where(when & (self._generator.random(len(began)) < CRAFT), self._ids[name], actions)
        whim = self._generator.random(len(began)) < WHIM
        return np.where(whim, self._generator.integers(len(self._ids), size=len(began)), actions).astype(np.int32)

    def _draw(self, environments: int) -> np.ndarray:
        return self._generator.integers(len(WISHES), size=environments)


class Scripted:
    """Collects, crafts, eats, drinks, sleeps and fights in the order in which one thing needs another.

    Shares of episodes that unlocked an achievement, in per cent, as `metadata["achievements"]` of the recordings tells
    them (`oyster record craftax:classic --levels 1000000:1001000 --seed 1 --frames 48000 --policy scripted`, and 20,000
    frames of `explore`; episodes that the recording's end cut short count too). Mean achievements of an episode: 15.4
    and 4.7 of 22.

    | | scripted | explore |
    |---|---|---|
    | collect_wood, place_table | 98.5, 92.0 | 92.7, 74.0 |
    | make_wood_pickaxe, make_wood_sword | 91.5, 91.5 | 58.7, 47.3 |
    | collect_stone, place_stone | 87.0, 64.0 | 40.7, 8.0 |
    | make_stone_pickaxe, make_stone_sword | 82.5, 81.0 | 14.7, 10.7 |
    | place_furnace, collect_coal, collect_iron | 75.5, 65.5, 56.5 | 8.0, 16.0, 3.3 |
    | make_iron_pickaxe, make_iron_sword, collect_diamond | 45.5, 15.0, 8.0 | 0, 0, 0 |
    | collect_drink, eat_cow, wake_up | 83.5, 91.0, 93.5 | 22.0, 18.7, 30.7 |
    | collect_sapling, place_plant, eat_plant | 79.5, 79.5, 0 | 3.3, 0, 0 |
    | defeat_zombie, defeat_skeleton | 87.5, 73.5 | 12.7, 9.3 |
    """

    def __init__(self, spec: ActionSpec, environments: int, seed: int) -> None:
        self._generator = np.random.default_rng((seed, 2))
        self._walker = Walker(environments, self._generator)
        self._ids = {name: spec.parse(name) for name in spec.names}

    def act(self, began: np.ndarray, seen: TimeStep | None = None) -> Int32[np.ndarray, "environments"]:
        """See `Policy.act`."""
        seen = _given(seen)
        around = self._walker.look(seen, began)
        done = [() if new else tuple(facts["achievements"]) for new, facts in zip(began, seen.facts or (), strict=True)]
        achieved = _Achieved(done)
        actions = _go(self._walker, around, _needed(around, achieved), self._generator)
        # Later ones go before earlier ones.
        for name, when in self._at_once(around, achieved):
            actions = np.where(when, self._ids[name], actions)
        return actions.astype(np.int32)

    def _at_once(self, around: Surroundings, achieved: "_Achieved") -> list[tuple[str, np.ndarray]]:
        """Returns what is done where the agent stands, and in which environments; the last one counts."""
        has, drawn = around.has, self._generator.random(len(around.facing))
        free = _free_ahead(around)
        grass = (around.ahead(around.tiles) == kinds("grass")[0]) & free
        table, furnace = around.near("table"), around.near("furnace")
        danger = around.within(around.creature("zombie") | around.creature("skeleton"), 5)
        wood, stone, sapling = has("wood"), has("stone"), has("sapling")
        tools = (has("stone_pickaxe") > 0) & (has("stone_sword") > 0)
        metal = (has("coal") > 0) & (has("iron") > 0) & ((has("iron_pickaxe") == 0) | (has("iron_sword") == 0))
        first = (has("wood_pickaxe") == 0) & (wood >= 4)
        second = (has("wood_pickaxe") > 0) & ~tools & (wood >= 4) & (stone >= 3)
        third = tools & metal & (wood >= 3) & (stone >= 2)
        tired = (has("energy") <= 3) | ((has("energy") < 9) & ~achieved("wake_up"))
        return [
            ("do", grass & ~achieved("collect_sapling") & (drawn < 0.25)),
            ("sleep", tired & ~danger),
            ("place_plant", grass & (sapling > 0)),
            ("place_stone", free & (stone > 3) & tools & ~achieved("place_stone")),
            ("place_furnace", free & table & ~furnace & tools & (stone > 0) & (metal | ~achieved("place_furnace"))),
            ("place_table", free & ~table & (first | second | third)),
            *_crafts(around),
            # Whoever stands before a creature that bites hits it, whatever else there is to do.
            ("do", np.isin(around.ahead(around.creatures), [TYPES.index("zombie"), TYPES.index("skeleton")])),
        ]


def _free_ahead(around: Surroundings) -> np.ndarray:
    """Whether something can be put where the agent looks."""
    free = np.isin(around.ahead(around.tiles), kinds("grass", "sand", "path"))
    return free & (around.ahead(around.creatures) == 0)


def _crafts(around: Surroundings) -> list[tuple[str, np.ndarray]]:
    """Returns each tool's action and where it could be made and is lacking; what comes later is better to have."""
    has, table = around.has, around.near("table")
    wood, stone = has("wood") > 0, has("stone") > 0
    able = {
        "iron": around.near("furnace") & wood & stone & (has("coal") > 0) & (has("iron") > 0),
        "stone": wood & stone,
        "wood": wood,
    }
    return [
        (f"make_{material}_{thing}", table & enough & (has(f"{material}_{thing}") == 0))
        for material, enough in able.items()
        for thing in ("sword", "pickaxe")
    ]


class _Achieved:
    """Which achievements the episodes have unlocked so far."""

    def __init__(self, done: list[tuple[str, ...]]) -> None:
        self._done = done

    def __call__(self, name: str) -> np.ndarray:
        return np.array([name in done for done in self._done])


def _needed(around: Surroundings, achieved: _Achieved) -> np.ndarray:
    """Returns the cells to go to: those of the most pressing need that something is known for."""
    has = around.has
    tools = (has("stone_pickaxe") > 0) & (has("stone_sword") > 0)
    strong = has("health") >= 4
    zombie, skeleton = around.creature("zombie"), around.creature("skeleton")
    needs = [
        ("zombie", around.within(zombie, 2) | (strong & around.within(zombie, 5))),
        ("skeleton", strong & around.within(skeleton, 6)),
        ("water", has("drink") <= 3),
        ("cow", has("food") <= 3),
        ("ripe_plant", np.ones(len(strong), bool)),
        ("water", ~achieved("collect_drink") | ((has("drink") <= 6) & around.within(_wanted(around, "water"), 6))),
        ("cow", ~achieved("eat_cow") | ((has("food") <= 5) & around.within(_wanted(around, "cow"), 6))),
        ("diamond", has("iron_pickaxe") > 0),
        ("tree", has("wood") < np.where(has("wood_pickaxe") == 0, 4, np.where(tools, 5, 6))),
        ("iron", (has("stone_pickaxe") > 0) & (has("iron") < 2)),
        ("coal", (has("wood_pickaxe") > 0) & (has("coal") < 2)),
        ("stone", (has("wood_pickaxe") > 0) & (has("stone") < 6)),
        ("skeleton", strong & ~achieved("defeat_skeleton")),
    ]
    chosen = _wanted(around, "unknown")
    for name, pressing in reversed(needs):
        cells = _wanted(around, name)
        chosen = np.where((pressing & cells.any(axis=(1, 2)))[:, None, None], cells, chosen)
    return chosen


def _wanted(around: Surroundings, name: str) -> np.ndarray:
    """Returns the cells that a wish is for."""
    if name == "unknown":
        return around.tiles == UNKNOWN
    return around.creature(name) if name in TYPES else around.tiles == kinds(name)[0]


def _go(walker: Walker, around: Surroundings, wanted: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Returns the action toward what is wanted; where there is no way, toward the unknown, or else anywhere."""
    actions, found = walker.toward(around, wanted)
    if not found.all():
        elsewhere, other = walker.toward(around, np.where(found[:, None, None], wanted, _wanted(around, "unknown")))
        anywhere = np.where(generator.random(len(found)) < 0.3, DO, generator.integers(1, 5, size=len(found)))
        actions = np.where(found, actions, np.where(other, elsewhere, anywhere))
    return actions


def _given(seen: TimeStep | None) -> TimeStep:
    if seen is None or seen.tiles is None:
        raise DatasetError("This policy looks at what a simulator shows; it cannot act in a learned world.")
    return seen
