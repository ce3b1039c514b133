"""What is done to a world, as vectors that are added to every token: the player's actions, and events."""

import jax
import jax.numpy as jnp
from flax import nnx

from oyster_jax.core.spec import UNLABELLED
from oyster_jax.typing import Actions, Array, Float, Int32


class ActionEncoder(nnx.Module):
    """One learned embedding an action, one for "unlabelled" and one for "begin", the tick before the first frame."""

    def __init__(self, actions: int, width: int, *, rngs: nnx.Rngs):
        self.actions = actions
        self.table = nnx.Param(0.5 * jax.random.normal(rngs.params(), (actions + 2, width)))

    @property
    def begin(self) -> int:
        """The id of the action that leads out of nothing."""
        return self.actions + 1

    def __call__(self, actions: Actions) -> Float[Array, "*batch width"]:
        """Embeds action ids; `UNLABELLED` has an embedding of its own."""
        return self.table[...][jnp.where(actions == UNLABELLED, self.actions, actions)]


class EventEncoder(nnx.Module):
    """One learned embedding an event; a tick without one, id 0, has none."""

    def __init__(self, events: int, width: int, *, rngs: nnx.Rngs):
        self.table = nnx.Param(0.5 * jax.random.normal(rngs.params(), (events, width)))

    def __call__(self, events: Int32[Array, "*batch"]) -> Float[Array, "*batch width"]:
        """Embeds ids of `EventSpec`."""
        found = self.table[...][jnp.maximum(events - 1, 0)]
        return jnp.where((events > 0)[..., None], found, jnp.zeros_like(found))
