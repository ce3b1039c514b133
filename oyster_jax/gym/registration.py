"""Telling Gymnasium of the installed worlds."""

import re

# Not from `gymnasium` itself, which is still being imported where it looks for worlds by itself.
from gymnasium.envs.registration import register, registry

from oyster_jax.worlds.registry import installed

#: Ticks after which an episode is cut, as CoinRun's own clock does.
MAX_TICKS = 1000

_NAME = re.compile(r"[\w.-]+")


def register_worlds() -> None:
    """Makes every installed world known as `oyster/NAME-v0`; nothing of their weights is read."""
    for world in installed():
        name = f"oyster/{world.name}-v0"
        if world.problem is None and _NAME.fullmatch(world.name) and name not in registry:
            register(
                id=name,
                entry_point="oyster_jax.gym.environment:WorldEnv",
                vector_entry_point="oyster_jax.gym.vector:WorldVectorEnv",
                kwargs={"world": world.name},
                max_episode_steps=MAX_TICKS,
            )
