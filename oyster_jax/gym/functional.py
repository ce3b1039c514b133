"""A learned world as pure functions, for learners that are written in JAX themselves (as environments of gymnax are).

>>> environment = functional("coinrun", starts=32)
>>> observation, state = environment.reset(key)
>>> observation, state, reward, done, info = environment.step(key, state, action)

`vmap`, `scan` and `jit` them; hand the environment to a compiled function as an argument, for it is a pytree whose
leaves are the world's parameters.
"""

import dataclasses
import os
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Int32

from oyster_jax.core.model import WorldModel
from oyster_jax.core.state import WorldState
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.gym.programs import ends, opened, starts_of
from oyster_jax.gym.registration import MAX_TICKS
from oyster_jax.prng import named_key
from oyster_jax.typing import Action, Array, Bool, Frame, Params, PRNGKey, Scalar
from oyster_jax.worlds.world import World


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class EnvironmentState:
    """An episode that is under way.

    Attributes:
      world: the state of its world.
      tick: actions taken, int32.
    """

    world: WorldState
    tick: Int32[Array, ""]


type Stepped = tuple[Frame, EnvironmentState, Scalar, Bool[Array, ""], dict[str, Any]]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class FunctionalEnvironment:
    """A world, and states in which its episodes begin: dreaming one anew at every end would cost more than the ticks.

    Attributes:
      params: of the world.
      starts: a batch of states.
      model: the world's model.
      max_ticks: after which an episode is cut.
    """

    params: Params
    starts: WorldState
    model: WorldModel = dataclasses.field(metadata={"static": True})
    max_ticks: int = dataclasses.field(default=MAX_TICKS, metadata={"static": True})

    @property
    def actions(self) -> int:
        """How many there are."""
        return self.model.spec.action.count

    def reset(self, key: PRNGKey) -> tuple[Frame, EnvironmentState]:
        """Begins an episode at one of the starts, with a future of its own; returns its frame and its state."""
        count = self.starts.step.shape[0]
        chosen = jax.random.randint(named_key(key, "start"), (), 0, count)
        world = jax.tree.map(lambda leaf: leaf[chosen], self.starts).replace(key=named_key(key, "world"))
        return self.model.render(self.params, world), EnvironmentState(world=world, tick=jnp.int32(0))

    def step_alone(self, state: EnvironmentState, action: Action) -> Stepped:
        """Returns what follows an action; an episode that has ended goes on regardless. See `step`."""
        world = self.model.advance(self.params, state.world, action)
        later = EnvironmentState(world=world, tick=state.tick + 1)
        terminated, broken = ends(world.status)
        done = terminated | broken | (later.tick >= self.max_ticks)
        reward = self.model.readouts(self.params, world)["reward"]
        return self.model.render(self.params, world), later, reward, done, {"terminated": terminated}

    def step(self, key: PRNGKey, state: EnvironmentState, action: Action) -> Stepped:
        """Returns what follows an action, and begins anew where an episode ended.

        Args:
          key: of where it then begins; the world's own randomness is in its state.
          state: of now.
          action: its id, int32.

        Returns:
          The frame (of the new episode, where one ended), the state, the reward, whether an episode ended, and in
          `info` whether it was the world that ended it (`terminated`) and the last frame that it showed (`last`).
        """
        frame, later, reward, done, info = self.step_alone(state, action)
        first, begun = self.reset(key)
        chosen = jax.tree.map(lambda new, old: jnp.where(done, new, old), (first, begun), (frame, later))
        return *chosen, reward, done, info | {"last": frame}


def functional(
    world: World | str | os.PathLike[str] = "coinrun",
    *,
    starts: int = 32,
    seed: int = 0,
    prompts: EpisodeDataset | str | os.PathLike[str] | None = None,
    context: int = 8,
    max_ticks: int = MAX_TICKS,
) -> FunctionalEnvironment:
    """Returns a world as pure functions.

    Args:
      world: a loaded world, its name or its folder.
      starts: how many states there are to begin in, each as large as a state.
      seed: of them.
      prompts: a recording at whose moments they lie; they are dreamt from nothing unless given.
      context: frames that the world sees of a moment.
      max_ticks: after which an episode is cut.

    Raises:
      WorldError: there is no such world.
      ValueError: a number is less than one.
    """
    if starts < 1 or max_ticks < 1:
        raise ValueError(f"There is at least one start and one tick, but {starts} and {max_ticks} were given.")
    chosen = opened(world)
    where = starts_of(chosen, prompts, context)
    keys = jax.random.split(jax.random.key(seed), starts)

    def begin(numbered: tuple[PRNGKey, Array]) -> WorldState:
        return where.begin(chosen.model, chosen.params, *numbered)

    # One after the other: as a batch they would be computed in other last bits, and take more memory.
    states = jax.jit(lambda keys: jax.lax.map(begin, (keys, jnp.arange(starts, dtype=jnp.int32))))(keys)
    return FunctionalEnvironment(params=chosen.params, starts=states, model=chosen.model, max_ticks=max_ticks)
