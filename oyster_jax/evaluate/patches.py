"""Small pieces of frames, and the nearest among many real ones."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float32, Int32

from oyster_jax.data.dataset import EpisodeDataset

#: Side of a patch, and pixels from one to the next where a region is covered with them.
SIDE, STRIDE = 8, 4

#: Patches taken from one frame.
_OF_A_FRAME = 16

#: Patches compared with all others at once.
_CHUNK = 1024


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patches:
    """Real patches.

    Attributes:
      values: in [0, 1], row by row.
      episodes: which episode each is of.
    """

    values: Float32[np.ndarray, "patches values"]
    episodes: Int32[np.ndarray, "patches"]


def sample_patches(dataset: EpisodeDataset, count: int, seed: int) -> Patches:
    """Draws `count` patches from all over a recording: frames uniformly, places in them too."""
    generator = np.random.default_rng([seed, 5])
    ends = np.cumsum(dataset.lengths)
    frames = -(-count // _OF_A_FRAME)
    ticks = np.sort(generator.integers(ends[-1], size=frames))
    episodes = np.searchsorted(ends, ticks, side="right")
    values, height, width = [], *dataset.spec.frame.shape[:2]
    for episode, tick in zip(episodes, ticks - (ends - dataset.lengths)[episodes], strict=True):
        frame = dataset.window(int(episode), int(tick), 1, ("frames",))["frames"][0] / np.float32(255)
        rows, columns = (generator.integers(size - SIDE + 1, size=_OF_A_FRAME) for size in (height, width))
        values += [
            frame[row : row + SIDE, column : column + SIDE].reshape(-1)
            for row, column in zip(rows, columns, strict=True)
        ]
    chosen = np.stack(values)[:count]
    return Patches(values=chosen, episodes=np.repeat(episodes, _OF_A_FRAME)[:count].astype(np.int32))


def revealed_patches(
    frame: Float32[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]
) -> Float32[np.ndarray, "patches values"]:
    """Returns the patches of a grid over `frame` all of whose pixels `mask` names."""
    size = (SIDE, SIDE)
    whole = np.lib.stride_tricks.sliding_window_view(mask, size)[::STRIDE, ::STRIDE].all((-2, -1))
    patches = np.lib.stride_tricks.sliding_window_view(frame, size, axis=(0, 1))[::STRIDE, ::STRIDE]
    return patches[whole].transpose(0, 2, 3, 1).reshape(-1, SIDE * SIDE * 3)


def nearest(
    patches: Float32[np.ndarray, "patches values"], bank: Patches, *, other_than: int
) -> Float32[np.ndarray, "patches"]:
    """Returns the root mean squared distance of each patch to the nearest of `bank` that is of another episode."""
    others = bank.values[bank.episodes != other_than]
    if len(patches) == 0 or len(others) == 0:
        return np.zeros(len(patches), np.float32)
    squares = np.square(others).sum(1)
    found = [
        # |p - r|² = |p|² - 2 p·r + |r|²: one matrix product.
        np.square(part).sum(1) + (squares - 2 * part @ others.T).min(1)
        for part in np.split(patches, range(_CHUNK, len(patches), _CHUNK))
    ]
    return np.sqrt(np.maximum(np.concatenate(found), 0) / patches.shape[1]).astype(np.float32)
