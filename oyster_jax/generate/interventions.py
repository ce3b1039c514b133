"""What is changed in a world to see what follows: its actions for a while, its state at a tick, or its sampler."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Int32

from oyster_jax.core.spec import UNLABELLED, ActionSpec, as_action_ids
from oyster_jax.core.state import WorldState
from oyster_jax.generate.errors import GenerateError
from oyster_jax.generate.policies import Policy, View
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.typing import Action, Array, Frame, Params, PRNGKey

#: `edit(model, params, state, key, arguments)` → the state with which the episode goes on.
type Edit = Callable[[WorldNetwork, Params, WorldState, PRNGKey, Any], WorldState]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Intervention:
    """One change; a pytree. Made by the functions below, or by hand for an edit of one's own.

    Attributes:
      actions: int32 `[ticks]`, taken from tick `at` on instead of the policy's; None leaves those alone.
      arguments: arrays that `edit` is given.
      edit: of the state at tick `at`, before its action; None leaves it alone.
      sampler: settings of the world's sampler that are others, by name.
      at: the tick.
    """

    actions: Int32[Array, "ticks"] | None = None
    arguments: Any = ()
    edit: Edit | None = dataclasses.field(default=None, metadata={"static": True})
    sampler: tuple[tuple[str, Any], ...] = dataclasses.field(default=(), metadata={"static": True})
    at: int = dataclasses.field(default=0, metadata={"static": True})

    def __post_init__(self) -> None:
        if self.at < 0:
            raise GenerateError(f"An intervention is made at a tick from 0 on, but this one was to be at {self.at}.")

    def taken(self, ticks: int) -> Int32[Array, "ticks"]:
        """Returns the actions that are taken at so many ticks instead of the policy's, unlabelled where it is that."""
        taken = jnp.full(ticks, UNLABELLED, jnp.int32)
        if self.actions is None:
            return taken
        return taken.at[self.at : self.at + len(self.actions)].set(self.actions[: max(ticks - self.at, 0)])

    def model(self, model: WorldNetwork) -> WorldNetwork:
        """Returns the model under the intervention.

        Raises:
          ValueError: the sampler does not know a setting or does not allow its value.
        """
        if not self.sampler:
            return model
        try:
            return dataclasses.replace(model, sampler=dataclasses.replace(model.sampler, **dict(self.sampler)))
        except TypeError as error:
            raise GenerateError(f"The sampler of '{model.spec.name}' has no such setting: {error}.") from error


def nothing() -> Intervention:
    """Leaves everything as it is: what others are compared with."""
    return Intervention()


def take(actions: str | list[str | int], spec: ActionSpec, *, at: int = 0) -> Intervention:
    """Takes other actions from a tick on, for as long as they last.

    Args:
      actions: a script as in "jump*6", or names or ids.
      spec: the world's actions.
      at: the tick.

    Raises:
      GenerateError: an action is unknown.
    """
    try:
        return Intervention(actions=jnp.asarray(as_action_ids(spec, actions)), at=at)
    except ValueError as error:
        raise GenerateError(str(error)) from error


def perturb_latent(scale: float, *, at: int = 0) -> Intervention:
    """Adds Gaussian noise to the newest latent.

    Args:
      scale: its standard deviation; latents lie in (-1, 1).
      at: the tick.
    """

    def edit(model: WorldNetwork, params: Params, state: WorldState, key: PRNGKey, scale: Array) -> WorldState:
        latent = state.latent + scale * jax.random.normal(key, state.latent.shape)
        return model.with_latent(params, state, jnp.clip(latent, -1.0, 1.0))

    return Intervention(edit=edit, arguments=jnp.float32(scale), at=at)


def repaint(paint: Callable[[Frame], Frame], *, at: int = 0) -> Intervention:
    """Paints into what the world shows and lets it see that: an entity taken away, moved or put in.

    Args:
      paint: a pure function of a frame, uint8 `[height, width, 3]`.
      at: the tick.
    """

    def edit(model: WorldNetwork, params: Params, state: WorldState, key: PRNGKey, arguments: Any) -> WorldState:
        del key, arguments
        return model.with_frame(params, state, paint(model.render(params, state)))

    return Intervention(edit=edit, at=at)


def move_patch(source: tuple[int, int], target: tuple[int, int], size: tuple[int, int], *, at: int = 0) -> Intervention:
    """Moves a rectangle of the frame, such as an entity; where it was, the colours beside it go on.

    Args:
      source: row and column of its corner.
      target: where that is put.
      size: rows and columns.
      at: the tick.
    """
    (top, left), (rows, columns) = source, size

    def paint(frame: Frame) -> Frame:
        patch = frame[top : top + rows, left : left + columns]
        beside = frame[top : top + rows, max(left - 1, 0)][:, None]
        frame = frame.at[top : top + rows, left : left + columns].set(jnp.broadcast_to(beside, patch.shape))
        return jax.lax.dynamic_update_slice(frame, patch, (*target, 0))

    return repaint(paint, at=at)


def with_sampler(**settings: Any) -> Intervention:
    """Samples otherwise from the beginning, as in `with_sampler(steps=4)` or `with_sampler(history_noise=0.1)`."""
    return Intervention(sampler=tuple(sorted(settings.items())))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Intervened:
    """A policy some of whose actions are others.

    Attributes:
      policy: whose.
      actions: that are taken instead, one a tick; unlabelled where the policy's own is.
    """

    policy: Policy
    actions: Int32[Array, "ticks"]

    @property
    def name(self) -> str:
        """See `Policy.name`."""
        return self.policy.name

    def begin(self, key: PRNGKey, index: Int32[Array, ""]) -> Any:
        """See `Policy.begin`."""
        return self.policy.begin(key, index)

    def act(self, state: Any, view: View, key: PRNGKey) -> tuple[Any, Action]:
        """See `Policy.act`."""
        state, action = self.policy.act(state, view, key)
        other = self.actions[view.tick]
        return state, jnp.where(other == UNLABELLED, action, other)
