"""The action encoder: what the player does, as a vector that is added to every token."""

import jax
import jax.numpy as jnp
from flax import nnx

from oyster_jax.core.spec import UNLABELLED
from oyster_jax.typing import Actions, Array, Float


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
