"""Trials of a learned world against the exact simulator: the same start, the same script of actions, both recorded.

A policy wanders through held-out levels. Every few ticks the simulator's whole state is kept, scripts are tried from
there, and the state is put back; a trial counts if nobody died in it and the section that asked for it accepts the true
course of the agent. `evaluate.simulation` lets the learned world go through the same trials.
"""

import dataclasses
from collections import deque
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.camera import pixels_per_tile
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import FIRST_HELD_OUT_LEVEL
from oyster_jax.data.policies import Policy, make_policy
from oyster_jax.data.sources.source import Simulator, Source, TimeStep
from oyster_jax.evaluate.chunks import Progress
from oyster_jax.evaluate.windows import earlier_of_same

#: Columns of the agent's course that a section judges a trial by: places in tiles, y up; speeds in tiles a tick.
COURSE = ("x", "y", "vx", "vy")

#: Says which trials of one kind count: kind, courses `[environments, branches, context + ticks, 4]` → `[environments]`.
type Accept = Callable[[int, np.ndarray], np.ndarray]


@runtime_checkable
class ExactSimulator(Simulator, Protocol):
    """A simulator whose whole state can be taken and put back."""

    def states(self) -> list[bytes]:
        """Returns the whole state of every environment."""
        ...

    def restore(self, states: list[bytes]) -> None:
        """Puts every environment back into a state that `states` returned."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """How trials are found and run.

    Attributes:
      trials: how many of each kind; fewer where patience ends before.
      context: real frames that the world sees before it goes on alone, at least 2.
      levels: first and last (exclusive) level of the simulator; held-out ones.
      seed: of the wandering, and of the world's own randomness.
      policy: who wanders.
      environments: simulators that wander side by side.
      spacing: ticks between two tries.
      patience: ticks of wandering after which the search ends.
      chunk: trials simulated by the world at once; more need more memory and change no figure beyond rounding.
      shown: trials whose frames are kept for clips.

    Raises:
      ValueError: a number is too small, or the levels are not held out.
    """

    trials: int = 24
    context: int = 8
    levels: tuple[int, int] = (FIRST_HELD_OUT_LEVEL, FIRST_HELD_OUT_LEVEL + 500)
    seed: int = 0
    policy: str = "sticky"
    environments: int = 32
    spacing: int = 6
    patience: int = 1200
    chunk: int = 12
    shown: int = 4

    def __post_init__(self) -> None:
        for name, least in (("trials", 1), ("context", 2), ("environments", 1), ("spacing", 1), ("patience", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"Trials need at least {least} of their {name}, but {getattr(self, name)} was given.")
        if self.chunk < 1 or self.shown < 0 or self.seed < 0:
            raise ValueError("A chunk of trials is positive; what is shown and the seed are not negative.")
        if not FIRST_HELD_OUT_LEVEL <= self.levels[0] < self.levels[1]:
            raise ValueError(
                f"Trials are made on held-out levels, which begin at {FIRST_HELD_OUT_LEVEL}; {self.levels} were given."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trials:
    """What the simulator did: the frames before the scripts, and each branch after them.

    Attributes:
      spec: what was recorded, with its entities.
      context: frames before the scripts; the last of them shows the state that all branches leave from.
      kinds: int32 `[trials]`, which of the scripts.
      levels: int32 `[trials]`.
      actions: int32 `[trials, branches, context - 1 + ticks]`, those between the frames.
      frames: uint8 `[trials, branches, context + ticks, height, width, 3]`.
      entities: float32 `[trials, branches, context + ticks, capacity, fields]`.
      entity_mask: bool `[trials, branches, context + ticks, capacity]`.
    """

    spec: WorldSpec
    context: int
    kinds: Int32[np.ndarray, "trials"]
    levels: Int32[np.ndarray, "trials"]
    actions: Int32[np.ndarray, "trials branches steps"]
    frames: UInt8[np.ndarray, "trials branches length height width 3"]
    entities: Float32[np.ndarray, "trials branches length capacity fields"]
    entity_mask: Bool[np.ndarray, "trials branches length capacity"]

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def courses(self) -> Float32[np.ndarray, "trials branches length 4"]:
        """The agent's course, columns `COURSE`."""
        return course(self.spec, self.entities)

    @property
    def truth(self) -> UInt8[np.ndarray, "trials branches ticks height width 3"]:
        """True frames from the last one of the context on: `1 + ticks` of them."""
        return self.frames[:, :, self.context - 1 :]

    def examples(self, count: int) -> Int32[np.ndarray, "examples"]:
        """Returns indices of at most `count` trials to look at, of all kinds in turn."""
        return np.lexsort((self.kinds, earlier_of_same(self.kinds)))[:count].astype(np.int32)


def course(spec: WorldSpec, entities: np.ndarray) -> np.ndarray:
    """Returns columns `COURSE` of the agent, `[…, 4]`, from entity tables `[…, capacity, fields]`."""
    if spec.entity is None:
        raise DatasetError(f"The recording of '{spec.name}' has no entities to follow its agent by; record with them.")
    return entities[..., 0, :][..., [spec.entity.column(name) for name in COURSE]]


def with_entities(source: Source) -> Source:
    """Returns the same source with its entities recorded.

    Raises:
      DatasetError: it has none, or how its camera stands is not known.
    """
    names = {field.name for field in dataclasses.fields(source)} if dataclasses.is_dataclass(source) else set()
    if "entities" in names:
        source = dataclasses.replace(source, entities=True)  # pyright: ignore[reportArgumentType]
    if source.spec.entity is None:
        raise DatasetError(f"The simulator '{source.name}' tells of no entities, without which no trial can be judged.")
    pixels_per_tile(source.spec)
    return source


def collect(
    source: Source,
    scripts: Int32[np.ndarray, "kinds branches ticks"],
    accept: Accept,
    config: TrialConfig,
    progress: Progress | None = None,
) -> Trials:
    """Records trials of every kind in the exact simulator; the same seed gives the same ones.

    Of one episode at most one trial of a kind is taken.

    Args:
      source: the simulator, with entities.
      scripts: actions of each branch of each kind.
      accept: which trials count, judged by the agent's true course.
      config: how many and where.
      progress: told the trials found and those wanted.

    Raises:
      DatasetError: the simulator cannot put states back, or no trial was found.
    """
    source = with_entities(source)
    simulator = source.open(environments=config.environments, levels=config.levels, seed=config.seed)
    try:
        if not isinstance(simulator, ExactSimulator):
            raise DatasetError(f"The simulator '{source.name}' cannot put states back, which trials are made by.")
        search = _Search(source.spec, simulator, scripts, accept, config)
        wanted = config.trials * len(scripts)
        for tick in range(config.patience):
            if tick % config.spacing == 0:
                search.attempt()
                if progress is not None:
                    progress(len(search.found), wanted)
                if len(search.found) == wanted:
                    break
            search.wander()
    finally:
        simulator.close()
    if not search.found:
        raise DatasetError(
            f"No trial that counts was found in {config.patience} ticks on levels {config.levels[0]} to "
            f"{config.levels[1]}; give more patience or more levels."
        )
    return search.trials()


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Found:
    kind: int
    level: int
    arrays: dict[str, np.ndarray]


class _Search:
    """Environments that wander, with what they showed lately, and the trials found so far."""

    def __init__(
        self, spec: WorldSpec, simulator: ExactSimulator, scripts: np.ndarray, accept: Accept, config: TrialConfig
    ) -> None:
        self._spec, self._simulator, self._scripts, self._accept, self._config = (
            spec, simulator, scripts, accept, config,
        )  # fmt: skip
        count = config.environments
        self._policy: Policy = make_policy(config.policy, spec.action, count, config.seed)
        self._generator = np.random.default_rng([config.seed, 2])
        self._seen: deque[TimeStep] = deque([simulator.observe()], maxlen=config.context)
        self._acted: deque[np.ndarray] = deque(maxlen=config.context - 1)
        self._began = np.ones(count, bool)
        self._age = np.zeros(count, np.int64)
        self._due = self._delays(count)
        self._done = np.zeros((len(scripts), count), bool)
        self.found: list[_Found] = []

    def _delays(self, count: int) -> np.ndarray:
        """Ticks before the first try in an episode: without them nearly all trials would be at a level's beginning."""
        return self._config.context - 1 + self._generator.integers(48, size=count)

    def wander(self) -> None:
        """Goes on for a tick."""
        actions = self._policy.act(self._began)
        observed = self._simulator.step(actions)
        self._acted.append(actions)
        self._seen.append(observed)
        self._began = observed.ended
        self._age = np.where(observed.ended, 0, self._age + 1)
        self._due = np.where(observed.ended, self._delays(len(self._due)), self._due)
        self._done &= ~observed.ended

    def attempt(self) -> None:
        """Tries all scripts of which trials are still wanted, and puts everything back."""
        ready = self._age >= self._due
        if not ready.any():
            return
        states = self._simulator.states()
        for kind in range(len(self._scripts)):
            missing = self._config.trials - sum(found.kind == kind for found in self.found)
            if missing > 0:
                self._attempt_kind(kind, ready & ~self._done[kind], missing, states)

    def _attempt_kind(self, kind: int, ready: np.ndarray, missing: int, states: list[bytes]) -> None:
        sound, branches = ready.copy(), []
        for script in self._scripts[kind]:
            later = []
            for action in script:
                observed = self._simulator.step(np.full(len(ready), action, np.int32))
                sound &= ~observed.ended
                later.append(observed)
            self._simulator.restore(states)
            branches.append([*self._seen, *later])
        if not sound.any():
            return
        entities = np.stack([[seen.entities for seen in branch] for branch in branches])
        entities = np.moveaxis(entities, 2, 0)
        sound &= self._accept(kind, course(self._spec, entities))
        for index in np.flatnonzero(sound)[:missing]:
            self._done[kind, index] = True
            self.found.append(self._cut(kind, int(index), branches))

    def _cut(self, kind: int, index: int, branches: list[list[TimeStep]]) -> _Found:
        """Copies one environment's trial out of what all of them showed."""
        before = np.array([actions[index] for actions in self._acted], np.int32)

        def stack(name: str) -> np.ndarray:
            return np.stack([[getattr(seen, name)[index] for seen in branch] for branch in branches])

        arrays = {name: stack(name) for name in ("frames", "entities", "entity_mask")}
        arrays["actions"] = np.stack([np.concatenate([before, script]) for script in self._scripts[kind]])
        return _Found(kind=kind, level=int(self._seen[-1].levels[index]), arrays=arrays)

    def trials(self) -> Trials:
        """Returns what was found, kind by kind, so that a larger number begins with the same ones."""
        found = sorted(self.found, key=lambda found: found.kind)
        arrays = {name: np.stack([one.arrays[name] for one in found]) for name in found[0].arrays}
        return Trials(
            spec=self._spec,
            context=self._config.context,
            kinds=np.array([one.kind for one in found], np.int32),
            levels=np.array([one.level for one in found], np.int32),
            **arrays,
        )
