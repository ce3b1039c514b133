"""The exact simulator of a world for the examples beside it: moments of its levels, and policies that act in them."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.spec import ActionSpec
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.policies import sticky_weights
from oyster_jax.evaluate.held_out import held_out_source
from oyster_jax.evaluate.trials import COURSE, ExactSimulator, course
from oyster_jax.generate.policies import Policy, Sticky, View
from oyster_jax.generate.starts import Moments
from oyster_jax.models import tokenizer
from oyster_jax.typing import Array
from oyster_jax.worlds.world import World


@dataclasses.dataclass(frozen=True, kw_only=True)
class Played:
    """What became of policies in the simulator; beyond an episode's end rewards are zero and places stay.

    Attributes:
      rewards: float32 `[moments, ticks]`.
      lengths: int32 `[moments]`, ticks until the end.
      places: float32 `[moments, 1 + ticks, 2]`, where the agent was, in tiles (x right, y up).
    """

    rewards: np.ndarray
    lengths: np.ndarray
    places: np.ndarray


class Reality:
    """Simulators standing at moments of different levels, to which every use brings them back.

    Args:
      world: whose game it is; its tokenizer is what policies see latents through.
      moments: how many at most: of those that wander, some may just have begun another level.
      levels: first and last (exclusive) level.
      context: frames of each moment that a world will be shown.
      wander: ticks that are wandered before, under the policy of recordings; with `context - 1` moments are the
        beginnings of levels but for that.
      seed: of it all.
    """

    def __init__(
        self, world: World, *, moments: int, levels: tuple[int, int], context: int = 8, wander: int = 7, seed: int = 0
    ) -> None:
        self._world = world
        self._source = held_out_source(world.record["training"])
        simulator = self._source.open(environments=moments, levels=levels, seed=seed)
        if not isinstance(simulator, ExactSimulator):
            raise DatasetError(f"The simulator of '{world.name}' cannot be put back into a state; use a Procgen world.")
        self._simulator = simulator
        policy = sticky(world.spec.action)
        states = self._begin(policy, seed, moments)
        seen, acted, age = [self._simulator.observe()], [], np.zeros(moments, np.int64)
        for tick in range(wander):
            states, actions = self._act(policy, states, seen[-1].frames, seen[-1].rewards, tick)
            seen.append(self._simulator.step(actions))
            acted.append(actions)
            age = np.where(seen[-1].ended, 0, age + 1)
        self._states, self._last = self._simulator.states(), seen[-1]
        #: Which simulators stand where enough of their level was seen.
        self.chosen = np.flatnonzero(age >= context - 1)
        frames = np.stack([one.frames[self.chosen] for one in seen[-context:]], axis=1)
        actions = np.stack(acted[-(context - 1) :], axis=1)[self.chosen] if context > 1 else np.zeros((len(frames), 0))
        self.moments = Moments(frames=jnp.asarray(frames), actions=jnp.asarray(actions, jnp.int32))

    def play(self, policy: Policy, ticks: int, *, seed: int = 0) -> Played:
        """Lets a policy act from every moment on."""
        self._simulator.restore(self._states)
        seen, count = self._last, len(self._states)
        states, alive = self._begin(policy, seed, count), np.ones(count, bool)
        places, rewards, lives = [self._places(seen)], [], []
        for tick in range(ticks):
            last = rewards[-1] if rewards else np.zeros(count, np.float32)
            states, actions = self._act(policy, states, seen.frames, last, tick)
            seen = self._simulator.step(actions)
            rewards.append(np.where(alive, seen.rewards, 0).astype(np.float32))
            lives.append(alive)
            alive = alive & ~seen.ended
            places.append(np.where(alive[:, None], self._places(seen), places[-1]))
        chosen = self.chosen
        return Played(
            rewards=np.stack(rewards, axis=1)[chosen],
            lengths=np.sum(lives, axis=0, dtype=np.int32)[chosen],
            places=np.stack(places, axis=1)[chosen],
        )

    def close(self) -> None:
        """Frees the simulators."""
        self._simulator.close()

    def _places(self, seen: Any) -> np.ndarray:
        return course(self._source.spec, seen.entities)[:, [COURSE.index("x"), COURSE.index("y")]]

    def _begin(self, policy: Policy, seed: int, count: int) -> Any:
        self._keys = jax.random.split(jax.random.key(seed), count)
        return jax.vmap(policy.begin)(self._keys, jnp.arange(count, dtype=jnp.int32))

    def _act(self, policy: Policy, states: Any, frames: Any, rewards: Any, tick: int) -> tuple[Any, np.ndarray]:
        world = self._world
        states, actions = act(world.model.tokenizer, world.params, policy, states, frames, rewards, tick, self._keys)
        return states, np.asarray(actions)


@functools.partial(jax.jit, static_argnums=0)
def act(
    config: tokenizer.TokenizerConfig, params: Any, policy: Policy, states: Any, frames: Array, rewards: Array,
    tick: Array, keys: Array,
) -> tuple[Any, Array]:  # fmt: skip
    """Returns the policy's next states and actions, of many simulators at once."""
    # Whoever does not look at latents does not wait for them: nothing of them is computed then.
    latents = tokenizer.bind(config, params["tokenizer"]).encoder(frames)
    view = View(frame=frames, latent=latents, reward=rewards, tick=jnp.full(len(frames), tick, jnp.int32))
    return jax.vmap(policy.act)(states, view, jax.vmap(jax.random.fold_in, (0, None))(keys, tick))


def sticky(spec: ActionSpec, weights: dict[str, float] | None = None, change: float = 0.2) -> Sticky:
    """Returns a policy that draws from weights by the actions' names, those of recordings unless given."""
    chances = sticky_weights(spec) if weights is None else np.array([weights.get(name, 0.0) for name in spec.names])
    return Sticky(logits=jnp.asarray(np.log(np.maximum(chances, 1e-30)), jnp.float32), change=jnp.float32(change))
