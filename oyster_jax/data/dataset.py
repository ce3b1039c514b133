"""Reading a dataset: any episode, or any window of one, at random."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.array_storage import ArrayStorage
from oyster_jax.data.episode import Episode
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import ARRAYS, Manifest, digest, read_manifest
from oyster_jax.data.record_storage import RecordStorage


class EpisodeDataset:
    """The episodes of a folder, by index; safe to pickle and to read from several threads.

    Recordings lie in ArrayRecord files, episodes that a world generated in zarr arrays; both read alike.

    Opening it checks that every shard is there and has its size; reading checks the checksums of what is read;
    `verify` checks everything.

    Args:
      folder: what `DatasetWriter` or `oyster generate` wrote.

    Raises:
      DatasetError: the manifest is missing or unreadable, or a shard is missing or of the wrong size.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.manifest: Manifest = read_manifest(self.folder)
        #: Ticks of every episode, int32 `[episodes]`.
        self.lengths = np.concatenate([np.asarray(shard.lengths, np.int32) for shard in self.manifest.shards])
        for shard in self.manifest.shards:
            path = self.folder / shard.name
            if not path.is_file():
                raise DatasetError(f"{path} is missing; restore it or record the dataset again.")
            if (size := path.stat().st_size) != shard.bytes:
                raise DatasetError(
                    f"{path} has {size} bytes, but its manifest says {shard.bytes}; restore it or record again."
                )
        kind = ArrayStorage if self.manifest.storage == ARRAYS else RecordStorage
        self._storage = kind(self.folder, self.manifest)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> Episode:
        """Returns an episode, with every byte of it checked.

        Raises:
          DatasetError: its bytes are damaged.
          IndexError: there is no such episode.
        """
        self._check(index)
        return self._storage.episode(index)

    def __iter__(self) -> Iterator[Episode]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"EpisodeDataset('{self.folder}', {len(self)} episodes, {self.frames} frames)"

    @property
    def spec(self) -> WorldSpec:
        """The recorded world."""
        return self.manifest.spec

    @property
    def content(self) -> tuple[str, ...]:
        """The names of the arrays that every episode holds."""
        return self.manifest.content

    @property
    def frames(self) -> int:
        """Ticks over all episodes."""
        return self.manifest.frames

    def window(
        self, index: int, start: int, length: int, names: tuple[str, ...] | None = None
    ) -> dict[str, np.ndarray]:
        """Returns ticks `start` to `start + length` of an episode, reading no more of it than needed.

        Args:
          index: the episode.
          start: its first tick to read.
          length: how many ticks.
          names: which arrays, all of them unless given.

        Returns:
          One array `[length, …]` a name; they may be read-only.

        Raises:
          DatasetError: what was read is damaged, or the window does not lie within the episode.
        """
        self._check(index)
        return self._storage.window(index, start, length, names or self.content)

    def verify(self) -> None:
        """Checks the digest of every shard and decodes every episode.

        Raises:
          DatasetError: something differs from what was written; the sentence names the file.
        """
        for shard in self.manifest.shards:
            path = self.folder / shard.name
            if digest(path) != shard.sha256:
                raise DatasetError(f"{path} is damaged: its sha256 is not the manifest's. Restore it or record again.")
        for index, episode in enumerate(self):
            if episode.ticks != self.lengths[index]:
                raise DatasetError(
                    f"Episode {index} of {self.folder} has {episode.ticks} ticks, but the manifest says "
                    f"{self.lengths[index]}; record again."
                )

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(f"{self.folder} has episodes 0 to {len(self) - 1}, not {index}.")
