"""Batches that are made up rather than read: the n-th follows from n alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax


class Sampled:
    """A `BatchIterator` over batches that a function makes; one is made ahead of time.

    Args:
      make: returns the whole batch of a number, a pytree of arrays.
      rows: which rows of each this process takes, all of them unless given.
    """

    def __init__(self, make: Callable[[int], Any], rows: Sequence[int] | None = None) -> None:
        self._make, self._rows = make, None if rows is None else list(rows)
        self._number = 0
        self._pool = ThreadPoolExecutor(1)
        self._ahead: Future[Any] | None = None

    def __next__(self) -> Any:
        ready = self._ahead or self._pool.submit(self._make, self._number)
        batch = ready.result()
        self._number += 1
        self._ahead = self._pool.submit(self._make, self._number)
        return batch if self._rows is None else jax.tree.map(lambda array: array[self._rows], batch)

    def get_state(self) -> dict[str, int]:
        """Returns its place, JSON-ready."""
        return {"number": self._number}

    def set_state(self, state: dict[str, int]) -> None:
        """Goes to a place that `get_state` returned."""
        self._number, self._ahead = state["number"], None
