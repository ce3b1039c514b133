"""The zarr arrays of a generation: their axes, units and files.

Episodes are cut into blocks and ticks into spans. One file of an array (a shard) holds what one block did in one span;
it is written once, whole. Within it, every episode's ticks lie in chunks of their own, so that a window is read alone.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.files import write_whole

#: Ticks that are compressed together: as in recordings, a window then decodes little more than it shows.
CHUNK_TICKS = 16

#: What takes fewer bytes than this, of one episode at one tick, is small.
SMALL = 64

#: As hard as zstd compresses unless told otherwise.
ZSTD_LEVEL = 3

EPISODE, TICK = "episode", "tick"

#: Axes after episode and tick, and what people should know of the numbers.
_PER_TICK: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "frames": (("height", "width", "channel"), {"units": "RGB, 0 to 255", "long_name": "what the action is taken at"}),
    "latents": (("token", "feature"), {"units": "1", "long_name": "latent of the frame"}),
    "actions": ((), {"units": "id", "long_name": "action taken, -1 beyond the episode's end"}),
    "rewards": ((), {"units": "reward of the recordings", "long_name": "outcome of the action"}),
    "terminals": ((), {"units": "bool", "long_name": "whether the action ended the episode"}),
    "entities": (("place", "field"), {"units": "tiles from the frame's middle, y upwards; tiles/tick"}),
    "entity_mask": (("place",), {"units": "bool", "long_name": "which entities are there"}),
    "camera": (("axis",), {"units": "pixels", "long_name": "camera, from where it began, y downwards"}),
}  # fmt: skip
_PER_EPISODE: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "lengths": ((), {"units": "ticks", "long_name": "ticks until the episode's end"}),
    "statuses": ((), {"units": "Status", "long_name": "status of the world at the end"}),
    "seeds": (("word",), {"units": "words", "long_name": "PRNG key that all of the episode follows from"}),
    "starts": (("byte",), {"units": "bytes", "long_name": "state of the world at tick 0, leaf after leaf"}),
}  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Axes:
    """How episodes and ticks are cut.

    Attributes:
      episodes: in all.
      ticks: of each.
      block: episodes of a file.
      span: ticks of a file, a multiple of `CHUNK_TICKS`.
    """

    episodes: int
    ticks: int
    block: int
    span: int

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.episodes // self.block)

    @property
    def spans(self) -> tuple[int, ...]:
        """The ticks of every span; the last may have fewer."""
        whole, rest = divmod(self.ticks, self.span)
        return (self.span,) * whole + ((rest,) if rest else ())

    def episodes_of(self, block: int) -> int:
        """Returns how many episodes a block has; the last may have fewer."""
        return min(self.block, self.episodes - block * self.block)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArrayLayout:
    """One zarr array.

    Attributes:
      name: as of its folder.
      shape: in all.
      dtype: as NumPy calls it.
      dimensions: names of its axes.
      shard: the part of it that one file holds.
      chunk: the part of a file that is compressed for itself.
      attributes: units and the like.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    dimensions: tuple[str, ...]
    shard: tuple[int, ...]
    chunk: tuple[int, ...]
    attributes: Mapping[str, Any]

    @property
    def ticked(self) -> bool:
        """Whether it has an axis of ticks, and so one file a span."""
        return TICK in self.dimensions[1:]

    @property
    def metadata(self) -> dict[str, Any]:
        """What zarr and TensorStore know of it (the zarr 3 specification)."""
        word = np.dtype(self.dtype).itemsize > 1
        numbers = {"name": "bytes", "configuration": {"endian": "little"}} if word else {"name": "bytes"}
        inner = [numbers, {"name": "zstd", "configuration": {"level": ZSTD_LEVEL, "checksum": False}}]
        # The checksum is what tells a reader, whoever that is, of a flipped bit.
        sharding = {
            "chunk_shape": list(self.chunk),
            "codecs": [*inner, {"name": "crc32c"}],
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
            "index_location": "end",
        }
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.shard)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": False if self.dtype == "bool" else 0,
            "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
            "attributes": dict(self.attributes),
            "dimension_names": list(self.dimensions),
        }

    def file(self, block: int, span: int = 0) -> str:
        """Returns the path of one of its files, from the folder of the generation."""
        return self.part(block, *([span] if self.ticked else []))

    def part(self, *place: int) -> str:
        """Returns the path of the file at a place of the grid of files; axes that are not given are not cut."""
        rest = len(self.shape) - len(place)
        return "/".join([self.name, "c", *map(str, [*place, *[0] * rest])])


def array_layout(name: str, axes: Axes, shape: tuple[int, ...], dtype: str, **attributes: Any) -> ArrayLayout:
    """Returns the layout of an array known by its name.

    Args:
      name: one of those above.
      axes: how episodes and ticks are cut.
      shape: of what one episode has (at one tick), as in `(64, 64, 3)`.
      dtype: as NumPy calls it.
      **attributes: beside those that are known.
    """
    ticked = name in _PER_TICK
    dimensions, known = (_PER_TICK if ticked else _PER_EPISODE)[name]
    # Small numbers are compressed over all of a file at once.
    small = np.dtype(dtype).itemsize * math.prod(shape) < SMALL
    shard = (axes.block, *([axes.span] if ticked else []), *shape)
    return ArrayLayout(
        name=name,
        shape=(axes.episodes, *([axes.ticks] if ticked else []), *shape),
        dtype=dtype,
        dimensions=(EPISODE, *([TICK] if ticked else []), *dimensions),
        shard=shard,
        chunk=shard if small else (1, *([CHUNK_TICKS] if ticked else []), *shape),
        attributes={**known, **attributes},
    )


def write_group(folder: Path, arrays: Mapping[str, ArrayLayout], axes: Axes, attributes: Mapping[str, Any]) -> None:
    """Writes what zarr asks of a folder that holds arrays: its own description and theirs, whole, its own last."""
    coordinates = {
        name: ArrayLayout(
            name=name, shape=(count,), dtype="int64", dimensions=(name,), shard=(count,), chunk=(count,), attributes={}
        )
        for name, count in ((EPISODE, axes.episodes), (TICK, axes.ticks))
    }
    described = {name: layout.metadata for name, layout in {**arrays, **coordinates}.items()}
    for name, layout in coordinates.items():
        # So short that a plain file, without TensorStore, is the simplest: numbers from zero on.
        described[name]["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}]
        write_whole(folder / name / "c", {"0": np.arange(layout.shape[0], dtype="<i8").tobytes()})
    for name, metadata in described.items():
        write_whole(folder / name, {"zarr.json": _json(metadata)})
    _write_own(folder, described, attributes)


def write_array(folder: Path, layout: ArrayLayout) -> None:
    """Adds an array to a folder, without any file of it; `describe_again` then makes it known."""
    write_whole(folder / layout.name, {"zarr.json": _json(layout.metadata)})


def describe_again(folder: Path) -> None:
    """Lets the description of a folder say what arrays it holds by now."""
    describe_arrays(folder, json.loads((folder / "zarr.json").read_text())["attributes"])


def describe_arrays(folder: Path, attributes: Mapping[str, Any]) -> None:
    """Makes a group of a folder of arrays."""
    described = {path.parent.name: json.loads(path.read_text()) for path in sorted(folder.glob("*/zarr.json"))}
    _write_own(folder, described, attributes)


def _write_own(folder: Path, described: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
    # What all arrays say of themselves stands here too, so that one file is read to open them.
    consolidated = {"kind": "inline", "must_understand": False, "metadata": described}
    group = {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}
    write_whole(folder, {"zarr.json": _json(group | {"consolidated_metadata": consolidated})})


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode()
