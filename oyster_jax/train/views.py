"""What a camera sees of a recording: a few hundred numbers a tick, made once and held in memory.

The camera is so small that to read and resample frames would take most of its training.
"""

from collections.abc import Iterator
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

#: What is read of a recording, and what is kept as it is.
READ = ("frames", "latents", "actions", "motion", "entities")
KEPT = ("latents", "actions", "motion")


class Views:
    """The ticks of a recording as its camera learns from them, read like a dataset.

    Holds "colours" `[ticks, colours]`, float16, what the camera sees of each frame from about where it lies; "place"
    `[ticks, 2]`, where it stands in the level, in tiles, x to the right and y downwards; latents, actions and motion.
    600,000 ticks of 64 tokens of 16 channels take 1.8 GB and, on two cores, a minute.

    Args:
      dataset: frames and latents, with the camera's motion and with entities, which tell where it stands.
      config: of the camera.
      jitter: standard deviation in tiles of the error in where it looks from.
      seed: of the errors.
    """

    content = ("colours", "place", *KEPT)

    def __init__(self, dataset: EpisodeDataset, config: CameraConfig, *, jitter: float, seed: int) -> None:
        self.folder: Path = dataset.folder
        self.spec: WorldSpec = dataset.spec
        self.lengths = dataset.lengths
        self._starts = np.concatenate([[0], np.cumsum(dataset.lengths, dtype=np.int64)])
        self._arrays = _looked_at(dataset, config, jitter, np.random.default_rng(seed))

    def __len__(self) -> int:
        return len(self.lengths)

    def window(
        self, index: int, start: int, length: int, names: tuple[str, ...] | None = None
    ) -> dict[str, np.ndarray]:
        """Returns ticks `start` to `start + length` of an episode, one array a name; see `EpisodeDataset.window`."""
        first = self._starts[index] + start
        return {name: self._arrays[name][first : first + length] for name in names or self.content}


def _looked_at(
    dataset: EpisodeDataset, config: CameraConfig, jitter: float, errors: np.random.Generator
) -> dict[str, np.ndarray]:
    """Returns every array of all ticks, one episode after the other."""

    @jax.jit
    def look(frames: Frames, place: Float[Array, "block 2"]) -> Float[Array, "block colours"]:
        return around(config, frames, place).astype(jnp.float16)

    found: dict[str, list[np.ndarray]] = {name: [] for name in Views.content}
    with progress_bar("views", dataset.frames) as progress:
        for done, episode in _episodes(dataset):
            for name in ("place", *KEPT):
                found[name].append(episode[name])
            places = episode["place"] + jitter * errors.standard_normal(episode["place"].shape, np.float32)
            for start in range(0, len(places), BLOCK):
                frames, place = episode["frames"][start : start + BLOCK], places[start : start + BLOCK]
                filled = (np.resize(array, (BLOCK, *array.shape[1:])) for array in (frames, place))
                found["colours"].append(np.asarray(look(*filled))[: len(place)])
            progress(done)
    return {name: np.concatenate(arrays) for name, arrays in found.items()}


def _episodes(dataset: EpisodeDataset) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yields each episode with its places, and how many ticks were read with it."""
    done = 0
    for index, length in enumerate(dataset.lengths.tolist()):
        episode, done = dataset.window(index, 0, length, READ), done + length
        pixels = camera_positions(dataset.spec, episode["entities"])
        yield done, episode | {"place": pixels / np.float32(pixels_per_tile(dataset.spec))}
