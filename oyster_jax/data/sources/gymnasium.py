"""Any environment of Gymnasium (Towers et al. 2024, arXiv 2407.17032) as a source of recordings."""

import dataclasses
import functools
import os
import re
import types
from typing import Any

import numpy as np
from jaxtyping import Int32

from oyster_jax.core.spec import FrameSpec, WorldSpec
from oyster_jax.data import action_table
from oyster_jax.data.action_table import ActionTable
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.pictures import as_rgb, fitting, is_picture, parse_size, resized
from oyster_jax.data.sources.source import TimeStep

#: Ticks a second of an environment that does not say.
RATE = 15.0

#: Where frames come from: the observation if it is a picture and else the rendering, or one of the two.
VIEWS = ("auto", "observation", "rendering")

#: What Gymnasium's own environments call their actions only in their documentation.
_NAMES = {
    "CartPole": ("left", "right"),
    "MountainCar": ("left", "noop", "right"),
    "Acrobot": ("left", "noop", "right"),
    "LunarLander": ("noop", "left", "up", "right"),
    "FrozenLake": ("left", "down", "right", "up"),
    "CliffWalking": ("up", "right", "down", "left"),
    "Taxi": ("down", "up", "right", "left", "pickup", "dropoff"),
}

#: The single buttons in the meanings of Atari's actions, as in RIGHTFIRE.
_MEANING = re.compile("UP|DOWN|LEFT|RIGHT|FIRE")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gymnasium:
    """One environment of Gymnasium; its episodes begin at `reset(seed=level)`.

    Attributes:
      id: as `gymnasium.make` knows it; `MODULE:ID` imports a module first.
      view: one of `VIEWS`.
      size: of the frames, as in `64x96`; what `pictures.fitting` says unless given.
      rate: ticks a second; the environment's `render_fps` unless given.
      actions: names of the actions, or names with values (`action_table.parsed`); told by its space unless given.

    Raises:
      DatasetError: something of these is not written as it should be.
    """

    id: str
    view: str = "auto"
    size: str | None = None
    rate: float | None = None
    actions: str | None = None

    #: Gymnasium does not tell whose an environment is.
    licence = "NOASSERTION"
    policies = types.MappingProxyType({})

    def __post_init__(self) -> None:
        if not self.id:
            raise DatasetError("Which environment? Write gym:ENV_ID, as in gym:CartPole-v1.")
        if self.view not in VIEWS:
            raise DatasetError(f"Frames come from {', '.join(VIEWS)}, not from '{self.view}'.")
        if self.rate is not None and not self.rate > 0:
            raise DatasetError(f"A world makes some ticks a second, but {self.rate} were asked for.")
        if self.size is not None:
            parse_size(self.size)

    @property
    def name(self) -> str:
        """What the manifest calls it."""
        return f"gym:{self.id}"

    @property
    def options(self) -> dict[str, Any]:
        """Where frames come from, and what each action is to the environment."""
        return {"view": self._found.view, "actions": self._found.table.to_json()}

    @property
    def spec(self) -> WorldSpec:
        """Frames and actions, as found by opening the environment once.

        Raises:
          DatasetError: Gymnasium or the environment is not installed, or it has no pictures or no usable actions.
        """
        return self._found.spec

    def open(self, *, environments: int, levels: tuple[int, int], seed: int) -> "GymnasiumSimulator":
        """Starts the environments; see `Source.open`."""
        made = [_made(self.id, self._found.view) for _ in range(environments)]
        return GymnasiumSimulator(made, self._found, levels=levels, seed=seed)

    @functools.cached_property
    def _found(self) -> "_Found":
        observed = _made(self.id, "observation")
        try:
            table = _table(observed, self.id, self.actions)
            picture = _observed(observed.observation_space)
            view = self.view if self.view != "auto" else "observation" if picture else "rendering"
            if view == "observation" and not picture:
                raise DatasetError(f"{self.name} observes no picture; record it with --view rendering.")
            rate = self.rate or observed.metadata.get("render_fps") or RATE
        finally:
            observed.close()
        shown = _made(self.id, view)
        try:
            height, width, _ = _picture(shown, shown.reset(seed=0)[0], view).shape
        finally:
            shown.close()
        height, width = parse_size(self.size) if self.size else fitting(height, width)
        frame = FrameSpec(height=height, width=width, rate=float(rate))
        name = re.sub(r"\W+", "-", self.id.rpartition(":")[2].rpartition("/")[2]).strip("-").lower()
        return _Found(spec=WorldSpec(name=name, frame=frame, action=table.spec), table=table, view=view)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Found:
    """What an environment turned out to be."""

    spec: WorldSpec
    table: ActionTable
    view: str


class GymnasiumSimulator:
    """Environments of one kind, stepped one after the other; see `Simulator`."""

    def __init__(self, environments: list[Any], found: _Found, *, levels: tuple[int, int], seed: int) -> None:
        self._environments, self._found, self._range = environments, found, levels
        # Each environment draws its levels by itself, so that its episodes do not depend on its neighbours'.
        self._generators = [np.random.default_rng((seed, index)) for index in range(len(environments))]
        self._levels = np.zeros(len(environments), np.int32)
        self._size = (found.spec.frame.height, found.spec.frame.width)

    def observe(self) -> TimeStep:
        """See `Simulator.observe`."""
        count = len(self._environments)
        frames = [self._begin(index) for index in range(count)]
        return self._time_step(frames, np.zeros(count, np.float32), np.zeros(count, bool), np.zeros(count, bool))

    def step(self, actions: Int32[np.ndarray, "environments"]) -> TimeStep:
        """See `Simulator.step`."""
        count = len(self._environments)
        frames, rewards = [], np.zeros(count, np.float32)
        ended, terminals = np.zeros(count, bool), np.zeros(count, bool)
        for index, environment in enumerate(self._environments):
            action = _value(environment.action_space, self._found.table.values[actions[index]])
            observation, rewards[index], terminals[index], truncated, _ = environment.step(action)
            ended[index] = terminals[index] or truncated
            frames.append(self._begin(index) if ended[index] else self._frame(environment, observation))
        return self._time_step(frames, rewards, ended, terminals)

    def close(self) -> None:
        """Frees the environments."""
        for environment in self._environments:
            environment.close()

    def _begin(self, index: int) -> np.ndarray:
        environment = self._environments[index]
        self._levels[index] = self._generators[index].integers(*self._range)
        observation, _ = environment.reset(seed=int(self._levels[index]))
        return self._frame(environment, observation)

    def _frame(self, environment: Any, observation: Any) -> np.ndarray:
        return resized(_picture(environment, observation, self._found.view), self._size)

    def _time_step(
        self, frames: list[np.ndarray], rewards: np.ndarray, ended: np.ndarray, terminals: np.ndarray
    ) -> TimeStep:
        return TimeStep(
            frames=np.stack(frames), levels=self._levels.copy(), rewards=rewards, ended=ended, terminals=terminals
        )


def _made(name: str, view: str) -> Any:
    """Returns the environment."""
    try:
        import gymnasium
    except ImportError as error:
        raise DatasetError(
            "Recording gym: needs the package gymnasium; install it with `pip install oyster-jax[envs]`."
        ) from error
    mode = "rgb_array" if view == "rendering" else None
    if "XDG_RUNTIME_DIR" not in os.environ:
        # Where nobody has a screen, SDL complains of it aloud unless it is told to draw into memory.
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    try:
        return gymnasium.make(name, render_mode=mode, disable_env_checker=True)
    except (gymnasium.error.Error, ImportError, TypeError, ValueError) as error:
        raise DatasetError(
            f"Gymnasium cannot make '{name}': {str(error).strip().splitlines()[0]} "
            "Give the id of an installed environment, as in gym:CartPole-v1, behind the module that registers it if "
            "need be, as in gym:minigrid:MiniGrid-Empty-8x8-v0."
        ) from error


def _observed(space: Any) -> tuple[str, ...] | None:
    """Returns where in an observation the picture is: an empty path, or the key of a dictionary; None without one."""
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        return next(((key,) for key, inner in space.items() if _observed(inner) == ()), None)
    return () if isinstance(space, spaces.Box) and is_picture(space.shape, space.dtype) else None


def _picture(environment: Any, observation: Any, view: str) -> np.ndarray:
    """Returns what an environment shows, as RGB of whatever size."""
    if view == "rendering":
        observation = environment.render()
    else:
        for key in _observed(environment.observation_space) or ():
            observation = observation[key]
    if not isinstance(observation, np.ndarray):
        raise DatasetError(
            f"The environment renders {type(observation).__name__} instead of a picture; it has to know rgb_array."
        )
    return as_rgb(observation)


def _table(environment: Any, name: str, text: str | None) -> ActionTable:
    """Returns what actions an environment has, by its space, or as `text` says."""
    space = environment.action_space
    table = _by_space(environment, name) if text is None else action_table.parsed(text)
    wrong = next((row for row in table.values if not _accepts(space, row)), None)
    if wrong is not None:
        raise DatasetError(f"gym:{name} accepts {space}, which {':'.join(map(str, wrong))} of --actions is not in.")
    return table


def _by_space(environment: Any, name: str) -> ActionTable:
    from gymnasium import spaces

    match space := environment.action_space:
        case spaces.Discrete():
            return action_table.of_choices(_names(environment, name, int(space.n)), int(space.start))
        case spaces.MultiBinary():
            return action_table.of_buttons(int(np.prod(space.shape)))
        case spaces.MultiDiscrete():
            return action_table.of_several(space.nvec.ravel().tolist(), space.start.ravel().tolist())
        case spaces.Box():
            return action_table.of_ranges(space.low.ravel().astype(float), space.high.ravel().astype(float))
    raise DatasetError(
        f"gym:{name} has actions of {space}, which cannot be named; wrap it to Discrete, MultiBinary, MultiDiscrete or "
        "Box actions."
    )


def _names(environment: Any, name: str, count: int) -> list[str]:
    """Returns names of a choice's actions: what the environment calls them, what is known of it, or numbers."""
    inner = environment.unwrapped
    family = name.rpartition(":")[2].rpartition("/")[2].partition("-")[0]
    if hasattr(inner, "get_action_meanings"):
        names = [_meaning(word) for word in inner.get_action_meanings()]
    elif hasattr(getattr(inner, "actions", None), "__members__"):
        names = [action_table.plain(member) for member in inner.actions.__members__]
    else:
        names = list(_NAMES.get(family.removesuffix("Continuous"), ()))
    return names if len(set(names)) == len(names) == count else [f"action{index}" for index in range(count)]


def _meaning(word: str) -> str:
    parts = _MEANING.findall(word)
    return "+".join(parts).lower() if "".join(parts) == word else action_table.plain(word)


def _value(space: Any, row: tuple[float, ...]) -> Any:
    """Returns what an environment is given for an action of the table."""
    from gymnasium import spaces

    return int(row[0]) if isinstance(space, spaces.Discrete) else np.asarray(row, space.dtype).reshape(space.shape)


def _accepts(space: Any, row: tuple[float, ...]) -> bool:
    size = int(np.prod(space.shape)) if space.shape else 1
    return len(row) == size and bool(space.contains(_value(space, row)))
