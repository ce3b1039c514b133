"""Telling programs apart by what they compute."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import jax

from oyster_jax.tree import tree_digest


def program_digest(function: Callable[..., Any], *args: Any) -> str:
    """Returns a digest of what a function computes: of its trace, and of all arrays that it is given or closes over.

    Two functions of one digest compute the same. A change of JAX may change it, as it may change what is computed.

    Args:
      function: pure.
      *args: pytrees of arrays, or of `jax.ShapeDtypeStruct` for arrays that do not count.
    """
    closed = jax.make_jaxpr(function)(*args)
    # Functions print where they lie in memory, which differs from run to run.
    program = re.sub(r"0x[0-9a-f]+", "", str(closed.jaxpr))
    given = [leaf for leaf in jax.tree.leaves(args) if not isinstance(leaf, jax.ShapeDtypeStruct)]
    arrays = tree_digest({"given": given, "constants": list(closed.consts)})
    return f"sha256:{hashlib.sha256(f'{program}\n{arrays}'.encode()).hexdigest()}"
