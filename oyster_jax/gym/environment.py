"""A learned world as a Gymnasium environment."""

import os
from typing import Any

import gymnasium
import numpy as np

from oyster_jax.core.state import WorldState
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.gym.programs import begun, ends, opened, starts_of, ticking
from oyster_jax.worlds.world import World

RENDER_MODES = ("rgb_array",)
#: What Gymnasium asks of a class; an environment says its own world's rate.
METADATA: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 15}


class WorldEnv(gymnasium.Env[np.ndarray, np.int64]):
    """One world: frames are observed, actions are ids, the reward is what the world predicts.

    An episode terminates where the world says that it ended. It is truncated by the clock of `gymnasium.make`, or, with
    `info["status"]` as `Status.NONFINITE`, where the world broke.

    Args:
      world: a loaded world, its name or its folder.
      prompts: a recording of the game, in whose moments episodes begin; each is dreamt from nothing unless given.
      context: frames that the world sees of a moment.
      render_mode: "rgb_array" or None; Gymnasium's wrappers make "human" and "rgb_array_list" of it.

    Raises:
      WorldError: there is no such world.
      ValueError: the render mode is unknown.
    """

    metadata = METADATA

    def __init__(
        self,
        world: World | str | os.PathLike[str] = "coinrun",
        *,
        prompts: EpisodeDataset | str | os.PathLike[str] | None = None,
        context: int = 8,
        render_mode: str | None = None,
    ) -> None:
        check_render_mode(render_mode)
        self.world = opened(world)
        self.render_mode = render_mode
        self.metadata = METADATA | {"render_fps": self.world.spec.frame.rate}
        self.observation_space = gymnasium.spaces.Box(0, 255, self.world.spec.frame.shape, np.uint8)
        self.action_space = gymnasium.spaces.Discrete(self.world.spec.action.count)
        self._starts = starts_of(self.world, prompts, context)
        self._state: WorldState | None = None
        self._frame = np.zeros(self.world.spec.frame.shape, np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode; the same seed begins the same one. There are no options."""
        super().reset(seed=seed)
        del options
        self._state, told = begun(self.world, self._starts, self.np_random)
        self._frame = np.array(told["frame"])
        return self._frame.copy(), {"status": int(told["status"])}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Takes an action, by its id.

        Raises:
          gymnasium.error.ResetNeeded: no episode was begun.
          ValueError: there is no such action.
        """
        if self._state is None:
            raise gymnasium.error.ResetNeeded("No episode was begun; call reset() before step().")
        taken = np.int32(self.world.spec.action.parse(int(action)))
        self._state, told = ticking(self.world)(self._state, taken)
        self._frame = np.array(told["frame"])
        terminated, broken = map(bool, ends(int(told["status"])))
        return self._frame.copy(), float(told["reward"]), terminated, broken, {"status": int(told["status"])}

    def render(self) -> np.ndarray | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Returns the newest frame, uint8 `[height, width, 3]`, where a render mode was chosen."""
        return self._frame.copy() if self.render_mode else None


def check_render_mode(mode: str | None) -> None:
    """Checks a render mode.

    Raises:
      ValueError: it is unknown.
    """
    if mode is not None and mode not in RENDER_MODES:
        raise ValueError(f"A learned world renders as {', '.join(RENDER_MODES)} or not at all (None), not as '{mode}'.")
