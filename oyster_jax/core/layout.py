"""Parameters laid out for a program that runs again and again: cast once, and each layer's matrices apart.

Training keeps parameters in float32 and stacked over layers, which has few leaves and compiles fast. A tick that takes
them so casts every matrix and copies it out of its stack before it multiplies, again at every call; for 8 million
parameters on a CPU that moved 70 MB a tick and took a quarter of its time. Laying out moves and casts exactly as the
program would, so the numbers stay the same.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, JaxprEqn, Var

from oyster_jax.typing import Params

#: Leaves of fewer bytes stay as they are: copying them costs less than an argument more.
SMALLEST = 2**16

#: Primitives that pass numbers on as they are.
_MOVES = frozenset({"broadcast_in_dim", "copy", "dynamic_slice", "reshape", "slice", "squeeze", "transpose"})

#: What stands for a use that needs the numbers as they were given.
_AS_GIVEN = "as given"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """How the parameters of one program are laid out.

    Attributes:
      structure: of the parameters.
      dtypes: of each leaf, the one that all its uses cast it to, or None where they do not.
      stacked: of each leaf, whether it is taken apart along its first axis.
    """

    structure: Any
    dtypes: tuple[Any, ...]
    stacked: tuple[bool, ...]

    def apart(self, params: Params) -> list[Any]:
        """Returns the leaves, cast, those that were stacked as lists of their layers."""
        return jax.jit(self._apart)(params)

    def together(self, leaves: list[Any]) -> Params:
        """Returns the parameters again, inside a traced function; the compiler sees that nothing has to be copied."""
        whole = [jnp.stack(leaf) if isinstance(leaf, list) else leaf for leaf in leaves]
        return jax.tree.unflatten(self.structure, whole)

    def _apart(self, params: Params) -> list[Any]:
        found = []
        for leaf, dtype, stacked in zip(jax.tree.leaves(params), self.dtypes, self.stacked, strict=True):
            leaf = leaf if dtype is None else leaf.astype(dtype)
            found.append([leaf[layer] for layer in range(len(leaf))] if stacked else leaf)
        return found


def layout_of(function: Callable[..., Any], params: Params, *args: Any) -> Layout:
    """Reads off a function's trace how its parameters are best laid out.

    Args:
      function: takes the parameters and `args`.
      params: a pytree of arrays.
      *args: arrays, or `jax.ShapeDtypeStruct`s in their place; nothing is computed.
    """
    jaxpr = jax.make_jaxpr(function)(params, *args).jaxpr
    leaves, structure = jax.tree.flatten(params)
    dtypes, stacked = [], []
    for leaf, variable in zip(leaves, jaxpr.invars, strict=False):
        large = leaf.nbytes >= SMALLEST
        uses = set(_uses(jaxpr, variable)) if large else {_AS_GIVEN}
        only = next(iter(uses)) if len(uses) == 1 else _AS_GIVEN
        smaller = only != _AS_GIVEN and jnp.dtype(only).itemsize < leaf.dtype.itemsize
        dtypes.append(only if smaller else None)
        stacked.append(large and _is_scanned(jaxpr, variable))
    return Layout(structure=structure, dtypes=tuple(dtypes), stacked=tuple(stacked))


def _uses(jaxpr: Jaxpr, variable: Var) -> Iterator[Any]:
    """Yields what becomes of a variable at the end of each way: the dtype that it is cast to, or `_AS_GIVEN`."""
    if any(given is variable for given in jaxpr.outvars):
        yield _AS_GIVEN
    for equation in jaxpr.eqns:
        for place, given in enumerate(equation.invars):
            if given is not variable:
                continue
            if equation.primitive.name == "convert_element_type":
                yield equation.params["new_dtype"]
            elif equation.primitive.name in _MOVES and place == 0:
                yield from _uses(jaxpr, equation.outvars[0])
            elif (inner := _inner(equation)) is not None and not _is_carried(equation, place):
                yield from _uses(inner, inner.invars[place])
            else:
                yield _AS_GIVEN


def _is_scanned(jaxpr: Jaxpr, variable: Var) -> bool:
    """Whether all that happens to a variable is that scans, all unrolled, run along its first axis."""
    uses = [
        (equation, place) for equation in jaxpr.eqns for place, given in enumerate(equation.invars) if given is variable
    ]
    return bool(uses) and all(_is_scanned_by(equation, place) for equation, place in uses)


def _is_scanned_by(equation: JaxprEqn, place: int) -> bool:
    inner = _inner(equation)
    if inner is None or _is_carried(equation, place):
        return False
    if equation.primitive.name == "scan":
        if equation.params["unroll"] < equation.params["length"]:
            return False
        if _is_run_along(equation, place):
            return True
    return _is_scanned(inner, inner.invars[place])


def _is_run_along(scan: JaxprEqn, place: int) -> bool:
    # It has lost its first axis inside; constants and carries have all of theirs.
    return _rank(scan.params["jaxpr"].in_avals[place]) < _rank(scan.invars[place].aval)


def _is_carried(equation: JaxprEqn, place: int) -> bool:
    """Whether an argument is what a scan changes; such stand between its constants and what it runs along."""
    if equation.primitive.name != "scan":
        return False
    along = sum(_is_run_along(equation, other) for other in range(len(equation.invars)))
    results = zip(equation.params["jaxpr"].out_avals, equation.outvars, strict=True)
    carried = sum(_rank(inside) == _rank(outside.aval) for inside, outside in results)
    end = len(equation.invars) - along
    return end - carried <= place < end


def _rank(shaped: Any) -> int:
    return len(shaped.shape)


def _inner(equation: JaxprEqn) -> Jaxpr | None:
    """Returns the function that an equation calls with its own arguments, if that is what it does."""
    found = [getattr(value, "jaxpr", value) for value in equation.params.values()]
    inner = [jaxpr for jaxpr in found if isinstance(jaxpr, Jaxpr)]
    # A loop's or a branch's arguments are others than its own.
    same = len(inner) == 1 and len(inner[0].invars) == len(equation.invars) and equation.primitive.name != "while"
    return inner[0] if same else None
