"""What a session goes through in a soak, and what is measured of it."""

import contextlib
import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from soak_turns import WARM_UP, Say, in_turns, sticky_actions

from oyster_jax.evaluate.figure import Figure, median_figure
from oyster_jax.evaluate.memory import resident_bytes
from oyster_jax.evaluate.stepping import trend_of
from oyster_jax.session import snapshot_writer
from oyster_jax.session.archive import Archive
from oyster_jax.session.branch import DIGEST_BYTES, frame_digest
from oyster_jax.session.replayer import Replayer
from oyster_jax.session.verification import verify
from oyster_jax.tree import tree_bytes
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.world import World

MEGABYTE = 2**20

#: Looks at memory and disk in each slice of a life.
LOOKS = 10
#: Ticks that are not counted: the first compiles.
UNCOUNTED = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Life:
    """A life, tick by tick and look by look.

    Attributes:
      times: milliseconds of each `step`, float64 `[ticks]`.
      digests: of the frames from tick 0 on, `DIGEST_BYTES` each.
      looks: ticks at which the rest was looked at, int64 `[looks]`.
      parent: bytes of this process.
      writer: bytes of the process that writes snapshots, 0 while there is none.
      disk: bytes of the session's folder.
      snapshots: how many there were.
      state: bytes of the world's state.
      slices: parts of equal length that it is divided into.
    """

    times: np.ndarray
    digests: bytes
    looks: np.ndarray
    parent: np.ndarray
    writer: np.ndarray
    disk: np.ndarray
    snapshots: np.ndarray
    state: np.ndarray
    slices: int

    def digest(self, tick: int) -> bytes:
        """Returns that of the frame of a tick."""
        return self.digests[tick * DIGEST_BYTES : (tick + 1) * DIGEST_BYTES]

    def percentiles(self, percentile: float) -> np.ndarray:
        """Returns one of the latency of each slice, in milliseconds, float64 `[slices]`."""
        parts = np.array_split(self.times, self.slices)
        return np.asarray([np.percentile(part, percentile) for part in (parts[0][UNCOUNTED:], *parts[1:])])

    def medians(self, values: np.ndarray) -> np.ndarray:
        """Returns the median of what was looked at in each slice, float64 `[slices]`."""
        return np.median(values.reshape(self.slices, LOOKS), axis=1)


def live(session: Session, ticks: int, *, seed: int, slices: int, say: Say) -> Life:
    """Lives a session as fast as it goes.

    Args:
      session: that has not begun.
      ticks: how long.
      seed: of its actions.
      slices: parts of equal length, in each of which memory and disk are looked at.
      say: told after each slice.
    """
    times, digests = np.ones(ticks), bytearray(frame_digest(session.frame) + bytes(ticks * DIGEST_BYTES))
    looks = np.linspace(0, ticks, slices * LOOKS + 1).round().astype(np.int64)[1:]
    found = np.zeros((len(looks), 5))
    look = 0
    for tick, action in enumerate(sticky_actions(session.world, ticks, seed), start=1):
        began = time.perf_counter()
        frame = session.step(action)
        times[tick - 1] = 1000 * (time.perf_counter() - began)
        digests[tick * DIGEST_BYTES : (tick + 1) * DIGEST_BYTES] = frame_digest(frame)
        if tick == looks[look]:
            found[look] = _look(session)
            look += 1
            if look % LOOKS == 0:
                part = times[int(looks[look - LOOKS]) : tick]
                held = " + ".join(f"{size / MEGABYTE:.0f}" for size in found[look - 1, :2])
                say(
                    f"slice {look // LOOKS} of {slices}: tick {tick}, p50 {np.median(part):.1f} ms, {held} MB held, "
                    f"{found[look - 1, 2] / MEGABYTE:.0f} MB on the disk"
                )
    # The disk is some ticks behind.
    session.flush()
    found[-1] = _look(session)
    parent, writer, disk, snapshots, state = found.T
    return Life(
        times=times, digests=bytes(digests), looks=looks, parent=parent, writer=writer, disk=disk, snapshots=snapshots,
        state=state, slices=slices,
    )  # fmt: skip


def life_figures(life: Life, rate: float, conditions: dict[str, Any]) -> list[Figure]:
    """Returns latency and its flatness, memory and its growth, and what the disk takes; `rate` in ticks a second."""

    def figure(name: str, value: float, unit: str, over: np.ndarray | None = None, **more: Any) -> Figure:
        spread = None if over is None else (float(over.min()), float(over.max()))
        return Figure(name=f"soak.{name}", value=float(value), unit=unit, spread=spread, conditions=conditions | more)

    figures = []
    for percentile in (50, 99):
        slices = life.percentiles(percentile)
        of_all = np.percentile(life.times[UNCOUNTED:], percentile)
        named = {"slices": slices.round(3).tolist()}
        figures += [
            figure(f"tick.p{percentile}", of_all, "ms", slices),
            figure(f"flatness.p{percentile}", slices[-1] / slices[0], "late/early", **named),
            figure(f"trend.p{percentile}", trend_of(slices), "late/early"),
        ]
    # Allocators and caches take what they need in the first tenth.
    early = max(1, life.slices // 10)
    for name, held in {"parent": life.parent, "writer": life.writer, "all": life.parent + life.writer}.items():
        slices = life.medians(held) / MEGABYTE
        figures.append(figure(f"memory.{name}", np.median(slices), "MB", slices, slices=slices.round(1).tolist()))
        if slices[early]:
            figures.append(figure(f"memory.{name}.growth", slices[-1] / slices[early], "late/early"))
    minutes = len(life.times) / rate / 60
    return [
        *figures,
        figure("state.bytes", life.state[-1], "bytes", life.state),
        figure("disk", life.disk[-1] / MEGABYTE, "MB"),
        figure("disk.minute", life.disk[-1] / MEGABYTE / minutes, "MB/min"),
        figure("snapshots", life.snapshots[-1], "snapshots"),
    ]


def flatness_figure(
    aged: Session, fresh: Session, actions: list[int], turns: int, conditions: dict, say: Say
) -> Figure:
    """Compares a session at its end with one that has just begun, in turns."""
    fresh.run(sticky_actions(fresh.world, WARM_UP, 0))
    # Its process for snapshots has begun by now.
    fresh.flush()
    times = in_turns({"late": aged, "early": fresh}, actions, turns, say=say)
    ratios = np.median(times["late"], axis=1) / np.median(times["early"], axis=1)
    about = conditions | {"turns": turns, "turn_ticks": len(actions)}
    return median_figure("soak.flatness.paired", ratios, "late/early", about)


def rewind_figures(session: Session, life: Life, count: int, conditions: dict, say: Say) -> tuple[list[Figure], Any]:
    """Rewinds to random ticks and compares their frames; returns figures, and ticks and seconds of each rewind."""
    ticks = np.sort(np.random.default_rng(count).integers(len(life.times) + 1, size=count))[::-1]
    seconds, equal = np.empty(count), 0
    for index, tick in enumerate(ticks.tolist()):
        began = time.perf_counter()
        frame = session.rewind(tick)
        seconds[index] = time.perf_counter() - began
        equal += frame_digest(frame) == life.digest(tick)
    gaps = np.diff([0, *session.timeline().branches[0].snapshots])
    about = conditions | {"rewinds": count, "longest_gap": int(gaps.max(initial=0))}
    values = {"p50": np.median(seconds), "p95": np.percentile(seconds, 95), "max": seconds.max()}
    say(f"rewound {count} times, {equal} bit for bit")
    figures = [
        Figure(name=f"soak.rewind.{name}", value=float(value), unit="s", spread=None, conditions=about)
        for name, value in values.items()
    ]
    exact = Figure(name="soak.rewind.exact", value=equal / count, unit="of the frames", spread=None, conditions=about)
    return [exact, *figures], np.stack([ticks, seconds])


def branch_figures(session: Session, life: Life, count: int, ticks: int, conditions: dict, say: Say) -> list[Figure]:
    """Makes branches at random ticks and lives each for a few; all stay open until memory has been looked at."""
    generator = np.random.default_rng(count)
    session.flush()
    held, disk = resident_bytes() or 0, session.disk_bytes
    branches, seconds = [], np.empty(count)
    for index, at in enumerate(generator.integers(len(life.times) + 1, size=count).tolist()):
        began = time.perf_counter()
        branch = session.branch(at)
        exact = frame_digest(branch.frame) == life.digest(at)
        seconds[index] = time.perf_counter() - began
        branch.run(sticky_actions(session.world, ticks, index))
        branches.append((branch, exact))
    after = resident_bytes() or 0
    for branch, _ in branches:
        branch.close()
    session.flush()
    about = conditions | {"branches": count, "branch_ticks": ticks}
    say(f"{count} branches: {held / MEGABYTE:.0f} → {after / MEGABYTE:.0f} MB held")
    share = sum(exact for _, exact in branches) / count

    def figure(name: str, value: float, unit: str) -> Figure:
        return Figure(name=f"soak.branches.{name}", value=value, unit=unit, spread=None, conditions=about)

    return [
        figure("exact", share, "of the frames"),
        figure("disk", session.disk_bytes / disk, "after/before"),
        figure("memory", after / held if held else 1.0, "after/before"),
        median_figure("soak.branches.open", seconds, "s", about),
    ]


def opening_figures(folder: Path, world: World, conditions: dict) -> list[Figure]:
    """Opens a closed session again."""
    began = time.perf_counter()
    with Session.open(folder, world, branch="main") as session:
        opened = time.perf_counter() - began
        _ = session.frame
        shown = time.perf_counter() - began
    named = {"open": opened, "open.frame": shown}
    return [
        Figure(name=f"soak.{name}", value=value, unit="s", spread=None, conditions=conditions)
        for name, value in named.items()
    ]


def verification_figures(folder: Path, world: World, ticks: int, conditions: dict, say: Say) -> list[Figure]:
    """Lives the last ticks of a closed session again from its log, all of them if `ticks` is -1."""
    replayer = Replayer(world, Archive(folder, write=False))
    end = replayer.archive.branch("main").end
    began = time.perf_counter()
    found = verify(replayer, "main", start=max(0, end - ticks) if ticks >= 0 else 0)
    about = conditions | {"verified": found.ticks, "snapshots": found.snapshots}
    say(found.sentence)
    rate = found.ticks / (time.perf_counter() - began)
    return [
        Figure(name="soak.verify.exact", value=float(found.exact), unit="exact", spread=None, conditions=about),
        Figure(name="soak.verify.rate", value=rate, unit="ticks/s", spread=None, conditions=about),
    ]


def _look(session: Session) -> tuple[float, ...]:
    """Returns what each look finds: bytes of both processes, of the disk, number of snapshots, bytes of the state."""
    snapshots = session.timeline().branches[0].snapshots
    return (
        float(resident_bytes() or 0),
        float(sum(resident_bytes(process) or 0 for process in _writers())),
        float(session.disk_bytes),
        float(len(snapshots)),
        float(tree_bytes(session.state)),
    )


def _writers() -> list[int]:
    """Returns the processes of this one that write snapshots."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        # Processes come and go while one looks.
        with contextlib.suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and snapshot_writer.__name__.encode() in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return found
