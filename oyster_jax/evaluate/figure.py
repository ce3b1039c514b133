"""One measured number, and lines of JSON that hold one each, so that two machines or versions compare."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.evaluate.machine import machine, versions


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


def median_figure(name: str, samples: np.ndarray, unit: str, conditions: dict[str, Any]) -> Figure:
    """Returns the median of `samples`, with their 10th and 90th percentile as its spread."""
    low, middle, high = (float(value) for value in np.percentile(samples, (10, 50, 90)))
    return Figure(name=name, value=middle, unit=unit, spread=(low, high), conditions=conditions)


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


def compare(before: dict[str, Figure], after: dict[str, Figure]) -> list[tuple[Figure, Figure, float]]:
    """Pairs the figures that both have, in the order of `before`, each with its ratio after/before."""
    pairs = [(figure, after[name]) for name, figure in before.items() if name in after]
    return [(old, new, new.value / old.value if old.value else float("nan")) for old, new in pairs]
