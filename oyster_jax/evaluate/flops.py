"""How many floating-point operations the matrix products of a function take, counted from its own trace.

Only products count (a multiplication and an addition each), as is the custom where speed is compared with a matrix
product's; and they are counted from the jaxpr, since XLA's own estimate counts a loop's body once, however often it
runs.
"""

import collections
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.extend.core import Jaxpr, JaxprEqn


def matmul_flops(function: Callable[..., Any], *args: Any) -> int:
    """Returns the floating-point operations of all matrix products and convolutions in one call.

    Args:
      function: anything that JAX can trace.
      *args: arrays, or `jax.ShapeDtypeStruct`s in their place; nothing is computed.

    Raises:
      ValueError: a product lies inside a loop of which nobody knows how often it runs.
    """
    return _flops(jax.make_jaxpr(function)(*args).jaxpr)


def matmul_shapes(function: Callable[..., Any], *args: Any) -> dict[tuple[int, int, int], int]:
    """Returns how often one call multiplies two plain matrices of each shape: `{(rows, inner, columns): times}`.

    Products with batch axes, as in attention, are left out: these have no weights.

    Args:
      function: anything that JAX can trace.
      *args: arrays, or `jax.ShapeDtypeStruct`s in their place; nothing is computed.
    """
    found: collections.Counter[tuple[int, int, int]] = collections.Counter()
    for repeats, equation in _equations(jax.make_jaxpr(function)(*args).jaxpr):
        shapes = [_shape(variable) for variable in equation.invars]
        if equation.primitive.name != "dot_general" or [len(shape) for shape in shapes] != [2, 2]:
            continue
        (contracted, _), _ = equation.params["dimension_numbers"]
        left, inner = shapes[0], math.prod(shapes[0][axis] for axis in contracted)
        rows = math.prod(left) // inner
        found[rows, inner, math.prod(shapes[1]) // inner] += repeats
    return dict(found)


def _equations(jaxpr: Jaxpr, repeats: int = 1) -> Iterator[tuple[int, JaxprEqn]]:
    """Yields every equation, however deep, with how often it runs; a while loop's body counts once."""
    for equation in jaxpr.eqns:
        yield repeats, equation
        inside = repeats * equation.params["length"] if equation.primitive.name == "scan" else repeats
        for inner in _inner(equation.params):
            yield from _equations(inner, inside)


def _flops(jaxpr: Jaxpr) -> int:
    return sum(_equation_flops(equation) for equation in jaxpr.eqns)


def _equation_flops(equation: JaxprEqn) -> int:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        left = _shape(equation.invars[0])
        return 2 * math.prod(_shape(equation.outvars[0])) * math.prod(left[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel = _shape(equation.invars[1])
        outputs = params["dimension_numbers"].rhs_spec[0]
        each = math.prod(kernel) // kernel[outputs]
        return 2 * math.prod(_shape(equation.outvars[0])) * each
    inner = [_flops(jaxpr) for jaxpr in _inner(params)]
    if name == "scan":
        return params["length"] * sum(inner)
    if name == "cond":
        return max(inner)
    if name == "while" and sum(inner):
        raise ValueError("A matrix product runs in a while loop, and how often is not known; use a scan to count it.")
    return sum(inner)


def _shape(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape


def _inner(params: dict[str, Any]) -> Iterator[Jaxpr]:
    for value in params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            # A closed one holds the one that counts.
            jaxpr = getattr(item, "jaxpr", item)
            if isinstance(jaxpr, Jaxpr):
                yield jaxpr
