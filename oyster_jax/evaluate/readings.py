"""What a judge reads in long runs, which have cuts in them, counted for F1."""

import dataclasses
import itertools

import numpy as np

from oyster_jax.evaluate.action_score import THRESHOLD, counts
from oyster_jax.evaluate.judge import ButtonReader

#: Ticks of a run that are resampled together: neighbouring frames resemble each other.
BLOCK = 150


@dataclasses.dataclass(frozen=True, kw_only=True)
class Readings:
    """What the judge read in stretches of frames without a cut.

    Attributes:
      right: true positives, `[stretches, buttons]`.
      wrong: false positives and negatives.
      groups: stretches that are resampled together.
    """

    right: np.ndarray
    wrong: np.ndarray
    groups: np.ndarray


def read_run(
    judge: ButtonReader, table: np.ndarray, frames: np.ndarray, actions: np.ndarray, ended: np.ndarray
) -> Readings:
    """Reads the buttons of worlds that ran side by side, stretch by stretch between two levels.

    Args:
      judge: who reads.
      table: bool `[actions, buttons]`, the buttons that an action holds.
      frames: uint8 `[worlds, ticks, height, width, 3]`, each as it was after the action of its tick.
      actions: int32 `[worlds, ticks]`.
      ended: bool `[worlds, ticks]`, true where the frame shows the beginning of another level.
    """
    counted, groups = [], []
    worlds, ticks = ended.shape
    for world in range(worlds):
        # Blocks are cut like the ends of episodes: what is resampled together is read together.
        cuts = sorted({*np.flatnonzero(ended[world]).tolist(), *range(0, ticks, BLOCK), ticks})
        for first, end in itertools.pairwise(cuts):
            if end - first < 2:
                continue
            # The frame of a tick is the one after its action: the first frame's action led here from elsewhere.
            held = table[actions[world, first + 1 : end]]
            read = judge.presses(frames[world, first:end]) > THRESHOLD
            counted.append(counts(held, read))
            groups.append(world * ticks + first // BLOCK)
    right, wrong = np.array(counted, float).reshape(-1, 2, table.shape[1]).swapaxes(0, 1)
    return Readings(right=right, wrong=wrong, groups=np.array(groups, int))


def read_real(
    judge: ButtonReader, table: np.ndarray, frames: np.ndarray, actions: np.ndarray, episodes: np.ndarray
) -> Readings:
    """Reads the buttons of windows of recordings: frames `[windows, ticks, …]`, actions `[windows, ticks - 1]`."""
    held = table[actions]
    read = np.stack([judge.presses(window) for window in frames]) > THRESHOLD
    right, wrong = counts(held, read)
    return Readings(right=right, wrong=wrong, groups=episodes)
