"""Fills the disk under a living session, kills it, lives on while it is full, frees it, and looks what is left."""

import contextlib
import dataclasses
import os
import random
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from torture_kill import Losses, look, replays
from torture_life import STEP, Life

#: Bytes of the disk that fills up.
_SIZE = 2 << 20
#: Ticks that are lived before it does, and seconds for which a session lives on without it.
_TICKS, _SECONDS = 100, 1.5


class Disk(Protocol):
    """Something that a session is written to and that takes no more for a while.

    Attributes:
      folder: that it is.
      name: what it is, for people.
    """

    folder: Path
    name: str

    def fill(self, life: Life) -> None:
        """Lets it take no more of what a life writes."""
        ...

    def free(self, life: Life) -> None:
        """Lets it take everything again."""
        ...


class SmallDisk:
    """A file system in memory, and a file that takes the rest of it."""

    def __init__(self, folder: Path):
        self.folder, self.name = folder, f"a tmpfs of {_SIZE >> 20} MiB"
        self._ballast = folder / "ballast"

    def fill(self, life: Life) -> None:
        """Takes all room that is left, down to the last block."""
        with self._ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(512))

    def free(self, life: Life) -> None:
        """Gives the room back."""
        self._ballast.unlink()


class ShortFiles:
    """A folder whose log may not grow, for the system limits the size of files that a life may write."""

    def __init__(self, folder: Path):
        self.folder, self.name = folder, "a limit on the size of files"

    def fill(self, life: Life) -> None:
        """Limits files to what the log has, and half an entry more."""
        size = max(path.stat().st_size for path in self.folder.glob("session/branches/*/log"))
        resource.prlimit(life.pid, resource.RLIMIT_FSIZE, (size + 15, resource.RLIM_INFINITY))

    def free(self, life: Life) -> None:
        """Takes the limit away."""
        resource.prlimit(life.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@dataclasses.dataclass(kw_only=True)
class Starved:
    """What became of a session under which the disk filled up.

    Attributes:
      disk: what it was.
      losses: what was lost or wrong.
      memory: ticks that were lived in memory before the first kill.
      waited: seconds from when there was room again until all was on the disk.
      ticks: that equal an uninterrupted run, over all lives.
    """

    disk: str
    losses: Losses
    memory: int = 0
    waited: float = 0.0
    ticks: int = 0

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        if not self.losses.fine:
            return "\n".join(["NOT FINE:", *self.losses.refused, *self.losses.wrong])
        return (
            f"On {self.disk}: {self.memory} ticks were lived in memory while it was full and went with the kill, as "
            "the status had said; nothing that was told to be on the disk did. Opened again while it was full, the "
            f"session went on in memory, and {self.waited:.1f} s after there was room again all was on the disk; "
            f"{self.ticks} ticks equal an uninterrupted run."
        )


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk | None]:
    """Mounts a small file system in memory; yields None where that is not permitted."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "oyster-torture", os.fspath(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    try:
        yield SmallDisk(disk)
    finally:
        # What a killed life had writing snapshots may still be ending there.
        subprocess.run(["umount", "--lazy", os.fspath(disk)], check=True)


def starve(world: Path, disk: Disk, noise: Path, *, seed: int, tell: Callable[[str], None] = print) -> Starved:
    """Lives a session on a disk, fills that, kills the session, lives it again, frees the disk, and looks.

    Args:
      world: folder of the world.
      disk: that fills up.
      noise: file for what is written on the standard error.
      seed: of what is lived.
      tell: told of every step.
    """
    generator, session, found = random.Random(seed), disk.folder / "session", Starved(disk=disk.name, losses=Losses())
    try:
        life = Life(world, session, generator.getrandbits(32), noise, straight=True)
        life.wait(lambda life: _newest(life)[1] > _TICKS)
        disk.fill(life)
        life.wait(_troubled)
        tell("The disk is full, and the session says so.")
        time.sleep(_SECONDS)
        ended = life.kill()
        tick, durable, _ = _newest(life)
        found.memory = tick - durable
        if found.memory < _TICKS:
            found.losses.wrong.append(f"With a full disk only {found.memory} ticks were lived.")
        look(life, session, found.losses, ended)
        # What was lived on a full disk is lost with its process: the status says so.
        found.losses.milliseconds = 0.0
        life = Life(world, session, generator.getrandbits(32), noise, straight=True)
        disk.fill(life) if isinstance(disk, ShortFiles) else None
        life.wait(_troubled)
        time.sleep(_SECONDS)
        tell("It was opened again while the disk was full, and goes on in memory.")
        (tick, durable, _), begin = _newest(life), time.monotonic()
        if tick <= durable:
            found.losses.wrong.append("On a full disk the session says that it is written.")
        disk.free(life)
        life.wait(lambda life: not _troubled(life) and _newest(life)[1] > tick)
        found.waited = time.monotonic() - begin
        look(life, session, found.losses, life.kill())
    except RuntimeError as error:
        found.losses.refused.append(str(error))
        return found
    found.ticks, _ = replays(world, session, found.losses)
    return found


def _newest(life: Life) -> tuple[int, int, bool]:
    """Returns the newest tick, the newest that is on the disk, and whether the session says that it cannot write."""
    steps = [line for line in life.lines[-3:] if line[0] == STEP]
    if not steps:
        return 0, 0, False
    _, _, tick, durable, _, _, trouble = steps[-1]
    return int(tick), int(durable), trouble != "0"


def _troubled(life: Life) -> bool:
    return _newest(life)[2]
