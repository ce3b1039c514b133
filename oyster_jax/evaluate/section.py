"""What a section of an evaluation found, ready for a terminal, a page and a report alike."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from oyster_jax.evaluate.bootstrap import Estimate


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under columns of text.

    Attributes:
      title: what it is about.
      columns: their names; the first names the rows.
      rows: as many cells each as there are columns.
      notes: sentences below it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plot:
    """A plot that can be drawn on any background.

    Attributes:
      name: of its file, without an ending.
      caption: one sentence.
      draw: draws into matplotlib's axes.
    """

    name: str
    caption: str
    draw: Callable[[Any], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clip:
    """Frames of several kinds, tick by tick beside each other.

    Attributes:
      name: of its file, without an ending.
      caption: one sentence.
      sides: what each is called, from left to right, with its uint8 frames `[ticks, height, width, 3]`; all alike.
      rate: frames a second, the world's own unless given.
    """

    name: str
    caption: str
    sides: dict[str, np.ndarray]
    rate: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """One section of an evaluation.

    Attributes:
      name: as in `--only`, and of its entry in the report.
      title: for people.
      about: some sentences that tell a newcomer what is measured and what it does not show.
      figures: JSON-ready.
      tables: for people.
      plots: for people.
      clips: for people.
    """

    name: str
    title: str
    about: str
    figures: dict[str, Any]
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    clips: tuple[Clip, ...] = ()


def cell(estimate: Estimate | None, digits: int = 2, sign: str = "") -> str:
    """Returns a figure with half the width of its interval, as in `28.13 ±0.95`."""
    if estimate is None or not np.isfinite(estimate.value):
        return "–"
    return f"{estimate.value:{sign}.{digits}f} ±{(estimate.high - estimate.low) / 2:.{digits}f}"


def value(estimate: Estimate | None, digits: int = 2, sign: str = "") -> str:
    """Returns a figure alone, as in `28.13`."""
    return "–" if estimate is None or not np.isfinite(estimate.value) else f"{estimate.value:{sign}.{digits}f}"
