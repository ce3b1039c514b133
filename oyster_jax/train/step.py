"""One training step, jitted and donated."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from oyster_jax.train.state import TrainState
from oyster_jax.tree import named_leaves
from oyster_jax.typing import Array, Params, PRNGKey

#: What the stages learn from: arrays `[batch, ticks, …]`, named as in `Episode`.
type Batch = dict[str, Array]

#: A step takes whatever its loss does.
type Loss = Callable[[Params, Any, PRNGKey], tuple[Array, dict[str, Array]]]
type Step = Callable[[TrainState, Any], tuple[TrainState, dict[str, Array]]]


def make_step(loss: Loss, optimizer: optax.GradientTransformation, average_decay: float) -> Step:
    """Returns `step(state, batch) → (state, metrics)`; it gives up the memory of the state that it is given.

    Metrics hold `loss`, whatever `loss` reports, `gradient_norm`, and `finite`, a bool for each leaf of the
    gradient in the order of `leaf_names`. A step whose gradient is not finite leaves params and optimizer alone.
    """

    def step(state: TrainState, batch: Any) -> tuple[TrainState, dict[str, Array]]:
        key = jax.random.fold_in(state.key, state.step)
        (value, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(state.params, batch, key)
        finite = jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(gradient)])
        usable = jnp.all(finite) & jnp.isfinite(value)
        # Optax mixes dtypes on purpose; strictness is for our own arithmetic.
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            updates, moments = optimizer.update(gradient, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        # Early averages would remember the random start: let the horizon grow with the step.
        decay = jnp.minimum(average_decay, (1 + state.step) / (10 + state.step))
        average = optax.incremental_update(params, state.average, 1 - decay)
        proposed = dataclasses.replace(state, params=params, average=average, optimizer=moments)
        state = jax.tree.map(lambda new, old: jnp.where(usable, new, old), proposed, state)
        metrics |= {"loss": value, "gradient_norm": optax.tree.norm(gradient), "finite": finite}
        return dataclasses.replace(state, step=state.step + 1), metrics

    return jax.jit(step, donate_argnums=0)


def leaf_names(params: Params) -> list[str]:
    """Returns the names of the leaves in the order of the `finite` metric."""
    return list(named_leaves(params))
