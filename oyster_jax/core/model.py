"""The protocol that every learned world follows, and that everything above it composes."""

from typing import Any, Protocol, runtime_checkable

from oyster_jax.core.spec import WorldSpec
from oyster_jax.core.state import WorldState
from oyster_jax.typing import Action, Actions, Frame, Frames, Params, PRNGKey


@runtime_checkable
class WorldModel(Protocol):
    """A learned world without its parameters: frozen, hashable, safe to close over or to pass as a static argument.

    All methods are pure and may be traced; none knows of batches (`vmap` adds them).
    """

    @property
    def spec(self) -> WorldSpec:
        """What the world shows and accepts."""
        ...

    def init(self, key: PRNGKey) -> Params:
        """Draws fresh parameters."""
        ...

    def reset(self, params: Params, key: PRNGKey) -> WorldState:
        """Dreams a world from nothing: generates its first frame and returns the state at tick 0."""
        ...

    def encode(self, params: Params, frames: Frames, actions: Actions, key: PRNGKey) -> WorldState:
        """Returns the state after having seen `frames` `[ticks, height, width, 3]` under `actions` `[ticks - 1]`.

        `actions[t]` led from `frames[t]` to `frames[t + 1]`.
        """
        ...

    def advance(self, params: Params, state: WorldState, action: Action) -> WorldState:
        """Returns the state one tick later (law 1: a pure function of its arguments)."""
        ...

    def render(self, params: Params, state: WorldState) -> Frame:
        """Returns the frame that the state shows: a function of its newest latent alone, drawn here or kept in it."""
        ...

    def readouts(self, params: Params, state: WorldState) -> dict[str, Any]:
        """Returns what the heads read out of the state: reward, terminal probability, entities."""
        ...
