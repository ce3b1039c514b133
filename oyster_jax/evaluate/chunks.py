"""Going through many of something in chunks of one size, and telling how far one has come."""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Int32

#: Called with how many are done and how many there are to do.
type Progress = Callable[[int, int], None]


def padded_chunks(count: int, size: int) -> Iterator[tuple[Int32[np.ndarray, "chunk"], int]]:
    """Yields the indices `[size]` of every chunk of `count` things, and how many of them are not padding.

    The last chunk is filled up with its own last index: one shape, so one compilation.
    """
    for first in range(0, count, size):
        chosen = np.minimum(np.arange(first, first + size), count - 1).astype(np.int32)
        yield chosen, min(size, count - first)
