"""The checker that tests put around every function of the package: annotated shapes, dtypes and types must hold."""

from collections.abc import Callable
from typing import Any, Self

from beartype import beartype


def checked[F: Callable[..., Any]](function: F) -> F:
    """Wraps `function` so that a call with arguments or a result unlike its annotations raises.

    Constructors pass unchecked: JAX rebuilds a pytree through them from whatever a transform made of its leaves (a
    batch, a shape, nothing). So does `Self`, which means something in a class only, and here come bare functions.
    """
    if function.__name__ == "__init__":
        return function
    hints = function.__annotations__
    function.__annotations__ = {name: Any if hint is Self else hint for name, hint in hints.items()}
    return beartype(function)
