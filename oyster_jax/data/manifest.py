"""What a dataset says of itself: where it comes from, what it holds, and the size and digest of every shard."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Self

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.errors import DatasetError
from oyster_jax.files import sync_names

#: Of manifests as they were first, and of those whose episodes hold tiles and quantities, which older programs would
#: not understand. A manifest is written in the first version that can say all of it.
PLAIN, STRUCTURED = 1, 2
MANIFEST = "manifest.json"

#: How the episodes of a dataset lie on disk: in ArrayRecord files, or in zarr arrays.
RECORDS, ARRAYS = "array_record", "zarr"

TRAINING = "training"
HELD_OUT = "held-out"

#: Levels from here on are held out for ever: nothing may train on them, so the two splits are disjoint by construction.
FIRST_HELD_OUT_LEVEL = 1_000_000


def split_of(start: int, stop: int) -> str:
    """Returns the split that levels `start` to `stop` (exclusive) belong to: "training" or "held-out".

    Raises:
      DatasetError: the range is empty, negative, or straddles the first held-out level.
    """
    if start < 0 or stop <= start:
        raise DatasetError(
            f"Levels {start}:{stop} are no range; write START:STOP with 0 <= START < STOP, as in 0:200000."
        )
    if start >= FIRST_HELD_OUT_LEVEL:
        return HELD_OUT
    if stop <= FIRST_HELD_OUT_LEVEL:
        return TRAINING
    raise DatasetError(
        f"Levels {start}:{stop} straddle level {FIRST_HELD_OUT_LEVEL}, where the held-out levels begin; "
        "record the two sides into two folders."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a dataset comes from; all of it ends up in the manifest.

    Attributes:
      spec: the recorded world.
      split: "training" or "held-out".
      levels: first level and the one after the last, where the source has levels.
      source: what was recorded, as in `procgen:coinrun`.
      options: the source's options, JSON-ready.
      policy: who acted.
      seed: of the policy and the simulator.
      licence: SPDX name of the source's licence.
      extra: anything else that a reader should know, JSON-ready (for latents: the tokenizer that made them).
    """

    spec: WorldSpec
    split: str
    levels: tuple[int, int] | None
    source: str
    options: dict[str, Any]
    policy: str
    seed: int
    licence: str
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.split not in (TRAINING, HELD_OUT):
            raise DatasetError(f"A dataset's split is '{TRAINING}' or '{HELD_OUT}', not '{self.split}'.")
        if self.levels is not None and split_of(*self.levels) != self.split:
            raise DatasetError(
                f"Levels {self.levels[0]}:{self.levels[1]} belong to the {split_of(*self.levels)} split, but the "
                f"dataset was called {self.split}."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shard:
    """One file of episodes: its name, size in bytes, sha256 and the ticks of each episode in it.

    Where the arrays of an episode lie in several files, one of these stands for them and has the ticks.
    """

    name: str
    bytes: int
    sha256: str
    lengths: tuple[int, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """Provenance, content and shards of a dataset.

    Attributes:
      provenance: where it comes from.
      content: the names of the arrays that every episode holds.
      shards: its files in order.
      storage: `RECORDS` or `ARRAYS`.
    """

    provenance: Provenance
    content: tuple[str, ...]
    shards: tuple[Shard, ...]
    storage: str = RECORDS

    @property
    def spec(self) -> WorldSpec:
        """The recorded world."""
        return self.provenance.spec

    @property
    def episodes(self) -> int:
        """How many episodes there are."""
        return sum(len(shard.lengths) for shard in self.shards)

    @property
    def frames(self) -> int:
        """Ticks over all episodes."""
        return sum(sum(shard.lengths) for shard in self.shards)

    def to_json(self) -> dict[str, Any]:
        """Returns a JSON-ready dict; `from_json` is its inverse."""
        provenance = dataclasses.asdict(self.provenance) | {"spec": self.spec.to_json()}
        return {
            "schema_version": STRUCTURED if self.spec.structured else PLAIN,
            **provenance,
            "storage": self.storage,
            "content": list(self.content),
            "episodes": self.episodes,
            "frames": self.frames,
            "shards": [dataclasses.asdict(shard) for shard in self.shards],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Rebuilds a manifest from `to_json`.

        Raises:
          DatasetError, KeyError, TypeError, ValueError: the data is no manifest.
        """
        names = {field.name for field in dataclasses.fields(Provenance)}
        given = {name: data[name] for name in names}
        levels = given["levels"]
        given |= {"spec": WorldSpec.from_json(given["spec"]), "levels": None if levels is None else tuple(levels)}
        shards = tuple(Shard(**shard | {"lengths": tuple(shard["lengths"])}) for shard in data["shards"])
        # Recordings from before there were arrays say nothing of it.
        storage = data.get("storage", RECORDS)
        if storage not in (RECORDS, ARRAYS):
            raise ValueError(f"its storage '{storage}' is unknown")
        manifest = cls(provenance=Provenance(**given), content=tuple(data["content"]), shards=shards, storage=storage)
        if (manifest.episodes, manifest.frames) != (data["episodes"], data["frames"]):
            raise ValueError("its counts of episodes and frames do not agree with its shards")
        return manifest


def read_manifest(folder: Path) -> Manifest:
    """Reads the manifest of a dataset.

    Raises:
      DatasetError: there is none, it is of another schema version, or it cannot be understood.
    """
    path = folder / MANIFEST
    if not path.is_file():
        if any(folder.glob("episodes-*")):
            raise DatasetError(f"{folder} holds an unfinished recording (no {MANIFEST}); delete it and record again.")
        if (folder / "zarr.json").is_file():
            raise DatasetError(
                f"{folder} holds an unfinished generation (no {MANIFEST}); give the command that began it once more."
            )
        raise DatasetError(f"{folder} is not a dataset: it has no {MANIFEST}. Give the folder that `record` wrote.")
    try:
        data = json.loads(path.read_text())
        version = data["schema_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} cannot be read as a manifest ({error}); restore it or record again.") from error
    if version not in (PLAIN, STRUCTURED):
        raise DatasetError(
            f"{path} has schema version {version}, but this program reads versions {PLAIN} and {STRUCTURED}; "
            "use the program that wrote it or record again."
        )
    try:
        return Manifest.from_json(data)
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is not a complete manifest ({error!r}); restore it or record again.") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest under a temporary name, then renames it: it is there whole or not at all."""
    temporary = folder / f"{MANIFEST}.partial"
    with temporary.open("w") as file:
        json.dump(manifest.to_json(), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, folder / MANIFEST)
    sync_names(folder)


def digest(path: Path) -> str:
    """Returns the sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
