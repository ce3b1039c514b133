"""Many learned worlds as one Gymnasium vector environment: stepped together on the device."""

import os
from collections.abc import Sequence
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool

from oyster_jax.core.state import WorldState
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.gym.environment import METADATA, check_render_mode
from oyster_jax.gym.programs import begun, ends, opened, starts_of, ticking_together
from oyster_jax.gym.registration import MAX_TICKS
from oyster_jax.worlds.world import World

type _Told = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]


@jax.jit
def _exchange(states: WorldState, state: WorldState, row: Any) -> WorldState:
    return jax.tree.map(lambda many, one: many.at[row].set(one), states, state)


class WorldVectorEnv(gymnasium.vector.VectorEnv):
    """So many worlds at once; row i does what a `WorldEnv` does that was seeded with seed + i.

    Args:
      world: a loaded world, its name or its folder.
      num_envs: how many.
      prompts: a recording in whose moments episodes begin; each is dreamt from nothing unless given.
      context: frames that a world sees of a moment.
      render_mode: "rgb_array" or None.
      max_episode_steps: ticks after which an episode is truncated.
      autoreset_mode: when a row that ended begins anew, as Gymnasium has it: with the next step, whose action it then
        ignores; with the same step, what was seen last standing in `info["final_obs"]`; or when it is reset with
        `options={"reset_mask": …}`.

    Raises:
      WorldError: there is no such world.
      ValueError: an option is unknown or out of range.
    """

    metadata = METADATA

    def __init__(
        self,
        world: World | str | os.PathLike[str] = "coinrun",
        num_envs: int = 1,
        *,
        prompts: EpisodeDataset | str | os.PathLike[str] | None = None,
        context: int = 8,
        render_mode: str | None = None,
        max_episode_steps: int = MAX_TICKS,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        if num_envs < 1 or max_episode_steps < 1:
            raise ValueError(
                f"There is at least one world and one tick, but {num_envs} and {max_episode_steps} were given."
            )
        check_render_mode(render_mode)
        self.world, self.num_envs, self.render_mode = opened(world), num_envs, render_mode
        self.max_episode_steps, self.autoreset_mode = max_episode_steps, AutoresetMode(autoreset_mode)
        spec = self.world.spec
        about = {"render_fps": spec.frame.rate, "autoreset_mode": self.autoreset_mode}
        self.metadata = METADATA | about
        self.single_observation_space = gymnasium.spaces.Box(0, 255, spec.frame.shape, np.uint8)
        self.single_action_space = gymnasium.spaces.Discrete(spec.action.count)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._starts = starts_of(self.world, prompts, context)
        self._generators = [seeding.np_random()[0] for _ in range(num_envs)]
        self._states: WorldState | None = None
        self._frames = np.zeros((num_envs, *spec.frame.shape), np.uint8)
        self._statuses = np.zeros(num_envs, np.int32)
        self._ticks = np.zeros(num_envs, np.int64)
        self._ended = np.zeros(num_envs, bool)

    def reset(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an episode in every row, or in those of the bool array `options["reset_mask"]`.

        Args:
          seed: of the first row, those after it counting on; or one for each row; unless given rows go on drawing.
          options: see above.

        Raises:
          ValueError: the mask or the seeds are not one for each row, or there is nothing yet to keep.
        """
        chosen = np.ones(self.num_envs, bool)
        if options is not None and "reset_mask" in options:
            chosen = np.asarray(options["reset_mask"])
            if chosen.shape != (self.num_envs,) or chosen.dtype != bool or not chosen.any():
                raise ValueError(
                    f"A reset_mask has a bool for each of the {self.num_envs} rows, at least one of them true."
                )
        if self._states is None and not chosen.all():
            raise ValueError("Rows that were never begun cannot be kept; reset all of them first.")
        seeds = [seed + row for row in range(self.num_envs)] if isinstance(seed, int) else seed
        if seeds is not None and len(seeds) != self.num_envs:
            raise ValueError(f"{self.num_envs} rows need as many seeds, but {len(seeds)} were given.")
        for row in map(int, np.flatnonzero(chosen)):
            if seeds is not None and seeds[row] is not None:
                self._generators[row] = seeding.np_random(seeds[row])[0]
        self._begin(chosen)
        return self._frames.copy(), self._info(chosen)

    def step(self, actions: Any) -> _Told:
        """Takes an action in every row.

        Returns:
          Frames uint8 `[rows, height, width, 3]`, rewards float64, and whether each row terminated or was truncated.

        Raises:
          gymnasium.error.ResetNeeded: nothing was begun, or a row that ended was not reset.
          ValueError: the actions are not one id for each row.
        """
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,) or ((actions < 0) | (actions >= self.world.spec.action.count)).any():
            raise ValueError(
                f"{self.num_envs} rows take an action from 0 to {self.world.spec.action.count - 1} each, not {actions}."
            )
        again = self._ended.copy()
        if self._states is None or (again.any() and self.autoreset_mode is AutoresetMode.DISABLED):
            raise gymnasium.error.ResetNeeded("Nothing was begun, or a row has ended; call reset() before step().")
        program = ticking_together(self.world)
        self._states, told = program(self.world.params, self._states, jnp.asarray(actions, jnp.int32))
        self._frames, self._statuses = np.array(told["frame"]), np.array(told["status"])
        rewards = np.array(told["reward"], np.float64)
        self._ticks += 1
        # Rows that had ended spend this step on beginning anew.
        rewards[again] = 0
        self._begin(again)
        terminated, broken = ends(self._statuses)
        terminated, truncated = terminated & ~again, (broken | (self._ticks >= self.max_episode_steps)) & ~again
        truncated &= ~terminated
        self._ended = terminated | truncated
        info = self._info(np.ones(self.num_envs, bool))
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._ended.any():
            info |= self._final(info)
            self._begin(self._ended.copy())
        return self._frames.copy(), rewards, terminated, truncated, info

    def render(self) -> tuple[np.ndarray, ...] | None:
        """Returns the newest frame of each row, where a render mode was chosen."""
        return tuple(frame.copy() for frame in self._frames) if self.render_mode else None

    def _begin(self, chosen: Bool[np.ndarray, "rows"]) -> None:
        """Begins an episode in each chosen row."""
        fresh = []
        for row in map(int, np.flatnonzero(chosen)):
            state, told = begun(self.world, self._starts, self._generators[row])
            self._frames[row], self._statuses[row], self._ticks[row] = told["frame"], told["status"], 0
            self._ended[row] = False
            fresh.append((row, state))
        if self._states is None:
            self._states = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(state for _, state in fresh))
            return
        for row, state in fresh:
            self._states = _exchange(self._states, state, row)

    def _info(self, rows: Bool[np.ndarray, "rows"]) -> dict[str, Any]:
        """Returns what is told of rows, with Gymnasium's mask of those that it holds for."""
        return {"status": self._statuses.copy(), "_status": rows}

    def _final(self, info: dict[str, Any]) -> dict[str, Any]:
        """Returns what is told of rows that ended and begin anew at once."""
        frames = np.full(self.num_envs, None, object)
        for row in map(int, np.flatnonzero(self._ended)):
            frames[row] = self._frames[row].copy()
        final = {"status": info["status"], "_status": self._ended.copy()}
        return {
            "final_obs": frames,
            "_final_obs": self._ended.copy(),
            "final_info": final,
            "_final_info": self._ended.copy(),
        }
