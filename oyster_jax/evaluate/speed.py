"""How fast a world is: live stepping, and the training steps beside what the machine's matrix product reaches."""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int32

from oyster_jax.evaluate.machine import machine, versions

#: Ticks of a run that are not counted: the first compiles, the next few fill caches.
WARM_UP = 20

#: A run is flat if its median here, and `FLATNESS_REACH` ticks around it, is the same late as early.
FLATNESS_EARLY, FLATNESS_LATE, FLATNESS_REACH = 500, 5_000, 100

PEAK_SIZE = 2048


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number.

    Attributes:
      name: as in `interactive.tick.p50`.
      value: the number.
      unit: as in `ms`.
      spread: 10th and 90th percentile of what the number was taken from, in the same unit; None where it has none.
      conditions: what it depends on beside machine and versions, JSON-ready.
    """

    name: str
    value: float
    unit: str
    spread: tuple[float, float] | None
    conditions: dict[str, Any] = dataclasses.field(default_factory=dict)


def surroundings() -> dict[str, Any]:
    """Returns what all figures of one run share: machine (and how busy it is by now) and versions."""
    return {"machine": machine(), "versions": versions()}


def as_line(figure: Figure, surroundings: dict[str, Any]) -> str:
    """Returns a figure as one line of JSON."""
    return json.dumps(dataclasses.asdict(figure) | surroundings, ensure_ascii=False)


def read_lines(path: Path) -> dict[str, Figure]:
    """Reads lines that `as_line` wrote, by name; of figures of one name the last counts.

    Raises:
      ValueError: a line is not a figure.
    """
    names = {field.name for field in dataclasses.fields(Figure)}
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            figure = Figure(**{name: data[name] for name in names})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"Line {number} of {path} is not a figure ({error!r}); give a file of lines that this tool printed."
            ) from error
        found[figure.name] = figure
    return found


def step_times[State](
    tick: Callable[[State, int], tuple[State, Any]], state: State, actions: Int32[np.ndarray, "ticks"]
) -> Float[np.ndarray, "ticks"]:
    """Steps a world as someone who plays it does: one action, one tick, the frame as NumPy on the host.

    Args:
      tick: returns the next state and its frame.
      state: where to begin.
      actions: one a tick, in one continuous run.

    Returns:
      Milliseconds of each tick.
    """
    times = np.empty(len(actions))
    for index, action in enumerate(actions.tolist()):
        began = time.perf_counter()
        state, frame = tick(state, action)
        np.asarray(frame)
        times[index] = time.perf_counter() - began
    return 1000 * times


def stepping_figures(times: Float[np.ndarray, "ticks"], conditions: dict[str, Any]) -> list[Figure]:
    """Returns median, 99th percentile, rate and, of a run that is long enough, flatness.

    Flatness is the median around tick 5,000 over the median around tick 500: 1 where stepping does not slow down. Its
    spread is the same ratio between the 10th percentiles and between the 90th.

    Raises:
      ValueError: the run is no longer than its warm-up.
    """
    counted = times[WARM_UP:]
    if len(counted) == 0:
        raise ValueError(f"A run has to be longer than its {WARM_UP} ticks of warm-up, but it had {len(times)} ticks.")
    conditions = conditions | {"ticks": len(times), "warm_up": WARM_UP}

    def figure(name: str, value: float, unit: str, spread: np.ndarray) -> Figure:
        ends = (float(spread.min()), float(spread.max()))
        return Figure(name=f"interactive.{name}", value=float(value), unit=unit, spread=ends, conditions=conditions)

    middle, tail = np.percentile(counted, (50, 99))
    reach = np.percentile(counted, (10, 90))
    figures = [
        figure("tick.p50", middle, "ms", reach),
        figure("tick.p99", tail, "ms", reach),
        figure("rate", 1000 / np.mean(counted), "ticks/s", 1000 / reach),
    ]
    if len(times) >= FLATNESS_LATE + FLATNESS_REACH:
        early, late = (
            np.percentile(times[at - FLATNESS_REACH : at + FLATNESS_REACH], (10, 50, 90))
            for at in (FLATNESS_EARLY, FLATNESS_LATE)
        )
        ratio = late / early
        figures.append(figure("flatness", ratio[1], "late/early", ratio[[0, 2]]))
    return figures


def matmul_peak(*, size: int = PEAK_SIZE, repeats: int = 20) -> Figure:
    """Measures a bfloat16 product of two row-major square matrices, the fastest form there is on a CPU."""
    left, right = (jax.random.normal(jax.random.key(seed), (size, size)).astype(jnp.bfloat16) for seed in range(2))
    multiply = jax.jit(lambda x, y: x @ y)
    times = _times(lambda: multiply(left, right), repeats)
    rates = 2 * size**3 / times / 1e9
    return _rate_figure("matmul.peak", rates, "GFLOP/s", {"size": size, "dtype": "bfloat16"})


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

    times = _times(update, steps)
    conditions = conditions | {"steps": steps, "frames": frames, "gflop": round(flops / 1e9, 2)}
    rates = flops / times / 1e9
    return [
        _rate_figure(f"train.{name}.frames", frames / times, "frames/s", conditions),
        _rate_figure(f"train.{name}.matmul", rates, "GFLOP/s", conditions),
        _rate_figure(f"train.{name}.share", rates / peak.value, "of the peak", conditions | {"peak": peak.value}),
    ]


def compare(before: dict[str, Figure], after: dict[str, Figure]) -> list[tuple[Figure, Figure, float]]:
    """Pairs the figures that both have, in the order of `before`, each with its ratio after/before."""
    pairs = [(figure, after[name]) for name, figure in before.items() if name in after]
    return [(old, new, new.value / old.value if old.value else float("nan")) for old, new in pairs]


def _times(call: Callable[[], Any], repeats: int) -> np.ndarray:
    """Returns seconds of each call after two for compiling and warming up."""
    times = []
    for _ in range(repeats + 2):
        began = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - began)
    return np.asarray(times[2:])


def _rate_figure(name: str, rates: np.ndarray, unit: str, conditions: dict[str, Any]) -> Figure:
    low, middle, high = (float(value) for value in np.percentile(rates, (10, 50, 90)))
    return Figure(name=name, value=middle, unit=unit, spread=(low, high), conditions=conditions)
