"""Writing a dataset: shards first, the manifest last, so that a killed recording never looks complete."""

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from array_record.python import array_record_module  # pyright: ignore[reportAttributeAccessIssue]

from oyster_jax.data import codec
from oyster_jax.data.episode import Episode
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import Manifest, Provenance, Shard, digest, write_manifest
from oyster_jax.files import sync_names

SHARD_BYTES = 128 * 2**20


class DatasetWriter:
    """Writes episodes into a folder as a dataset; a context manager.

        with DatasetWriter(folder, provenance) as writer:
            writer.add(episode)

    The manifest is written when the block ends without an exception; otherwise the folder stays visibly unfinished.

    Args:
      folder: where to write; made if it is not there.
      provenance: what the manifest says of the recording.
      shard_bytes: a new shard begins when one has grown past this.

    Raises:
      DatasetError: the folder exists and is not empty.
    """

    def __init__(
        self, folder: str | os.PathLike[str], provenance: Provenance, *, shard_bytes: int = SHARD_BYTES
    ) -> None:
        self.folder = Path(folder)
        self.provenance = provenance
        self.manifest: Manifest | None = None
        self._shard_bytes = shard_bytes
        self._shards: list[Shard] = []
        self._content: tuple[str, ...] = ()
        self._writer: Any = None
        self._lengths: list[int] = []
        self._bytes = 0
        check_free(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif self._writer is not None:
            self._writer.close()

    def add(self, episode: Episode) -> None:
        """Appends an episode.

        Raises:
          DatasetError: it holds other arrays than the episodes before it.
        """
        self.add_encoded(codec.encode(episode), episode.ticks, tuple(episode.arrays))

    def add_encoded(self, record: bytes, ticks: int, content: tuple[str, ...]) -> None:
        """Appends an episode that was encoded elsewhere (in a thread): its record, its ticks, its arrays' names.

        Raises:
          DatasetError: it holds other arrays than the episodes before it.
        """
        self._content = self._content or content
        if content != self._content:
            raise DatasetError(
                f"The episodes of a dataset hold the same arrays; {self.folder} has {', '.join(self._content)}, but "
                f"this episode has {', '.join(content)}."
            )
        if self._writer is None:
            # One record a group and no compression on top of ours: reading one episode reads that episode only.
            self._writer = array_record_module.ArrayRecordWriter(str(self._partial), "group_size:1,uncompressed")
        self._writer.write(record)
        self._lengths.append(ticks)
        self._bytes += len(record)
        if self._bytes >= self._shard_bytes:
            self._finish_shard()

    def close(self) -> None:
        """Finishes the last shard and writes the manifest.

        Raises:
          DatasetError: no episode was added.
        """
        self._finish_shard()
        if not self._shards:
            raise DatasetError(f"Nothing was recorded into {self.folder}; a dataset needs at least one episode.")
        self.manifest = Manifest(provenance=self.provenance, content=self._content, shards=tuple(self._shards))
        write_manifest(self.folder, self.manifest)

    @property
    def _name(self) -> str:
        return f"episodes-{len(self._shards):05d}.array_record"

    @property
    def _partial(self) -> Path:
        return self.folder / f"{self._name}.partial"

    def _finish_shard(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        self._writer = None
        with self._partial.open("rb") as file:
            os.fsync(file.fileno())
        path = self.folder / self._name
        os.replace(self._partial, path)
        sync_names(self.folder)
        shard = Shard(name=path.name, bytes=path.stat().st_size, sha256=digest(path), lengths=tuple(self._lengths))
        self._shards.append(shard)
        self._lengths, self._bytes = [], 0


def check_free(folder: Path) -> None:
    """Makes sure that `folder` can take a new dataset.

    Raises:
      DatasetError: it is a file, or a folder that is not empty.
    """
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{folder} is a file; give a folder that does not exist yet.")
    if folder.is_dir() and any(folder.iterdir()):
        raise DatasetError(f"{folder} is not empty; give a new folder, or delete this one first.")
