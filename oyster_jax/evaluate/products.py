"""What the matrix products of a tick cost in float32, bfloat16 and int8, each at the shapes of the model at hand.

A product that lies hot in the nearest cache says little of a tick, which reads every weight once: here each shape is
multiplied with as many different matrices as the model's weights would make, one after another.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.evaluate.figure import Figure, median_figure
from oyster_jax.evaluate.stopwatch import call_times
from oyster_jax.typing import Array

type Shape = tuple[int, int, int]

#: Most matrices of one shape, so that compiling stays short.
MOST = 32


def _float32(x: Array, weights: Array) -> Array:
    return x @ weights


def _bfloat16(x: Array, weights: Array) -> Array:
    return (x.astype(jnp.bfloat16) @ weights).astype(jnp.float32)


def _int8(x: Array, weights: tuple[Array, Array]) -> Array:
    """Quantises each row as it comes, as a tick would have to, multiplies in int8 and scales back."""
    matrix, scale = weights
    largest = jnp.max(jnp.abs(x), axis=-1, keepdims=True) / 127
    rounded = jnp.round(x / jnp.maximum(largest, 1e-9)).astype(jnp.int8)
    product = jax.lax.dot_general(rounded, matrix, (((1,), (0,)), ((), ())), preferred_element_type=jnp.int32)
    return product.astype(jnp.float32) * largest * scale


def _int8_alone(x: Array, weights: tuple[Array, Array]) -> Array:
    """The product alone, of what was quantised for free: a bound on what int8 could give."""
    product = jax.lax.dot_general(
        x.astype(jnp.int8), weights[0], (((1,), (0,)), ((), ())), preferred_element_type=jnp.int32
    )
    return product.astype(jnp.float32)


def _quantised(weights: Array) -> tuple[Array, Array]:
    scale = jnp.max(jnp.abs(weights), axis=0, keepdims=True) / 127
    return jnp.round(weights / scale).astype(jnp.int8), scale


_FORMS: dict[str, tuple[Callable[..., Array], Callable[[Array], Any]]] = {
    "float32": (_float32, lambda weights: weights),
    "bfloat16": (_bfloat16, lambda weights: weights.astype(jnp.bfloat16)),
    "int8": (_int8, _quantised),
    "int8_alone": (_int8_alone, _quantised),
}


def product_figures(
    shapes: dict[Shape, int], *, weights: int, rounds: int, conditions: dict[str, Any], most: int = 8
) -> list[Figure]:
    """Measures the products that a tick does, in each form: `product.ROWSxINNERxCOLUMNS.FORM` and their sum.

    Args:
      shapes: how often a tick does each product, see `flops.matmul_shapes`.
      weights: how many parameters the model has.
      rounds: measurements of each, the forms in turns.
      conditions: of the figures.
      most: how many shapes are measured, those with most to multiply.

    Returns:
      Microseconds a product, and `product.tick.FORM`: milliseconds of all of them that a tick does.
    """
    heaviest = sorted(shapes, key=lambda shape: -shapes[shape] * int(np.prod(shape)))[:most]
    figures, totals = [], dict.fromkeys(_FORMS, np.zeros(rounds))
    for shape in heaviest:
        times = _shape_times(shape, weights, rounds)
        name = "x".join(map(str, shape))
        for form, seconds in times.items():
            about = conditions | {"times_a_tick": shapes[shape]}
            figures.append(median_figure(f"product.{name}.{form}", 1e6 * seconds, "µs", about))
            totals[form] = totals[form] + shapes[shape] * seconds
    about = conditions | {"shapes": ["x".join(map(str, shape)) for shape in heaviest]}
    return figures + [
        median_figure(f"product.tick.{form}", 1e3 * seconds, "ms", about) for form, seconds in totals.items()
    ]


def _shape_times(shape: Shape, weights: int, rounds: int) -> dict[str, np.ndarray]:
    """Returns seconds of one product in each form, `[rounds]`."""
    rows, inner, columns = shape
    count = int(np.clip(weights // (inner * columns), 2, MOST))
    keys = jax.random.split(jax.random.key(0), count + 1)
    x = jax.random.normal(keys[0], (rows, inner))
    matrices = [jax.random.normal(key, (inner, columns)) * inner**-0.5 for key in keys[1:]]
    calls = {}
    for form, (multiply, prepare) in _FORMS.items():
        calls[form] = _chain(multiply, x, [prepare(matrix) for matrix in matrices])
    times = {form: [] for form in _FORMS}
    for index in range(rounds):
        for form, call in calls.items():
            times[form].append(call_times(call, 1, unmeasured=2 if index == 0 else 1)[0] / count)
    return {form: np.asarray(seconds) for form, seconds in times.items()}


def _chain(multiply: Callable[..., Array], x: Array, weights: list[Any]) -> Callable[[], Any]:
    """Returns a compiled call that multiplies with one matrix after another, none at the same time as another."""

    @jax.jit
    def chain(x: Array, weights: list[Any]) -> list[Array]:
        products = []
        for one in weights:
            products.append(multiply(x, one))
            # Or else independent products would run side by side, and what they have in common only once.
            x, products[-1] = jax.lax.optimization_barrier((x, products[-1]))
        return products

    program = chain.lower(x, weights).compile()
    return lambda: program(x, weights)
