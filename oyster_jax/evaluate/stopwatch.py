"""Timing calls whose results arrive later than they return."""

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Float


def call_times(call: Callable[[], Any], repeats: int, *, unmeasured: int = 2) -> Float[np.ndarray, "repeats"]:
    """Returns the seconds of each call until its result is there.

    Args:
      call: what is measured.
      repeats: how often.
      unmeasured: calls before that, which compile and warm up.
    """
    times = []
    for _ in range(repeats + unmeasured):
        began = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - began)
    return np.asarray(times[unmeasured:])
