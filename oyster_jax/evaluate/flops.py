"""How many floating-point operations the matrix products of a function take, counted from its own trace.

Only products count (a multiplication and an addition each), as is the custom where speed is compared with a matrix
product's; and they are counted from the jaxpr, since XLA's own estimate counts a loop's body once, however often it
runs.
"""

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
