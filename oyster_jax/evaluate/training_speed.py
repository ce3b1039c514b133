"""How fast training steps are, beside what the machine's matrix product reaches."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from oyster_jax.evaluate.figure import Figure, median_figure
from oyster_jax.evaluate.stopwatch import call_times

PEAK_SIZE = 2048


def matmul_peak(*, size: int = PEAK_SIZE, repeats: int = 20) -> Figure:
    """Measures a bfloat16 product of two row-major square matrices, the fastest form there is on a CPU."""
    left, right = (jax.random.normal(jax.random.key(seed), (size, size)).astype(jnp.bfloat16) for seed in range(2))
    multiply = jax.jit(lambda x, y: x @ y)
    times = call_times(lambda: multiply(left, right), repeats)
    rates = 2 * size**3 / times / 1e9
    return median_figure("matmul.peak", rates, "GFLOP/s", {"size": size, "dtype": "bfloat16"})


def training_figures[State](
    name: str,
    step: Callable[[State], tuple[State, Any]],
    state: State,
    *,
    steps: int,
    frames: int,
    flops: int,
    peak: Figure,
    conditions: dict[str, Any],
) -> list[Figure]:
    """Measures a training step: frames/s, GFLOP/s of its matrix products, and their share of the measured peak.

    Args:
      name: of the stage.
      step: takes the next batch and does one update; waited for after every call.
      state: where training begins; given away.
      steps: how many updates are measured, after two that are not.
      frames: frames a step.
      flops: of the matrix products of a step.
      peak: what `matmul_peak` found.
      conditions: sizes and settings, JSON-ready.
    """

    def update() -> Any:
        nonlocal state
        state, metrics = step(state)
        return metrics

    times = call_times(update, steps)
    conditions = conditions | {"steps": steps, "frames": frames, "gflop": round(flops / 1e9, 2)}
    rates = flops / times / 1e9
    return [
        median_figure(f"train.{name}.frames", frames / times, "frames/s", conditions),
        median_figure(f"train.{name}.matmul", rates, "GFLOP/s", conditions),
        median_figure(f"train.{name}.share", rates / peak.value, "of the peak", conditions | {"peak": peak.value}),
    ]
