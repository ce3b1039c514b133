"""The bytes of an episode: a small JSON header, then blocks of a few ticks each, every byte under a CRC-32.

Layout, little-endian:

    magic b"OYE1" | uint32 header length | uint32 CRC-32 of the header | header | blocks, laid end to end

The header names each array's dtype, its shape without the ticks, how its blocks are encoded, how many ticks a block
covers, and the `[bytes, CRC-32]` of each block. A window is read by decoding only the blocks that it touches.
"""

import json
import struct
import zlib
from typing import Any

import numpy as np

from oyster_jax.data.episode import ARRAYS, Episode
from oyster_jax.data.errors import DatasetError

MAGIC = b"OYE1"
_PREFIX = struct.Struct("<4sII")

#: Ticks a block: plain CoinRun frames cost 3 % more bytes in blocks of 16 than whole, and windows read 2-3× faster.
BLOCK_TICKS = 16

#: zlib level 3 wrote plain CoinRun frames at 18,500/s and 850 bytes a frame and read them at 53,000/s; level 1 took
#: 1,230 bytes and read no faster, level 6 took 640 bytes but wrote only 7,900/s (one core).
ZLIB_LEVEL = 3

#: Arrays that do not compress, stored as they are: a tokenizer's latents are noise to zlib.
_RAW = frozenset({"latents", "drafts"})


def encode(episode: Episode) -> bytes:
    """Returns the record of an episode; the same episode always gives the same bytes."""
    described: dict[str, Any] = {}
    blocks: list[bytes] = []
    for name, array in episode.arrays.items():
        # Small columns are read whole, in one block: a window costs one decompression for each of them.
        step = BLOCK_TICKS if array.ndim > 1 else len(array)
        sizes = []
        for start in range(0, len(array), step):
            raw = np.ascontiguousarray(array[start : start + step]).tobytes()
            block = raw if name in _RAW else zlib.compress(raw, ZLIB_LEVEL)
            sizes.append([len(block), zlib.crc32(block)])
            blocks.append(block)
        described[name] = {
            "shape": list(array.shape[1:]),
            "coding": "raw" if name in _RAW else "zlib",
            "block_ticks": step,
            "blocks": sizes,
        }
    header = {"ticks": episode.ticks, "metadata": episode.metadata, "arrays": described}
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    return b"".join([_PREFIX.pack(MAGIC, len(text), zlib.crc32(text)), text, *blocks])


def decode(record: bytes, *, where: str = "This record") -> Episode:
    """Returns the episode of a record, after checking all of it.

    Raises:
      DatasetError: the record is damaged; the sentence begins with `where`.
    """
    header, start = _header(record, where)
    expected = start + sum(size for array in header["arrays"].values() for size, _ in array["blocks"])
    if len(record) != expected:
        raise DatasetError(f"{where} has {len(record)} bytes instead of {expected}. Restore or re-record it.")
    arrays = {name: _read(record, start, header, name, 0, header["ticks"], where) for name in header["arrays"]}
    return Episode(**arrays, metadata=header["metadata"])


def decode_window(
    record: bytes, start: int, length: int, names: tuple[str, ...], *, where: str = "This record"
) -> dict[str, np.ndarray]:
    """Returns the named arrays of ticks `start` to `start + length`, checking the blocks that they touch.

    Returns:
      One array `[length, …]` a name; they may be read-only views.

    Raises:
      DatasetError: the record is damaged, lacks an array, or does not cover the window.
    """
    header, first = _header(record, where)
    if start < 0 or length < 1 or start + length > header["ticks"]:
        raise DatasetError(
            f"{where} has {header['ticks']} ticks, so ticks {start} to {start + length} cannot be read from it."
        )
    return {name: _read(record, first, header, name, start, start + length, where) for name in names}


def _header(record: bytes, where: str) -> tuple[dict[str, Any], int]:
    if len(record) < _PREFIX.size or record[:4] != MAGIC:
        raise DatasetError(f"{where} is not an episode (it does not begin with {MAGIC.decode()}); record it again.")
    _, length, crc = _PREFIX.unpack_from(record)
    text = record[_PREFIX.size : _PREFIX.size + length]
    if len(text) != length or zlib.crc32(text) != crc:
        raise DatasetError(f"{where} is damaged: the checksum of its header does not match. Restore or re-record it.")
    return json.loads(text), _PREFIX.size + length


def _read(
    record: bytes, offset: int, header: dict[str, Any], name: str, start: int, stop: int, where: str
) -> np.ndarray:
    arrays = header["arrays"]
    if name not in arrays:
        raise DatasetError(f"{where} holds no {name}; it holds {', '.join(arrays)}.")
    for other in ARRAYS:
        if other == name:
            break
        if other in arrays:
            offset += sum(size for size, _ in arrays[other]["blocks"])
    described = arrays[name]
    step = described["block_ticks"]
    first, last = start // step, -(-stop // step)
    offset += sum(size for size, _ in described["blocks"][:first])
    parts = []
    for size, crc in described["blocks"][first:last]:
        block = record[offset : offset + size]
        if len(block) != size or zlib.crc32(block) != crc:
            raise DatasetError(
                f"{where} is damaged: the checksum of its {name} does not match. Restore or re-record it."
            )
        parts.append(zlib.decompress(block) if described["coding"] == "zlib" else block)
        offset += size
    dtype = np.dtype(ARRAYS[name][0])
    flat = np.frombuffer(parts[0] if len(parts) == 1 else b"".join(parts), dtype)
    covered = flat.reshape(-1, *described["shape"])
    return covered[start - first * step : stop - first * step]
