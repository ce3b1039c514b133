"""The append-only log of a branch: two equal files of entries, each chained to the one before by its checksum.

An entry is `length uint16, kind uint8, payload, crc32 uint32`, little-endian. The checksum runs over the checksum
before it, the header and the payload, so an entry that was flipped, lost, repeated or moved in from elsewhere is found
out. An entry that one file has lost is read from the other; where both end, the log ends.
"""

import contextlib
import dataclasses
import os
import struct
import zlib
from pathlib import Path

from oyster_jax.files import sync_names
from oyster_jax.session.errors import SessionError

NAMES = ("log", "log.copy")
#: Bytes that the payload of one entry may have.
MAX_PAYLOAD = 0xFFFF
_HEADER = struct.Struct("<HB")
_CHECKSUM = struct.Struct("<I")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a log.

    Attributes:
      kind: what its payload means; the caller's.
      payload: at most 65,535 bytes.
    """

    kind: int
    payload: bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogContent:
    """What a log holds.

    Attributes:
      entries: all that either file still has, in order.
      size: bytes that they take in a whole file.
      checksum: of the last entry, to chain the next one to.
      damaged: names of files that lack or have changed some of it, or have bytes behind its end.
      broken: there are sound entries behind its end that nothing leads to any more: both files are damaged there.
    """

    entries: tuple[Entry, ...]
    size: int
    checksum: int
    damaged: tuple[str, ...]
    broken: bool


def read_log(folder: Path, identity: str) -> LogContent:
    """Reads the log in `folder`.

    Args:
      folder: of the branch; a log without files is empty.
      identity: of the branch, as given to `Log`; entries of another one are not accepted.
    """
    files = [_bytes(folder / name) for name in NAMES]
    entries, offset, checksum = [], 0, zlib.crc32(identity.encode())
    sound = [True, True]
    while True:
        found = [_entry(data, offset, checksum) for data in files]
        if found == [None, None]:
            break
        entry, checksum, end = found[0] or found[1] or (None, 0, 0)
        assert entry is not None
        sound = [fine and other is not None for fine, other in zip(sound, found, strict=True)]
        entries.append(entry)
        offset = end
    whole = [fine and len(data) == offset for fine, data in zip(sound, files, strict=True)]
    damaged = tuple(name for name, fine in zip(NAMES, whole, strict=True) if not fine)
    broken = not _ended(folder, files, offset) and any(_goes_on(data, offset) for data in files)
    return LogContent(entries=tuple(entries), size=offset, checksum=checksum, damaged=damaged, broken=broken)


class Log:
    """A log that is being written. It is mended first: both files hold afterwards what either had.

    Where the disk does not let it, that is made up for before the next entry.

    Args:
      folder: of the branch.
      identity: of session and branch; seeds the chain of checksums.
      content: what `read_log` found.
    """

    def __init__(self, folder: Path, identity: str, content: LogContent | None = None):
        content = content or read_log(folder, identity)
        self.folder, self.size, self._checksum = folder, content.size, content.checksum
        self._damaged = list(content.damaged)
        self._whole = _encoded(content.entries, zlib.crc32(identity.encode()))[0] if content.damaged else b""
        with contextlib.suppress(OSError):
            self._mend()

    def append(self, entries: list[Entry]) -> None:
        """Writes entries behind the last one; they are on the disk, in both files, when it returns.

        Raises:
          OSError: the disk would not take them. The log then is as it was, and they can be given again.
        """
        self._mend()
        data, checksum = _encoded(entries, self._checksum)
        for name in NAMES:
            _write_at(self.folder / name, self.size, data)
        self.size += len(data)
        self._checksum = checksum

    def _mend(self) -> None:
        while self._damaged:
            _write_at(self.folder / self._damaged[0], 0, self._whole)
            self._damaged.pop(0)
        self._whole = b""


def _ended(folder: Path, files: list[bytes], offset: int) -> bool:
    """Returns whether a file ends there. A crash cuts only one of them off: they are written one after the other."""
    return any(len(data) == offset and (folder / name).exists() for name, data in zip(NAMES, files, strict=True))


def _goes_on(data: bytes, offset: int) -> bool:
    """Returns whether a sound entry begins behind `offset`, chained to the checksum that stands before it."""
    starts = range(offset + _HEADER.size + _CHECKSUM.size, len(data))
    return any(_entry(data, start, _CHECKSUM.unpack_from(data, start - _CHECKSUM.size)[0]) for start in starts)


def _write_at(path: Path, offset: int, data: bytes) -> None:
    """Writes `data` at `offset` and ends the file behind it, on the disk."""
    new = False
    try:
        file = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        new = True
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        view, at = memoryview(data), offset
        while view:
            written = os.pwrite(file, view, at)
            view, at = view[written:], at + written
        os.ftruncate(file, at)
        os.fsync(file)
    finally:
        os.close(file)
    if new:
        sync_names(path.parent)


def _encoded(entries: list[Entry] | tuple[Entry, ...], checksum: int) -> tuple[bytes, int]:
    """Returns the bytes of entries and the checksum of the last one."""
    data = bytearray()
    for entry in entries:
        if len(entry.payload) > MAX_PAYLOAD:
            raise SessionError(f"An entry of a log holds at most 65,535 bytes, but this one has {len(entry.payload)}.")
        body = _HEADER.pack(len(entry.payload), entry.kind) + entry.payload
        checksum = zlib.crc32(body, checksum)
        data += body + _CHECKSUM.pack(checksum)
    return bytes(data), checksum


def _entry(data: bytes, offset: int, checksum: int) -> tuple[Entry, int, int] | None:
    """Returns the entry at `offset`, its checksum and where it ends, None where there is no sound one."""
    if offset + _HEADER.size > len(data):
        return None
    length, kind = _HEADER.unpack_from(data, offset)
    end = offset + _HEADER.size + length
    if end + _CHECKSUM.size > len(data):
        return None
    found = zlib.crc32(data[offset:end], checksum)
    if found != _CHECKSUM.unpack_from(data, end)[0]:
        return None
    return Entry(kind=kind, payload=data[offset + _HEADER.size : end]), found, end + _CHECKSUM.size


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise SessionError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
