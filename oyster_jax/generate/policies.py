"""Who acts in generated episodes: pure functions that are compiled with the world and run inside its scan.

A policy is a pytree with two methods. `begin(key, index)` returns its state for an episode; `act(state, view, key)`
returns its next state and the action. Arrays that it needs (recorded actions, a network's parameters) are its leaves.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32

from oyster_jax.core.model import WorldModel
from oyster_jax.core.spec import ActionSpec, as_action_ids
from oyster_jax.core.state import WorldState
from oyster_jax.data.policies import CHANGE_PROBABILITY, sticky_weights
from oyster_jax.generate.errors import GenerateError
from oyster_jax.generate.program import program_digest
from oyster_jax.typing import Action, Array, Frame, Latent, Params, PRNGKey, Scalar


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class View:
    """What a policy may look at before it acts; what it does not use is not computed.

    Attributes:
      frame: uint8 `[height, width, 3]`.
      latent: float `[tokens, channels]`.
      reward: of the last action.
      tick: ticks of the episode before this one, int32.
    """

    frame: Frame
    latent: Latent
    reward: Scalar
    tick: Int32[Array, ""]


@runtime_checkable
class Policy(Protocol):
    """Who acts; a pytree, whose methods are pure and may be traced. `vmap` adds batches."""

    @property
    def name(self) -> str:
        """What manifests and datasets call it."""
        ...

    def begin(self, key: PRNGKey, index: Int32[Array, ""]) -> Any:
        """Returns its state at the beginning of episode `index`, a pytree of arrays."""
        ...

    def act(self, state: Any, view: View, key: PRNGKey) -> tuple[Any, Action]:
        """Returns its next state and an action's id, int32; the key is of this tick alone."""
        ...


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Random:
    """Draws every action uniformly, at every tick.

    Attributes:
      actions: how many there are.
    """

    actions: int = dataclasses.field(metadata={"static": True})
    name: str = dataclasses.field(default="random", metadata={"static": True})

    def begin(self, key: PRNGKey, index: Int32[Array, ""]) -> Any:
        """See `Policy.begin`."""
        del key, index
        return ()

    def act(self, state: Any, view: View, key: PRNGKey) -> tuple[Any, Action]:
        """See `Policy.act`."""
        del view
        return state, jax.random.randint(key, (), 0, self.actions, jnp.int32)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Sticky:
    """Keeps its action, and at each tick changes it with some probability for one drawn from a fixed distribution.

    Attributes:
      logits: float32 `[actions]`, of the distribution.
      change: the probability.
    """

    logits: Array
    change: Array
    name: str = dataclasses.field(default="sticky", metadata={"static": True})

    def begin(self, key: PRNGKey, index: Int32[Array, ""]) -> Action:
        """See `Policy.begin`."""
        del index
        return self._draw(key)

    def act(self, state: Action, view: View, key: PRNGKey) -> tuple[Action, Action]:
        """See `Policy.act`."""
        del view
        change, drawn = jax.random.split(key)
        action = jnp.where(jax.random.uniform(change) < self.change, self._draw(drawn), state)
        return action, action

    def _draw(self, key: PRNGKey) -> Action:
        return jax.random.categorical(key, self.logits).astype(jnp.int32)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Replay:
    """Takes given actions one after the other, and the last of them from then on.

    Attributes:
      actions: int32 `[scripts, ticks]`; episode i takes script i modulo their number.
    """

    actions: Array
    name: str = dataclasses.field(default="replay", metadata={"static": True})

    def begin(self, key: PRNGKey, index: Int32[Array, ""]) -> Action:
        """See `Policy.begin`."""
        del key
        return index % self.actions.shape[0]

    def act(self, state: Action, view: View, key: PRNGKey) -> tuple[Action, Action]:
        """See `Policy.act`."""
        del key
        return state, self.actions[state, jnp.minimum(view.tick, self.actions.shape[1] - 1)]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Function:
    """A function of one's own, `function(state, view, key) → (state, action)`.

    Attributes:
      function: pure; it may close over arrays, which then become part of the program.
      start: its state at the beginning of every episode.
    """

    function: Callable[[Any, View, PRNGKey], tuple[Any, Any]] = dataclasses.field(metadata={"static": True})
    start: Any = ()
    name: str = dataclasses.field(default="function", metadata={"static": True})

    def begin(self, key: PRNGKey, index: Int32[Array, ""]) -> Any:
        """See `Policy.begin`."""
        del key, index
        return jax.tree.map(jnp.asarray, self.start)

    def act(self, state: Any, view: View, key: PRNGKey) -> tuple[Any, Action]:
        """See `Policy.act`."""
        state, action = self.function(state, view, key)
        return state, jnp.asarray(action).astype(jnp.int32)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """Draws actions from the logits that a network gives for what it sees.

    Attributes:
      params: of the network.
      logits: `logits(params, view) → [actions]`, pure.
      greedy: take the likeliest action instead of drawing one.
    """

    params: Params
    logits: Callable[[Params, View], Array] = dataclasses.field(metadata={"static": True})
    greedy: bool = dataclasses.field(default=False, metadata={"static": True})
    name: str = dataclasses.field(default="network", metadata={"static": True})

    def begin(self, key: PRNGKey, index: Int32[Array, ""]) -> Any:
        """See `Policy.begin`."""
        del key, index
        return ()

    def act(self, state: Any, view: View, key: PRNGKey) -> tuple[Any, Action]:
        """See `Policy.act`."""
        logits = self.logits(self.params, view)
        action = jnp.argmax(logits) if self.greedy else jax.random.categorical(key, logits)
        return state, action.astype(jnp.int32)


#: Policies that a name alone tells.
NAMES = ("sticky", "random")


def make_policy(policy: str | Callable[..., Any] | Policy, spec: ActionSpec) -> Policy:
    """Returns a policy given by its name, as a script of actions, as a function, or as it is.

    Args:
      policy: "sticky", "random", a script as in "right*30,jump*6", `function(state, view, key)`, or a `Policy`.
      spec: the world's actions.

    Raises:
      GenerateError: it is none of them.
    """
    if policy == "sticky":
        weights = jnp.asarray(np.log(np.maximum(sticky_weights(spec), 1e-30)), jnp.float32)
        return Sticky(logits=weights, change=jnp.float32(CHANGE_PROBABILITY))
    if policy == "random":
        return Random(actions=spec.count)
    if isinstance(policy, str):
        try:
            return Replay(actions=jnp.asarray(as_action_ids(spec, policy))[None], name=policy)
        except ValueError as error:
            names = " or ".join(f"'{name}'" for name in NAMES)
            raise GenerateError(f"A policy is {names}, or actions as in 'right*30,jump*6'. {error}") from error
    if isinstance(policy, Policy):
        return policy
    return Function(function=policy, name=getattr(policy, "__name__", "function"))


def look(model: WorldModel, params: Params, state: WorldState, tick: Int32[Array, ""]) -> View:
    """Returns what a policy sees of a world's state."""
    reward = model.readouts(params, state)["reward"]
    return View(frame=model.render(params, state), latent=state.latent, reward=reward, tick=tick)


def policy_digest(policy: Policy, model: WorldModel, params: Params) -> str:
    """Returns a digest of what a policy computes: of its program, as traced for a world, and of all its arrays.

    Two policies of one digest act alike. A change of JAX may change it, as it may change what is computed.
    """
    key, index = jax.random.key(0), jnp.int32(0)
    view = jax.eval_shape(lambda params: look(model, params, model.reset(params, key), index), params)

    def acts(policy: Policy, view: View) -> Any:
        return policy.act(policy.begin(key, index), view, key)

    return program_digest(acts, policy, view)
