"""Which stretches of held-out recordings a world is tried on."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int32, Int64, Integer

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import FIRST_HELD_OUT_LEVEL, HELD_OUT


@dataclasses.dataclass(frozen=True, kw_only=True)
class Windows:
    """Stretches of equal length, none of which crosses an episode's end.

    Attributes:
      episodes: int32 `[windows]`, which episode each lies in.
      starts: int32 `[windows]`, its first tick there.
    """

    episodes: Int32[np.ndarray, "windows"]
    starts: Int32[np.ndarray, "windows"]

    def __len__(self) -> int:
        return len(self.episodes)


def check_dataset(dataset: EpisodeDataset, spec: WorldSpec) -> None:
    """Makes sure that a world can be tried on `dataset`, and fairly.

    What entities were recorded makes no difference: only frames and actions are read.

    Raises:
      DatasetError: the levels are not held out, frames are missing, or frames or actions differ from the world's.
    """
    split = dataset.manifest.provenance.split
    if split != HELD_OUT:
        raise DatasetError(
            f"{dataset.folder} holds {split} levels, on which a world's figures would flatter it; give a dataset of "
            f"held-out levels, recorded with --levels {FIRST_HELD_OUT_LEVEL}:{FIRST_HELD_OUT_LEVEL + 500}."
        )
    if "frames" not in dataset.content:
        raise DatasetError(
            f"{dataset.folder} has no frames to compare with, only {', '.join(dataset.content)}; give the recording "
            "that it was made from."
        )
    theirs = dataset.spec
    for what, recorded, learned in (
        ("frames", theirs.frame, spec.frame),
        ("actions", theirs.action, spec.action),
    ):
        if recorded != learned:
            raise DatasetError(
                f"{dataset.folder} recorded '{theirs.name}' with {what} unlike those of the world '{spec.name}': "
                f"{recorded} instead of {learned}. Give a recording of the game that the world learned."
            )


def choose_windows(
    lengths: Int32[np.ndarray, "episodes"], length: int, count: int, seed: int, *, spread: bool = False
) -> Windows:
    """Draws windows uniformly from all places at which one fits, none twice; a larger `count` adds to the same ones.

    Args:
      lengths: ticks of each episode.
      length: ticks of a window.
      count: how many; fewer come back where there are not as many places.
      seed: the same seed draws the same windows.
      spread: take a second window of an episode only when every episode that is long enough has given one.

    Raises:
      DatasetError: no episode is long enough.
    """
    places = np.maximum(lengths.astype(np.int64) - length + 1, 0)
    if places.sum() == 0:
        raise DatasetError(
            f"A window takes {length} ticks, but the longest episode has {lengths.max(initial=0)}; record longer "
            "episodes, or ask for a shorter context or shorter horizons."
        )
    # Sorting one random number a place costs memory only, and keeps the choice for 64 windows within that for 256.
    chosen = np.argsort(np.random.default_rng(seed).random(places.sum()), kind="stable")
    ends = np.cumsum(places)
    if spread:
        chosen = chosen[np.argsort(earlier_of_same(np.searchsorted(ends, chosen, side="right")), kind="stable")]
    chosen = chosen[:count]
    episodes = np.searchsorted(ends, chosen, side="right")
    starts = chosen - (ends - places)[episodes]
    return Windows(episodes=episodes.astype(np.int32), starts=starts.astype(np.int32))


def draw_windows[Kind](
    places: Mapping[Kind, Sequence[tuple[int, int]]], most: int, context: int, seed: int
) -> tuple[Windows, list[Kind]]:
    """Draws windows that have their last frame of context at given places, at most so many of each kind.

    Args:
      places: episodes and ticks by kind; kinds are gone through in this order.
      most: windows of a kind.
      context: frames up to the tick of a place, it included.
      seed: the same seed draws the same windows.

    Returns:
      The windows and the kind of each; none where there are no places.
    """
    generator = np.random.default_rng(seed)
    drawn, kinds = [], []
    for kind, there in places.items():
        for index in generator.permutation(len(there))[:most]:
            drawn.append(there[index])
            kinds.append(kind)
    episodes, ticks = np.array(drawn, np.int32).reshape(-1, 2).T
    return Windows(episodes=episodes, starts=ticks - (context - 1)), kinds


def read_windows(
    dataset: EpisodeDataset,
    windows: Windows,
    chosen: Integer[np.ndarray, "chosen"],
    length: int,
    names: tuple[str, ...],
) -> dict[str, np.ndarray]:
    """Reads some windows of `length` ticks; one may be chosen more than once.

    Returns:
      One array `[chosen, length, …]` a name. The last action of a window leads out of it.

    Raises:
      DatasetError: what was read is damaged.
    """
    read = [dataset.window(int(windows.episodes[i]), int(windows.starts[i]), length, names) for i in chosen]
    return {name: np.stack([window[name] for window in read]) for name in names}


def earlier_of_same(values: Integer[np.ndarray, "values"]) -> Int64[np.ndarray, "values"]:
    """Returns for each element how many equal ones stand before it."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.searchsorted(ordered, ordered)
    counts = np.empty(len(values), np.int64)
    counts[order] = np.arange(len(values)) - first
    return counts
