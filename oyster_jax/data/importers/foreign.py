"""A recording that somebody else made: what every importer returns, whatever its files look like."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64

from oyster_jax.data import action_table
from oyster_jax.data.action_table import MOST_ACTIONS, REST, ActionTable
from oyster_jax.data.errors import DatasetError

#: One action as a file has it: a name, numbers, or nothing where it is not known.
type Given = str | int | float | Sequence[int | float] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForeignEpisode:
    """One episode, its actions read and its frames not yet.

    Attributes:
      name: where it comes from, for sentences, as in `run3.mp4`.
      actions: float64 `[ticks, components]`, not finite where they are not known.
      frames: opens the pictures, one a tick and possibly one more, of any size (see `pictures.as_rgb`). Raises
        DatasetError where they are damaged.
      rewards: float32 `[ticks]`, where they were recorded.
      terminals: bool `[ticks]`, where the world ended.

    Raises:
      DatasetError: rewards or terminals cover another number of ticks than the actions.
    """

    name: str
    actions: Float64[np.ndarray, "ticks components"]
    frames: Callable[[], Iterator[np.ndarray]]
    rewards: Float32[np.ndarray, "_"] | None = None
    terminals: Bool[np.ndarray, "_"] | None = None

    def __post_init__(self) -> None:
        for name in ("rewards", "terminals"):
            column = getattr(self, name)
            if column is not None and len(column) != self.ticks:
                raise DatasetError(f"{self.name} has {self.ticks} actions, but {len(column)} {name}; restore the file.")

    @property
    def ticks(self) -> int:
        """How many actions it holds."""
        return len(self.actions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Foreign:
    """A recording in somebody else's format.

    Attributes:
      kind: of the format, as in `minari`.
      episodes: of it.
      rate: ticks a second, where the files tell.
      table: what the numbers of the actions stand for, where the files tell.
      labels: names of the components of an action, where the files tell.
      named: the actions came as names, so that their numbers mean nothing outside.

    Raises:
      DatasetError: there is no episode, one has no tick, or they differ in how many components their actions have.
    """

    kind: str
    episodes: tuple[ForeignEpisode, ...]
    rate: float | None = None
    table: ActionTable | None = None
    labels: tuple[str, ...] = ()
    named: bool = False

    def __post_init__(self) -> None:
        if not self.episodes:
            raise DatasetError("There is nothing to import: no episode was found.")
        if empty := next((episode for episode in self.episodes if not episode.ticks), None):
            raise DatasetError(f"{empty.name} has no actions; give one for every frame.")
        widths = {episode.actions.shape[1]: episode.name for episode in self.episodes}
        if len(widths) > 1:
            told = ", ".join(f"{width} in {name}" for width, name in widths.items())
            raise DatasetError(f"Actions have different numbers of components ({told}); import these apart.")

    @property
    def ticks(self) -> int:
        """Of all episodes."""
        return sum(episode.ticks for episode in self.episodes)

    @property
    def actions(self) -> Float64[np.ndarray, "ticks components"]:
        """Of all episodes, one after the other."""
        return np.concatenate([episode.actions for episode in self.episodes])


def by_name(actions: Sequence[Sequence[Given]], where: str) -> tuple[ActionTable | None, list[np.ndarray]]:
    """Returns actions as numbers: names are numbered in the order of the alphabet, and a table says how.

    Args:
      actions: of each episode, as its file has them.
      where: begins the sentence of an error.

    Returns:
      The table, None where actions were numbers already; and float64 `[ticks, components]` of each episode.

    Raises:
      DatasetError: names and numbers are mixed, or rows differ in length.
    """
    known = [action for episode in actions for action in episode if action is not None]
    names = {action for action in known if isinstance(action, str)}
    if names and not all(isinstance(action, str) for action in known):
        raise DatasetError(f"{where} mixes names of actions with numbers; write all of them in one way.")
    if names:
        plain = {name: action_table.plain(name) for name in names}
        table = action_table.of_choices(sorted(set(plain.values())))
        ids = {name: float(table.spec.names.index(short)) for name, short in plain.items()}
        return table, [_rows([None if a is None else ids[str(a)] for a in episode], 1, where) for episode in actions]
    width = max((np.size(action) for action in known if not isinstance(action, str)), default=1)
    return None, [_rows(episode, width, where) for episode in actions]


def inferred(values: Float64[np.ndarray, "ticks components"], labels: Sequence[str] = ()) -> ActionTable:
    """Returns a table for actions of which no more is known than their numbers.

    Whole numbers from 0 to 63 in one component are a choice; zeros and ones in several are buttons, of whose
    combinations those that occur become actions; anything else is continuous, between the least and the largest value
    that occurs.

    Args:
      values: all actions.
      labels: names of the components.
    """
    known = values[np.isfinite(values).all(axis=1)]
    if not len(known):
        return action_table.of_choices([REST])
    count = known.shape[1]
    if count == 1 and np.array_equal(known, np.round(known)) and known.min() >= 0 and known.max() < MOST_ACTIONS:
        return action_table.of_choices([f"action{index}" for index in range(int(known.max()) + 1)])
    if count > 1 and np.isin(known, (0.0, 1.0)).all():
        rows = np.unique(known, axis=0)
        if len(rows) <= MOST_ACTIONS:
            return _buttons(rows, [action_table.plain(label) for label in labels] or [f"b{i}" for i in range(count)])
    return action_table.of_ranges(known.min(axis=0), known.max(axis=0))


def _buttons(rows: Float64[np.ndarray, "actions buttons"], names: Sequence[str]) -> ActionTable:
    held = ["+".join(name for name, down in zip(names, row, strict=True) if down) or REST for row in rows]
    return action_table.of_values(held, [tuple(row) for row in rows.tolist()])


def _rows(actions: Sequence[Given], width: int, where: str) -> Float64[np.ndarray, "ticks components"]:
    unknown = (np.nan,) * width
    try:
        rows = [unknown if action is None else np.reshape(np.asarray(action, np.float64), width) for action in actions]
    except (TypeError, ValueError) as error:
        raise DatasetError(
            f"{where} has actions that are not {width} numbers each ({error}); write all alike."
        ) from error
    return np.asarray(rows, np.float64).reshape(len(actions), width)
