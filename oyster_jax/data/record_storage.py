"""Episodes in ArrayRecord files, as recordings are written."""

from pathlib import Path
from typing import Any

import numpy as np
from array_record.python import array_record_module  # pyright: ignore[reportAttributeAccessIssue]

from oyster_jax.data import codec
from oyster_jax.data.episode import Episode
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import Manifest


class RecordStorage:
    """Reads the episodes of a folder from its shards; see `codec` for the bytes of one.

    Args:
      folder: of the dataset.
      manifest: of it.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest
        self._readers: dict[int, Any] = {}
        self._first = np.concatenate([[0], np.cumsum([len(shard.lengths) for shard in manifest.shards])])

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_readers": {}}

    def episode(self, index: int) -> Episode:
        """Returns an episode, with every byte of it checked.

        Raises:
          DatasetError: its bytes are damaged.
        """
        record, where = self._record(index)
        return codec.decode(record, where=where)

    def window(self, index: int, start: int, length: int, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Returns the named arrays of ticks `start` to `start + length` of an episode.

        Raises:
          DatasetError: what was read is damaged, or the window does not lie within the episode.
        """
        record, where = self._record(index)
        return codec.decode_window(record, start, length, names, where=where)

    def _record(self, index: int) -> tuple[bytes, str]:
        number = int(np.searchsorted(self._first, index, side="right")) - 1
        shard = self.manifest.shards[number]
        path = self.folder / shard.name
        where = f"Episode {index} in {path}"
        try:
            record = self._reader(number).read([index - int(self._first[number])])[0]
        except (RuntimeError, IndexError, OSError) as error:
            reason = str(error).splitlines()[0] if str(error) else repr(error)
            raise DatasetError(f"{where} cannot be read ({reason}); restore the file or record again.") from error
        return record, where

    def _reader(self, number: int) -> Any:
        reader = self._readers.get(number)
        if reader is None:
            shard = self.manifest.shards[number]
            path = self.folder / shard.name
            reader = array_record_module.ArrayRecordReader(
                str(path), "readahead_buffer_size:0,max_parallelism:0", file_reader_buffer_size=2**15
            )
            if reader.num_records() != len(shard.lengths):
                raise DatasetError(
                    f"{path} holds {reader.num_records()} episodes, but its manifest says {len(shard.lengths)}; "
                    "restore it or record again."
                )
            self._readers[number] = reader
        return reader
