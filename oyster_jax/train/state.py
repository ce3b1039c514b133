"""Everything that a training run must keep to go on as if it had never stopped."""

import dataclasses

import jax
import jax.numpy as jnp
import optax

from oyster_jax.typing import Array, Int32, Params, PRNGKey


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainState:
    """Model, optimizer and average of one run; the data iterator's state is kept beside it in a checkpoint.

    Attributes:
      step: updates done, int32 scalar.
      key: the run's key; the randomness of a step is `fold_in(key, step)`.
      params: float32.
      average: exponential moving average of `params`, float32; this is what is evaluated and shipped.
      optimizer: the state of the optax transformation.
    """

    step: Int32[Array, ""]
    key: PRNGKey
    params: Params
    average: Params
    optimizer: optax.OptState

    @classmethod
    def begin(cls, params: Params, optimizer: optax.GradientTransformation, key: PRNGKey) -> "TrainState":
        """Returns the state before the first step."""
        return cls(
            step=jnp.zeros((), jnp.int32),
            key=key,
            # Copies: a training step gives up the memory of the state it is given.
            params=jax.tree.map(jnp.array, params),
            average=jax.tree.map(jnp.array, params),
            optimizer=optimizer.init(params),
        )
