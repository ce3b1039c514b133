"""Proves that sessions lose nothing, that no frame is silently wrong, that training and generating survive.

    tools/torture kill            kill -9 at random moments, 100 times in a row on one session
    tools/torture damage          250 random damages to the files of a finished session, in each kind of file
    tools/torture full            a disk that fills up while a session is lived, and is freed again
    tools/torture generate        kill -9 at ten random moments of one generation, with one device and with eight
    tools/torture meshes          the same training on 1 device, 8 devices cut in three ways, and 4 processes in two
    tools/torture launch          a run of 4 processes, killed ten times in a row, hung and stopped

Each prints what it did and found, and ends with 1 if anything was lost, refused or shown that should not have been.
"""

import contextlib
import dataclasses
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import torture_damage
import torture_full
import torture_generate
import torture_kill
import torture_launch
import torture_meshes
import torture_runs
import tyro

from oyster_jax.parallel.tpu import quiet_without_tpu
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.storage import save_world

TINY = {"name": "tiny", "licence": "Apache-2.0", "training": {}, "figures": {}}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kill:
    """Kills a living session with SIGKILL at random moments, opens it again each time, and replays it at last."""

    times: Annotated[int, tyro.conf.arg(metavar="N")] = 100
    """How often."""
    seed: int = 0
    """Of when, and of what is lived."""
    world: Path | None = None
    """Folder of the world, a tiny one with random weights unless given."""
    folder: Path | None = None
    """Where to keep the session, which must not be there yet; a temporary one unless given."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Damage:
    """Damages copies of a finished session at random, and compares every frame with what was seen before."""

    times: Annotated[int, tyro.conf.arg(metavar="N")] = 250
    """How many copies."""
    seed: int = 0
    """Of the damages."""
    every: Annotated[int, tyro.conf.arg(metavar="N")] = 10
    """Which of the copies `oyster session` is asked about, too: every so many."""
    world: Path | None = None
    """Folder of the world, a tiny one with random weights unless given."""
    folder: Path | None = None
    """Where to keep the session, which must not be there yet; a temporary one unless given."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Full:
    """Fills a small disk, or the room that files may take where none can be mounted, under a living session."""

    seed: int = 0
    """Of what is lived."""
    world: Path | None = None
    """Folder of the world, a tiny one with random weights unless given."""
    folder: Path | None = None
    """Where to keep the session, which must not be there yet; a temporary one unless given."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Generate:
    """Kills a generation with SIGKILL at random moments, goes on each time, and compares it with an undisturbed one."""

    times: Annotated[int, tyro.conf.arg(metavar="N")] = 10
    """How often."""
    seed: int = 0
    """Of when."""
    world: Path | None = None
    """Folder of the world, a tiny one with random weights unless given."""
    folder: Path | None = None
    """Where to keep both generations, which must not be there yet; a temporary one unless given."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Meshes:
    """Trains `configs/coinrun_tiny.py` on different meshes, and compares the losses of all steps."""

    steps: Annotated[int, tyro.conf.arg(metavar="N")] = 200
    """Of the tokenizer, and of the dynamics."""
    folder: Path | None = None
    """Where to keep the runs, which must not be there yet; a temporary one unless given."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Launch:
    """Kills processes of a run of several with SIGKILL, hangs and stops them, and compares with a run left alone."""

    times: Annotated[int, tyro.conf.arg(metavar="N")] = 10
    """How many kills; a third of them hit the coordinator."""
    steps: Annotated[int, tyro.conf.arg(metavar="N")] = 200
    """Of the tokenizer, and of the dynamics."""
    processes: Annotated[int, tyro.conf.arg(metavar="N")] = 4
    """How many work on the run."""
    seed: int = 0
    """Of when and who."""
    folder: Path | None = None
    """Where to keep the runs, which must not be there yet; a temporary one unless given."""


type Command = (
    Annotated[Kill, tyro.conf.subcommand("kill")]
    | Annotated[Damage, tyro.conf.subcommand("damage")]
    | Annotated[Full, tyro.conf.subcommand("full")]
    | Annotated[Generate, tyro.conf.subcommand("generate")]
    | Annotated[Meshes, tyro.conf.subcommand("meshes")]
    | Annotated[Launch, tyro.conf.subcommand("launch")]
)


def run_kill(command: Kill, world: Path, folder: Path) -> bool:
    """Returns whether all was well."""
    losses = torture_kill.kill(world, folder, times=command.times, seed=command.seed)
    ticks, snapshots = torture_kill.replays(world, folder / "session", losses)
    print(torture_kill.outcome(losses, ticks, snapshots))
    return losses.fine


def run_damage(command: Damage, world: Path, folder: Path) -> bool:
    """Returns whether all was well."""
    truth = torture_damage.finished(folder / "session", load(world))
    outcomes = torture_damage.damage(truth, world, folder, times=command.times, seed=command.seed, every=command.every)
    return torture_damage.outcome(outcomes)


def run_full(command: Full, world: Path, folder: Path) -> bool:
    """Returns whether all was well."""
    found = []
    with torture_full.small_disk(folder) as disk:
        if disk is None:
            print("No file system can be mounted here, so none fills up.")
        else:
            found.append(torture_full.starve(world, disk, folder / "noise", seed=command.seed))
    limited = folder / "limited"
    limited.mkdir()
    found.append(torture_full.starve(world, torture_full.ShortFiles(limited), folder / "noise", seed=command.seed))
    for one in found:
        print(one.sentence)
    return all(one.losses.fine for one in found)


def run_generate(command: Generate, world: Path, folder: Path) -> bool:
    """Returns whether all was well."""
    outcome = torture_generate.kill(world, folder, times=command.times, seed=command.seed)
    print(outcome.sentence)
    return outcome.fine


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _world(given: Path | None, folder: Path) -> Path:
    if given is not None:
        return given
    save_world(folder / "world", tiny_model(), tiny_params(), TINY)
    return folder / "world"


def main() -> int:
    """Runs the command that the arguments name."""
    command = tyro.cli(Command, description=__doc__)  # pyright: ignore[reportArgumentType]
    begin = time.monotonic()
    with _folder(command.folder) as folder:
        match command:
            case Kill():
                fine = run_kill(command, _world(command.world, folder), folder)
            case Damage():
                fine = run_damage(command, _world(command.world, folder), folder)
            case Full():
                fine = run_full(command, _world(command.world, folder), folder)
            case Generate():
                fine = run_generate(command, _world(command.world, folder), folder)
            case Meshes():
                fine = torture_meshes.compare(folder, steps=command.steps)
            case Launch():
                kinds = torture_launch.disturbances(command.times)
                fine = torture_launch.torture(
                    folder, kinds=kinds, processes=command.processes, seed=command.seed,
                    options=torture_runs.lengths(command.steps),
                )  # fmt: skip
    print(f"It took {time.monotonic() - begin:.0f} s.", file=sys.stderr)
    return 0 if fine else 1


if __name__ == "__main__":
    quiet_without_tpu()
    raise SystemExit(main())
