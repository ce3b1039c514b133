"""One training step: gradient, update and average of a state that may be cut up over a mesh."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from oyster_jax.nn.functional import layered
from oyster_jax.parallel import rules
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.state import TrainState
from oyster_jax.tree import named_leaves
from oyster_jax.typing import Array, Params, PRNGKey

#: What the stages learn from: arrays `[batch, ticks, …]`, named as in `Episode`.
type Batch = dict[str, Array]

#: A step takes whatever its loss does.
type Loss = Callable[[Params, Any, PRNGKey], tuple[Array, dict[str, Array]]]
type Step = Callable[[TrainState, Any], tuple[TrainState, dict[str, Array]]]


def make_step(loss: Loss, config: TrainConfig, mesh: Mesh) -> Step:
    """Returns `step(state, batch) → (state, metrics)`, to be jitted; see `program`, which does.

    Metrics hold `loss`, whatever `loss` reports, `gradient_norm`, and `finite`, a bool for each leaf of the
    gradient in the order of `leaf_names`. A step whose gradient is not finite leaves params and optimizer alone.
    """
    optimizer = config.optimizer.build(config.steps)

    def step(state: TrainState, batch: Any) -> tuple[TrainState, dict[str, Array]]:
        key = jax.random.fold_in(state.key, state.step)
        updates_cut = functools.partial(_cut, mesh, rules.update_shardings)
        with rules.on(mesh), layered(config.layers):
            (value, metrics), gradient = _gradient(loss, config.accumulate, updates_cut, state.params, batch, key)
        finite = jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(gradient)])
        usable = jnp.all(finite) & jnp.isfinite(value)
        before = updates_cut(state.params)
        # Optax mixes dtypes on purpose; strictness is for our own arithmetic.
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            updates, moments = optimizer.update(gradient, state.optimizer, before)
        params = updates_cut(optax.apply_updates(before, updates))
        # Early averages would remember the random start: let the horizon grow with the step.
        decay = jnp.minimum(config.average_decay, (1 + state.step) / (10 + state.step))
        average = optax.incremental_update(params, state.average, 1 - decay)
        proposed = dataclasses.replace(state, params=params, average=average, optimizer=moments)
        kept = dataclasses.replace(state, params=before)
        state = jax.tree.map(lambda new, old: jnp.where(usable, new, old), proposed, kept)
        # Chosen as updates lie, parameters travel once each way.
        params = _cut(mesh, rules.param_shardings, updates_cut(state.params))
        state = dataclasses.replace(state, params=params)
        metrics |= {"loss": value, "gradient_norm": optax.tree.norm(gradient), "finite": finite}
        return dataclasses.replace(state, step=state.step + 1), metrics

    return step


def leaf_names(params: Params) -> list[str]:
    """Returns the names of the leaves in the order of the `finite` metric."""
    return list(named_leaves(params))


def _gradient(
    loss: Loss, parts: int, cut: Callable[[Params], Params], params: Params, batch: Any, key: PRNGKey
) -> tuple[tuple[Array, dict[str, Array]], Params]:
    """Returns loss, metrics and gradient, as means over parts of the batch that are computed one after the other."""

    def one(batch: Any, key: PRNGKey) -> Any:
        found, gradient = jax.value_and_grad(loss, has_aux=True)(params, batch, key)
        return found, cut(gradient)

    if parts == 1:
        return one(batch, key)

    def add(total: Any, given: tuple[Any, Array]) -> tuple[Any, None]:
        part, number = given
        return jax.tree.map(jnp.add, total, one(part, jax.random.fold_in(key, number))), None

    # Every so many-th row makes a part, so that each device has as many of each.
    cut_up = jax.tree.map(lambda x: x.reshape(-1, parts, *x.shape[1:]).swapaxes(0, 1), batch)
    first = jax.tree.map(lambda x: x[0], cut_up)
    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(one, first, key))
    total, _ = jax.lax.scan(add, nothing, (cut_up, jnp.arange(parts)))
    return jax.tree.map(lambda x: x / parts, total)


def _cut(mesh: Mesh, shardings: Callable[[Mesh, Any], Any], tree: Any) -> Any:
    # On one device this would say nothing, and yet be another program.
    return tree if mesh.size == 1 else jax.lax.with_sharding_constraint(tree, shardings(mesh, tree))
