"""Episodes in zarr arrays `[episodes, ticks, …]`, as a world generates them: read through TensorStore."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorstore

from oyster_jax.data.array_entities import as_recorded
from oyster_jax.data.episode import Episode
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import Manifest

#: What tables of entities are made from; see `array_entities`.
_ENTITIES = ("entities", "entity_mask")
_ENTITY_SOURCES = (*_ENTITIES, "camera")


class ArrayStorage:
    """Reads the episodes of a folder from its arrays; what lies beyond an episode's end is not part of it.

    Args:
      folder: of the dataset.
      manifest: of it.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest
        self._lengths = np.concatenate([np.asarray(shard.lengths, np.int32) for shard in manifest.shards])
        self._stores: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_stores": {}}

    def episode(self, index: int) -> Episode:
        """Returns an episode; checksums of what is read are checked.

        Raises:
          DatasetError: its bytes are damaged.
        """
        length = int(self._lengths[index])
        arrays = self.window(index, 0, length, self.manifest.content)
        ending = "terminal" if arrays["terminals"][-1] else "stopped"
        return Episode(**arrays, metadata={"episode": index, "ending": ending})

    def window(self, index: int, start: int, length: int, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Returns the named arrays of ticks `start` to `start + length` of an episode.

        Raises:
          DatasetError: what was read is damaged, or the window does not lie within the episode.
        """
        where = f"Episode {index} in {self.folder}"
        ticks = int(self._lengths[index])
        if start < 0 or length < 1 or start + length > ticks:
            raise DatasetError(f"{where} has {ticks} ticks, so ticks {start} to {start + length} cannot be read.")
        for name in names:
            if name not in self.manifest.content:
                raise DatasetError(f"{where} holds no {name}; it holds {', '.join(self.manifest.content)}.")
        plain = [name for name in names if name not in _ENTITIES]
        tables = len(plain) < len(names)
        wanted = [*plain, *(_ENTITY_SOURCES if tables else ())]
        # All are under way before the first is waited for.
        reading = {name: self._store(name)[index, start : start + length].read() for name in wanted}
        try:
            read = {name: np.asarray(future.result()) for name, future in reading.items()}
        except (ValueError, OSError) as error:
            raise DatasetError(
                f"{where} cannot be read ({str(error).splitlines()[0]}); restore the file or generate it again."
            ) from error
        if tables:
            fields = self.manifest.provenance.extra["entity_fields"]
            sources = (read.pop(name) for name in _ENTITY_SOURCES)
            read |= dict(zip(_ENTITIES, as_recorded(self.manifest.spec, fields, *sources), strict=True))
        return {name: read[name] for name in names}

    def _store(self, name: str) -> Any:
        if name not in self._stores:
            path = self.folder / name
            description = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path}/"}}
            try:
                self._stores[name] = tensorstore.open(description, open=True, read=True).result()
            except (ValueError, OSError) as error:
                raise DatasetError(
                    f"{path} cannot be opened ({str(error).splitlines()[0]}); restore it or generate it again."
                ) from error
        return self._stores[name]
