"""A condition that stays one for a whole batch: what is rarely needed then costs nothing where nobody needs it."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from oyster_jax.typing import Array, Bool


@jax.custom_batching.custom_vmap
def anywhere(needed: Bool[Array, ""]) -> Bool[Array, ""]:
    """Returns whether something is needed; under `vmap`, whether any row of the batch needs it.

    `jax.lax.cond(anywhere(needed), …)` is a branch even in a batch, of which `vmap` would otherwise run both sides for
    every row. The side that is taken then runs for all rows, and has to leave those as they are that do not need it.
    """
    return needed


@anywhere.def_vmap
def _(size: int, batched: Sequence[bool], needed: Bool[Array, "batch"]) -> tuple[Array, bool]:
    del size, batched
    # Called again, for there may be another batch around this one.
    return anywhere(jnp.any(needed)), False
