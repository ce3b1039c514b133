"""Windows of recorded episodes in batches, for ever: shuffled, split among processes, resumable to the batch.

>>> batches = iter(windows(EpisodeDataset(folder), WindowConfig(length=16, batch=32)))
>>> next(batches)                # {"frames": [32, 16, 64, 64, 3], "actions": [32, 16], …}
>>> state = batches.get_state()  # JSON-ready; after batches.set_state(state) the same batches follow again
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, SupportsIndex, runtime_checkable

import grain
import numpy as np

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.episode import ARRAYS
from oyster_jax.data.errors import DatasetError


@dataclasses.dataclass(frozen=True, kw_only=True)
class WindowConfig:
    """How windows are drawn.

    Attributes:
      length: ticks a window.
      batch: windows a batch, of all processes together.
      seed: of the shuffle; each epoch has a fresh one that follows from it.
      arrays: which arrays of the episodes to read, all of them unless given.
      even: draw the first and the last window of an episode more often, so that its ends are seen as often as its
        middle. Otherwise each window is as likely, and ends, where coins are found and lives lost, are seen rarely.
      prefetch: batches made ahead of time.
      threads: threads that make them; one is right for two cores.

    Raises:
      DatasetError: a number is out of range, or an array's name is unknown.
    """

    length: int
    batch: int
    seed: int = 0
    arrays: tuple[str, ...] | None = None
    even: bool = False
    prefetch: int = 2
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("length", "batch", "prefetch", "threads"):
            if getattr(self, name) < 1:
                raise DatasetError(f"The {name} of windows must be at least 1, but was {getattr(self, name)}.")
        if not 0 <= self.seed < 2**32:
            raise DatasetError(f"The seed of windows lies between 0 and {2**32 - 1}, but was {self.seed}.")
        if unknown := set(self.arrays or ()) - set(ARRAYS):
            raise DatasetError(f"Episodes have no {', '.join(sorted(unknown))}; they have {', '.join(ARRAYS)}.")


@runtime_checkable
class Windowed(Protocol):
    """What windows are read from, as `EpisodeDataset` is."""

    folder: Path
    lengths: np.ndarray

    @property
    def spec(self) -> WorldSpec:
        """The recorded world."""
        ...

    @property
    def content(self) -> tuple[str, ...]:
        """The names of the arrays that every episode holds."""
        ...

    def __len__(self) -> int:
        """Returns the number of episodes."""
        ...

    def window(
        self, index: int, start: int, length: int, names: tuple[str, ...] | None = None
    ) -> dict[str, np.ndarray]:
        """Returns ticks `start` to `start + length` of an episode, one array a name."""
        ...


class WindowSource:
    """The windows of `length` ticks that lie within one episode, by number; a Grain random-access source.

    Numbers count episode by episode and offset by offset, over all datasets in order.

    Args:
      datasets: of one world, whose episodes hold the arrays that are read.
      length: ticks a window.
      arrays: which arrays to read, all that the datasets have in common unless given.
      even: count an episode's first and last window `length` times each, see `WindowConfig`.

    Raises:
      DatasetError: the datasets do not fit together, lack an array, or no episode is long enough.
    """

    def __init__(
        self,
        datasets: Sequence[Windowed],
        length: int,
        arrays: tuple[str, ...] | None = None,
        *,
        even: bool = False,
    ) -> None:
        if not datasets:
            raise DatasetError("There is no dataset to read windows from; give at least one.")
        self.datasets = tuple(datasets)
        self.length = length
        self.arrays = _common_arrays(self.datasets, arrays)
        lengths = np.concatenate([dataset.lengths for dataset in datasets])
        self._before = length - 1 if even else 0
        self._last = np.maximum(lengths - length, 0)
        counts = np.where(lengths >= length, lengths - length + 1 + 2 * self._before, 0)
        self._windows_before = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        self._episodes_before = np.concatenate([[0], np.cumsum([len(dataset) for dataset in datasets])])
        if len(self) == 0:
            raise DatasetError(
                f"No episode has {length} ticks; the longest has {lengths.max()}. Ask for shorter windows."
            )

    def __len__(self) -> int:
        return int(self._windows_before[-1])

    def __getitem__(self, index: SupportsIndex) -> dict[str, np.ndarray]:
        """Returns a window: one array `[length, …]` a name."""
        dataset, episode, start = self.locate(index)
        return self.datasets[dataset].window(episode, start, self.length, self.arrays)

    def __repr__(self) -> str:
        folders = ", ".join(str(dataset.folder) for dataset in self.datasets)
        return f"WindowSource({folders}; {len(self)} windows of {self.length} ticks)"

    def locate(self, index: SupportsIndex) -> tuple[int, int, int]:
        """Returns where window `index` lies: its dataset, its episode there, and its first tick."""
        number = int(index)
        episode = int(np.searchsorted(self._windows_before, number, side="right")) - 1
        dataset = int(np.searchsorted(self._episodes_before, episode, side="right")) - 1
        start = np.clip(number - self._windows_before[episode] - self._before, 0, self._last[episode])
        return dataset, episode - int(self._episodes_before[dataset]), int(start)


def windows(
    datasets: Windowed | Sequence[Windowed], config: WindowConfig, rows: Sequence[int] | None = None
) -> grain.IterDataset:
    """Returns endless batches of windows drawn uniformly over all places where one fits, or over all ticks.

    Each epoch visits every window once (with `even`, the outermost ones more often), in a fresh order. However many
    processes share the batches, these are the same, and so is what the iterator's `get_state()` returns after so many
    of them; `set_state()` goes back there exactly.

    Args:
      datasets: one dataset or several of one world.
      config: how windows are drawn.
      rows: which rows of each batch this process reads, all of them unless given.

    Returns:
      A Grain dataset of dicts, one array `[rows, length, …]` a name.

    Raises:
      DatasetError: the datasets do not fit together, lack an array, or hold too few windows.
    """
    given = datasets if isinstance(datasets, Sequence) else [datasets]
    source = WindowSource(given, config.length, config.arrays, even=config.even)
    rows = range(config.batch) if rows is None else rows
    if config.batch > len(source):
        raise DatasetError(
            f"There are {len(source)} windows of {config.length} ticks, which do not fill one batch of {config.batch}; "
            "record more or ask for less."
        )
    # Shuffled before rows are chosen, so that processes get different windows of all episodes, anew in each epoch.
    drawn = grain.MapDataset.source(source).seed(config.seed).shuffle().repeat()
    return (
        _Rows(drawn, config.batch, rows)
        .batch(len(rows), drop_remainder=True, batch_fn=_stack)
        .to_iter_dataset(grain.ReadOptions(num_threads=config.threads, prefetch_buffer_size=config.prefetch))
    )


class _Rows(grain.MapDataset[dict[str, np.ndarray]]):
    """Some rows of every batch of an endless dataset, in their order."""

    def __init__(self, parent: grain.MapDataset, batch: int, rows: Sequence[int]) -> None:
        super().__init__(parent)
        self._windows, self._batch, self._rows = parent, batch, tuple(rows)

    def __len__(self) -> int:
        return len(self._windows) // self._batch * len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.slice(index)
        number, row = divmod(index, len(self._rows))
        return self._windows[number * self._batch + self._rows[row]]


def _stack(rows: Sequence[dict[str, Any]]) -> dict[str, np.ndarray]:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _common_arrays(datasets: tuple[Windowed, ...], wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    """Returns the arrays to read, after checking that all datasets are of one world and hold them."""
    spec: WorldSpec = datasets[0].spec
    for dataset in datasets:
        if (dataset.spec.frame, dataset.spec.action) != (spec.frame, spec.action):
            raise DatasetError(
                f"{dataset.folder} and {datasets[0].folder} are of different worlds: their frames or actions differ. "
                "Train on one world at a time."
            )
        if missing := set(wanted or ()) - set(dataset.content):
            raise DatasetError(
                f"{dataset.folder} holds no {', '.join(sorted(missing))}; it holds {', '.join(dataset.content)}."
            )
    names = wanted or datasets[0].content
    return tuple(name for name in names if all(name in dataset.content for dataset in datasets))
