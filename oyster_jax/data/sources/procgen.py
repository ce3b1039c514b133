"""The 16 Procgen games (Cobbe et al. 2020, https://arxiv.org/abs/1912.01588) as a source of recordings."""

import dataclasses
import types
from typing import Any

import numpy as np
from jaxtyping import Int32, UInt8

from oyster_jax.core.spec import ActionSpec, EntitySpec, FrameSpec, WorldSpec
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.sources import coinrun_scenery, procgen_state
from oyster_jax.data.sources.source import TimeStep

GAMES = (
    "bigfish", "bossfight", "caveflyer", "chaser", "climber", "coinrun", "dodgeball", "fruitbot",
    "heist", "jumper", "leaper", "maze", "miner", "ninja", "plunder", "starpilot",
)  # fmt: skip

#: Games in which "up" is a jump.
PLATFORMERS = frozenset({"climber", "coinrun", "jumper", "ninja"})

#: Procgen's "exploration" is left out: it plays one fixed level whatever range is asked for, even across the splits.
DISTRIBUTIONS = ("easy", "hard", "extreme", "memory")

#: Games whose levels exist in the distributions beyond easy and hard.
_ONLY = {
    "extreme": frozenset({"chaser", "dodgeball", "leaper", "starpilot"}),
    "memory": frozenset({"caveflyer", "dodgeball", "heist", "jumper", "maze", "miner"}),
}

#: Pixels a side of the frames that games draw for agents, and of those for people, from which other sizes are made.
FRAME, DRAWN = 64, 512

#: Procgen's 15 actions in its own order, horizontal direction first; "up" is called "jump" in platformers.
ACTIONS = (
    "left+down", "left", "left+up", "down", "noop", "up", "right+down", "right", "right+up",
    "d", "a", "w", "s", "q", "e",
)  # fmt: skip

FRAME_RATE = 15.0
_LAST_LEVEL = 2**31 - 1

#: Rows of the entity table. CoinRun mostly has 6 to 16; 64 are too few only for bursts of particles, which come
#: last in the simulator's order and so are what is left out.
ENTITY_CAPACITY = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Procgen:
    """One Procgen game; the defaults are its plain look: no backgrounds, one theme, easy levels.

    Attributes:
      game: one of `GAMES`.
      distribution: which levels: easy, hard, or for some games extreme or memory.
      backgrounds: whether levels have pictures behind them.
      themes: whether levels differ in their tiles and figures.
      entities: whether the simulator's entities are recorded too.
      scenery: whether the tiles around the agent are, which are known of CoinRun; entities then have types with names.
      capacity: rows of the entity table.
      side: pixels a side of the frames: 64, as agents see them, or 128 or 256, made from the picture for people.

    Raises:
      DatasetError: there is no such game, distribution or size, or the game lacks the distribution, or scenery.
    """

    game: str = "coinrun"
    distribution: str = "easy"
    backgrounds: bool = False
    themes: bool = False
    entities: bool = False
    scenery: bool = False
    capacity: int = ENTITY_CAPACITY
    side: int = FRAME

    licence = "MIT"
    policies = types.MappingProxyType({})

    def __post_init__(self) -> None:
        if self.game not in GAMES:
            raise DatasetError(f"Procgen has no game '{self.game}'; choose one of {', '.join(GAMES)}.")
        if self.distribution not in DISTRIBUTIONS:
            raise DatasetError(
                f"Procgen has no distribution '{self.distribution}'; choose one of {', '.join(DISTRIBUTIONS)}."
            )
        if self.game not in _ONLY.get(self.distribution, GAMES):
            raise DatasetError(
                f"The {self.distribution} distribution exists for {', '.join(sorted(_ONLY[self.distribution]))}, "
                f"not for {self.game}; choose easy or hard."
            )
        if self.scenery and (self.game != "coinrun" or not self.entities):
            raise DatasetError(
                "The tiles around the agent are known of coinrun alone, with its entities; add --entities."
            )
        if self.side not in (FRAME, DRAWN // 4, DRAWN // 2):
            raise DatasetError(f"Procgen's frames have 64, 128 or 256 pixels a side, but {self.side} were asked for.")

    @property
    def name(self) -> str:
        """What the manifest calls it."""
        return f"procgen:{self.game}"

    @property
    def options(self) -> dict[str, Any]:
        """Which levels and which look."""
        look = {name: getattr(self, name) for name in ("distribution", "backgrounds", "themes")}
        return look | ({} if self.side == FRAME else {"side": self.side}) | ({"scenery": True} if self.scenery else {})

    @property
    def spec(self) -> WorldSpec:
        """Square frames at 15 Hz, 15 actions, and the entity table if it is recorded."""
        up = "jump" if self.game in PLATFORMERS else "up"
        names = tuple("+".join(up if part == "up" else part for part in name.split("+")) for name in ACTIONS)
        return WorldSpec(
            name=self.game,
            frame=FrameSpec(height=self.side, width=self.side, rate=FRAME_RATE),
            action=ActionSpec(names=names, idle="noop"),
            entity=self._entity if self.entities else None,
            tiles=coinrun_scenery.tiles(self.side) if self.scenery else None,
        )

    @property
    def _entity(self) -> EntitySpec:
        known = {"types": coinrun_scenery.TYPES, "usual": coinrun_scenery.USUAL} if self.scenery else {}
        return EntitySpec(capacity=self.capacity, fields=procgen_state.FIELDS, **known)

    def open(self, *, environments: int, levels: tuple[int, int], seed: int, threads: int = 2) -> "ProcgenSimulator":
        """Starts the game; see `Source.open`.

        Raises:
          DatasetError: the simulator is not installed.
        """
        return ProcgenSimulator(self, environments=environments, levels=levels, seed=seed, threads=threads)


class ProcgenSimulator:
    """A running batch of one Procgen game; see `Simulator`."""

    def __init__(self, source: Procgen, *, environments: int, levels: tuple[int, int], seed: int, threads: int) -> None:
        try:
            from procgen_gym import ProcgenVecEnv
        except ImportError as error:
            raise DatasetError(
                "Recording Procgen needs the package procgen-gym, which exists for Python 3.13 on Linux and Windows; "
                "install it with `pip install oyster-jax[envs]`."
            ) from error
        if levels[1] > _LAST_LEVEL:
            raise DatasetError(f"Procgen's levels end at {_LAST_LEVEL}, but {levels[0]}:{levels[1]} were asked for.")
        self._source = source
        self._environment: Any = ProcgenVecEnv(
            environments,
            source.game,
            use_backgrounds=source.backgrounds,
            restrict_themes=not source.themes,
            distribution_mode=source.distribution,
            num_levels=levels[1] - levels[0],
            start_level=levels[0],
            rand_seed=seed,
            num_threads=threads,
            render_mode=None if source.side == FRAME else "rgb_array",
        )
        self._reader = procgen_state.StateReader(self._environment)
        self._clock = self._reader.header(0).timeout
        self._ticks = np.zeros(environments, np.int32)

    def observe(self) -> TimeStep:
        """See `Simulator.observe`."""
        frames, info = self._environment.reset()
        nothing = np.zeros(len(frames), bool)
        return self._time_step(frames, info, np.zeros(len(frames), np.float32), nothing)

    def step(self, actions: Int32[np.ndarray, "environments"]) -> TimeStep:
        """See `Simulator.step`."""
        frames, rewards, ended, _, info = self._environment.step(actions)
        self._ticks += 1
        shown = self._time_step(frames, info, rewards, ended)
        self._ticks[ended] = 0
        return shown

    def close(self) -> None:
        """Frees the simulator."""
        self._environment.close()

    def states(self) -> list[bytes]:
        """Returns the whole state of every environment; `restore` brings it back exactly."""
        return [self._reader.state(index) for index in range(self._environment.num_envs)]

    def restore(self, states: list[bytes]) -> None:
        """Puts every environment back into a state that `states` returned."""
        self._environment.set_state(states)
        self._ticks[:] = [self._reader.header(index).tick for index in range(len(states))]

    def _time_step(self, frames: np.ndarray, info: dict, rewards: np.ndarray, ended: np.ndarray) -> TimeStep:
        tables = self._reader.tables(self._source.capacity) if self._source.entities else (None, None, None)
        entities, mask, lost = tables
        tiles = None
        if self._source.scenery and entities is not None:
            x, y = (procgen_state.FIELDS.index(name) for name in ("x", "y"))
            tiles = np.stack(
                [
                    coinrun_scenery.around(self._reader.grid(index), table[0, [x, y]])
                    for index, table in enumerate(entities)
                ]
            )
        return TimeStep(
            frames=frames if self._source.side == FRAME else _reduced(info["rgb"], self._source.side),
            levels=info["level_seed"],
            rewards=rewards,
            ended=ended,
            terminals=ended & (self._ticks < self._clock),
            entities=entities,
            entity_mask=mask,
            entities_lost=lost,
            tiles=tiles,
        )


def _reduced(pictures: UInt8[np.ndarray, "environments height width 3"], side: int) -> np.ndarray:
    """Returns square pictures with `side` pixels a side, each the mean of a square of theirs."""
    size = pictures.shape[1] // side
    squares = pictures.reshape(len(pictures), side, size, side, size, 3)
    # The mean of squares of 2 or 4 pixels a side is exact in float32.
    return np.round(squares.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8)
