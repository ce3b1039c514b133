"""What a camera sees of a recording: a few hundred numbers a tick, made once and held in memory.

The camera is so small that to read and resample frames would take most of its training.
"""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.camera import camera_positions, pixels_per_tile
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.models.camera import CameraConfig, around
from oyster_jax.train.metrics import progress_bar
from oyster_jax.typing import Array, Float, Frames

#: Ticks of an episode that are looked at together.
BLOCK = 128


class Views:
    """The ticks of a recording as its camera learns from them, read like a dataset.

    Holds "colours" `[ticks, colours]`, float16, what the camera sees of each frame from about where it lies; "place"
    `[ticks, 2]`, where it stands in the level, in tiles, x to the right and y downwards; "motion" `[ticks, 2]`, how it
    came there, in pixels, none at the first tick; and actions. 3,000,000 ticks take 2.6 GB and, on two
    cores, 5 minutes.

    Args:
      dataset: frames, with entities, which tell where the camera stands.
      config: of the camera.
      jitter: standard deviation in tiles of the error in where it looks from.
      seed: of the errors.
    """

    content = ("colours", "place", "motion", "actions")

    def __init__(self, dataset: EpisodeDataset, config: CameraConfig, *, jitter: float, seed: int) -> None:
        self.folder: Path = dataset.folder
        self.spec: WorldSpec = dataset.spec
        self.lengths = dataset.lengths
        self._starts = np.concatenate([[0], np.cumsum(dataset.lengths, dtype=np.int64)])
        self._arrays: dict[str, np.ndarray] = {}
        self._fill(dataset, config, jitter, np.random.default_rng(seed))

    def __len__(self) -> int:
        return len(self.lengths)

    def window(
        self, index: int, start: int, length: int, names: tuple[str, ...] | None = None
    ) -> dict[str, np.ndarray]:
        """Returns ticks `start` to `start + length` of an episode, one array a name; see `EpisodeDataset.window`."""
        first = self._starts[index] + start
        return {name: self._arrays[name][first : first + length] for name in names or self.content}

    def _fill(self, dataset: EpisodeDataset, config: CameraConfig, jitter: float, errors: np.random.Generator) -> None:
        """Looks at every tick, one episode after the other."""

        @jax.jit
        def look(frames: Frames, place: Float[Array, "block 2"]) -> Float[Array, "block colours"]:
            return around(config, frames, place).astype(jnp.float16)

        with progress_bar("views", dataset.frames) as progress:
            for index, (first, last) in enumerate(zip(self._starts[:-1], self._starts[1:], strict=True)):
                episode = _episode(dataset, index)
                looked = episode["place"] + jitter * errors.standard_normal(episode["place"].shape, np.float32)
                episode["colours"] = _in_blocks(look, episode.pop("frames"), looked)
                for name, array in episode.items():
                    self._all(name, array)[first:last] = array
                progress(int(last))

    def _all(self, name: str, like: np.ndarray) -> np.ndarray:
        """Returns what holds every tick of an array, to be filled."""
        if name not in self._arrays:
            self._arrays[name] = np.empty((self._starts[-1], *like.shape[1:]), like.dtype)
        return self._arrays[name]


def _episode(dataset: EpisodeDataset, index: int) -> dict[str, np.ndarray]:
    """Returns an episode's frames and actions, and where the camera stood."""
    read = dataset.window(index, 0, int(dataset.lengths[index]), ("frames", "actions", "entities"))
    pixels = camera_positions(dataset.spec, read.pop("entities"))
    place = pixels / np.float32(pixels_per_tile(dataset.spec))
    return read | {"place": place, "motion": np.diff(pixels, axis=0, prepend=pixels[:1])}


def _in_blocks(look: Callable[[np.ndarray, np.ndarray], Array], frames: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Returns what is seen of each frame, always as many of them at a time."""
    seen: list[np.ndarray] = []
    for start in range(0, len(place), BLOCK):
        block = (array[start : start + BLOCK] for array in (frames, place))
        filled = (np.resize(array, (BLOCK, *array.shape[1:])) for array in block)
        seen.append(np.asarray(look(*filled))[: len(place) - start])
    return np.concatenate(seen)
