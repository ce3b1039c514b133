"""What the named actions of a world stand for, where its actions come as numbers: choices, buttons, continuous values.

A world has a small set of named actions (`ActionSpec`). An environment or a recording may have anything else: this is
the table between the two, made by four rules, or given in words.

- A choice among `n`: one action each.
- Buttons, each up or down: every combination of them.
- Several choices at once: every combination of them; the first of each is its rest.
- Continuous values: each is at its low end, at rest, or at its high end, and every combination of these is an action.
  Rest is zero, or the middle of a range without zero; an end that is the rest is no action of its own.

Where there would be more than `MOST_ACTIONS` combinations, one component acts at a time and the others rest.
"""

import dataclasses
import itertools
import math
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Int32

from oyster_jax.core.spec import UNLABELLED, ActionSpec
from oyster_jax.data.errors import DatasetError

#: Actions of one world, at most: beyond that a recording shows each of them too rarely.
MOST_ACTIONS = 64

REST = "noop"

#: Names by which an action is known that does nothing, the likeliest first.
IDLE_NAMES = (REST, "none", "nothing", "idle", "stay", "still", "wait", "done")

#: What the low and high ends of the first continuous values are called, so that arrow keys play them.
_ENDS = (("left", "right"), ("down", "up"))

_NAME = re.compile(r"[a-z_.][a-z0-9_.-]*(\+[a-z_.][a-z0-9_.-]*)*")

#: A component's states: the button that brings it about (None for its rest), and its value.
type States = Sequence[tuple[str | None, float]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActionTable:
    """The actions of a world, and the numbers that each stands for.

    Attributes:
      spec: the names.
      values: for each action, one number a component.

    Raises:
      DatasetError: there are no actions or too many, or they differ in how many components they have.
    """

    spec: ActionSpec
    values: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if not 1 <= self.spec.count <= MOST_ACTIONS:
            raise DatasetError(
                f"A world has 1 to {MOST_ACTIONS} actions, but these would be {self.spec.count}. Give those that "
                "matter with --actions, as in --actions noop=0:0,left=-1:0,right=1:0."
            )
        if len(self.values) != self.spec.count or len({len(row) for row in self.values}) != 1:
            raise DatasetError("Every action of a table stands for the same number of values; give each as many.")

    @property
    def components(self) -> int:
        """How many numbers one action stands for."""
        return len(self.values[0])

    def nearest(self, values: Float[np.ndarray, "ticks components"]) -> Int32[np.ndarray, "ticks"]:
        """Returns the action nearest to each row, components being compared by the range that the table gives them.

        A row with a number that is not finite is unlabelled.
        """
        table = np.asarray(self.values)
        span = np.ptp(table, axis=0)
        span[span == 0] = 1.0
        known = np.isfinite(values).all(axis=1)
        offsets = (np.where(known[:, None], values, 0.0)[:, None] - table[None]) / span
        ids = np.argmin(np.square(offsets).sum(axis=2), axis=1)
        return np.where(known, ids, UNLABELLED).astype(np.int32)

    def to_json(self) -> dict[str, list[float]]:
        """Returns what each name stands for, JSON-ready."""
        return {name: list(row) for name, row in zip(self.spec.names, self.values, strict=True)}


def of_values(names: Sequence[str], rows: Sequence[tuple[float, ...]]) -> ActionTable:
    """Returns the table of named rows; the idle action is the first of `IDLE_NAMES` that is there, or else the first.

    Raises:
      DatasetError: a name cannot be one, or is there twice, or see `ActionTable`.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise DatasetError(
                f"'{name}' is no name for an action; write small letters, digits, . _ or -, a letter first, and join "
                "buttons that are held together by +."
            )
    idle = next((name for name in IDLE_NAMES if name in names), names[0] if names else REST)
    try:
        return ActionTable(spec=ActionSpec(names=tuple(names), idle=idle), values=tuple(rows))
    except ValueError as error:
        raise DatasetError(str(error)) from error


def of_choices(names: Sequence[str], start: int = 0) -> ActionTable:
    """Returns the table of a choice among so many, numbered from `start`."""
    return of_values(names, [(float(start + index),) for index in range(len(names))])


def of_buttons(count: int) -> ActionTable:
    """Returns the table of `count` buttons, each 0 or 1, called b0, b1 and so on."""
    return combined([[(None, 0.0), (f"b{index}", 1.0)] for index in range(count)])


def of_several(counts: Sequence[int], starts: Sequence[int]) -> ActionTable:
    """Returns the table of several choices at once; value 2 of component 0 is called c0.2."""
    return combined(
        [
            [(None if value == start else f"c{index}.{value}", float(value)) for value in range(start, start + count)]
            for index, (count, start) in enumerate(zip(counts, starts, strict=True))
        ]
    )


def of_ranges(low: Float64[np.ndarray, "components"], high: Float64[np.ndarray, "components"]) -> ActionTable:
    """Returns the table of continuous values between `low` and `high`; an end that is infinite is taken for ±1.

    The ends of the first component are called left and right, of the second down and up, then low2 and high2, …
    """
    low, high = np.where(np.isfinite(low), low, -1.0), np.where(np.isfinite(high), high, 1.0)
    components: list[States] = []
    for index, (least, most) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        rest = 0.0 if least <= 0 <= most else (least + most) / 2
        names = _ENDS[index] if index < len(_ENDS) else (f"low{index}", f"high{index}")
        ends = [(name, end) for name, end in zip(names, (least, most), strict=True) if end != rest]
        components.append([(None, rest), *ends])
    return combined(components)


def combined(components: Sequence[States]) -> ActionTable:
    """Returns the table of all combinations, or of one component at a time where these are too many.

    Args:
      components: the states of each, its rest first.
    """
    if math.prod(map(len, components)) <= MOST_ACTIONS:
        rows = list(itertools.product(*components))
    else:
        rest = [states[0] for states in components]
        rows = [tuple(rest)]
        for index, states in enumerate(components):
            rows += [(*rest[:index], state, *rest[index + 1 :]) for state in states[1:]]
    names = ["+".join(button for button, _ in row if button) or REST for row in rows]
    return of_values(names, [tuple(value for _, value in row) for row in rows])


def parsed(text: str) -> ActionTable:
    """Returns the table that a text tells: names in order, as in `left,right`, or with values, as in `noop=0:0,up=0:1`.

    Raises:
      DatasetError: it is not written so.
    """
    names, rows = [], []
    for index, part in enumerate(text.split(",")):
        name, equals, numbers = part.partition("=")
        names.append(name.strip())
        try:
            rows.append(tuple(float(number) for number in numbers.split(":")) if equals else (float(index),))
        except ValueError as error:
            raise DatasetError(
                f"'{part.strip()}' is no action; write NAME, or NAME=VALUE with one value a component, as in left=-1:0."
            ) from error
    return of_values(names, rows)


def plain(name: str) -> str:
    """Returns a name as actions may be called: small letters, no spaces."""
    text = re.sub(r"[^a-z0-9_.+-]+", "-", name.strip().lower()).strip("-+")
    return text if _NAME.fullmatch(text) else f"_{text}"
