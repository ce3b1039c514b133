"""`oyster session`: living in a world; what was lived looked at, lived again, branched, checked and exported."""

import dataclasses
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from oyster_jax.cli.errors import UsageError

if TYPE_CHECKING:
    from oyster_jax.session.export import Span
    from oyster_jax.session.replayer import Replayer
    from oyster_jax.worlds.world import World


@dataclasses.dataclass(frozen=True, kw_only=True)
class List:
    """Lists the sessions in a folder."""

    path: tyro.conf.Positional[Path | None] = None
    """The folder; unless given, the user's own for sessions, and the one in which players began some."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _OfSession:
    """What the verbs about one session share."""

    path: tyro.conf.Positional[Path]
    """The folder of the session."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Show(_OfSession):
    """Shows a session: its world, its times, its tree of branches, its labels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _InWorld(_OfSession):
    """What the verbs share that compute frames."""

    world: str | None = None
    """Name or folder of the world that it began with, if that is not installed under its name any more."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Live(_InWorld):
    """Begins a session, or goes on with the one that is there, under a script of actions."""

    actions: str
    """What to do, as in `right*30,right+jump*6`."""
    seed: int = 0
    """Of a session that begins; one that goes on has its own."""
    branch: str = ""
    """The branch to go on at the end of; without, the session goes on where it was left."""
    extend: Annotated[float | None, tyro.conf.arg(metavar="SECONDS")] = None
    """World time to give it beyond what it had; half an hour is what a session begins with."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Branch(_InWorld):
    """Makes a branch that leaves another at a tick; whoever opens the session next can go on there."""

    at: Annotated[int, tyro.conf.arg(metavar="TICK")]
    """Where it leaves."""
    parent: Annotated[str, tyro.conf.arg(name="from")] = "main"
    """The branch that it leaves."""
    name: str | None = None
    """Of the branch, `branch-1` and so on unless given."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verify(_InWorld):
    """Lives a session again from its log, and says whether every frame comes out bit for bit, or how nearly."""

    branch: str | None = None
    """One branch only, all of them unless given."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Salvage(_OfSession):
    """Puts what can still be read of a damaged session into a new folder; the damaged one stays as it is."""

    out: tyro.conf.Positional[Path]
    """The new folder."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Part(_InWorld):
    """What the verbs share that go through a part of a session."""

    branch: str | None = None
    """Which branch, the one that the session was left on unless given; what it shares with others counts as its own."""
    start: Annotated[int, tyro.conf.arg(metavar="TICK")] = 0
    """The first tick."""
    stop: Annotated[int | None, tyro.conf.arg(metavar="TICK")] = None
    """The last tick, that of the branch unless given."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replay(_Part):
    """Lives a part of a session again: in the terminal at the world's pace, or, without one, as fast as it goes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export(_Part):
    """Writes a part of a session as a clip, as arrays or as a table of its events."""

    out: Path
    """Where to: .mp4 or .webp (a clip), .npz (frames and actions, exactly) or .jsonl (a line a tick and event)."""
    captions: bool = True
    """Write the action of every tick into the frames of a clip."""


type Config = (
    Annotated[Live, tyro.conf.subcommand("live")]
    | Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Show, tyro.conf.subcommand("show")]
    | Annotated[Replay, tyro.conf.subcommand("replay")]
    | Annotated[Branch, tyro.conf.subcommand("branch")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Salvage, tyro.conf.subcommand("salvage")]
)


def main(config: Config) -> int:
    """Does what was asked; 1 where one that was to be verified differs by a bit, or one of a list is damaged.

    Raises:
      SessionError, WorldError, UsageError: something about the request or the session is wrong.
    """
    match config:
        case Live():
            return _live(config)
        case List():
            return _list(config)
        case Show():
            return _show(config)
        case Replay():
            return _replay(config)
        case Branch():
            return _branch(config)
        case Verify():
            return _verify(config)
        case Export():
            return _export(config)
        case Salvage():
            return _salvage(config)


def _live(config: Live) -> int:
    from oyster_jax.cli.opening import open_world
    from oyster_jax.session.archive import Archive, is_session
    from oyster_jax.worlds.session import Session

    goes_on = is_session(config.path)
    name = config.world or (Archive(config.path, write=False).manifest["world"] if goes_on else "coinrun")
    world = open_world(name)
    try:
        actions = world.spec.action.script(config.actions)
    except ValueError as error:
        raise UsageError(str(error)) from error
    with (
        Session.open(config.path, world, branch=config.branch)
        if goes_on
        else world.session(config.path, seed=config.seed)
    ) as session:
        if config.extend is not None:
            session.extend(config.extend)
        begin, ticks = time.perf_counter(), session.run(actions)
        speed = ticks / (time.perf_counter() - begin)
        print(f"Lived {ticks} ticks in {config.path}, at {speed:.1f} ticks/s. {session.status.sentence}")
        _tell_problems(session.problems)
    return 0


def _list(config: List) -> int:
    from oyster_jax.cli.serve import data_folder
    from oyster_jax.session.archive import Archive, is_session
    from oyster_jax.session.errors import SessionError
    from oyster_jax.worlds.registry import data_home

    own = (data_home() / "sessions", data_folder() / "sessions")
    folders = own if config.path is None else (config.path,)
    found = [path for folder in folders for path in (folder, *sorted(folder.glob("*"))) if is_session(path)]
    if not found:
        print(f"There is no session in {' or '.join(map(str, folders))}.")
    damaged = False
    for path in found:
        try:
            archive = Archive(path, write=False)
        except SessionError as error:
            print(f"{path}: {error}", file=sys.stderr)
            damaged = True
            continue
        ticks, size = archive.branches["main"].end, archive.disk_bytes / 2**20
        print(f"{path}: {archive.manifest['world']}, {ticks} ticks, {len(archive.branches)} branches, {size:.1f} MiB")
    return 1 if damaged else 0


def _show(config: Show) -> int:
    from oyster_jax.session.archive import Archive
    from oyster_jax.session.branch import latest_of
    from oyster_jax.session.timeline import timeline_of

    archive = Archive(config.path, write=False)
    manifest, latest = archive.manifest, latest_of(archive.branches.values())
    rate = manifest["spec"]["frame"]["rate"]
    began = "a recorded moment" if manifest["prompt"] else f"seed {manifest['seed']}"
    print(f"{config.path}: {manifest['world']} ({manifest['digest']}), from {began}")
    print(
        f"lived on '{latest.name}' last, to tick {latest.end}: {latest.end / rate:.1f} s of world time of "
        f"{manifest['max_duration']:g} s, {latest.lived(latest.end) or 0.0:.1f} s of wall time; "
        f"{archive.disk_bytes / 2**20:.1f} MiB on the disk"
    )
    print(timeline_of(archive).draw())
    _tell_problems(archive.problems)
    return 0


def _replay(config: Replay) -> int:
    world, replayer = _opened(config)
    span = _span(config, replayer)
    moments = replayer.replay(span.branch, span.start, span.stop)
    if sys.stdout.isatty():
        _watch(moments, world.spec.frame.rate)
    else:
        begin, count = time.perf_counter(), sum(1 for _ in moments) - 1
        speed = count / (time.perf_counter() - begin)
        print(
            f"Lived {count} ticks of '{span.branch}' again, from {span.start} to {span.stop}, at {speed:.1f} ticks/s."
        )
    _tell_problems(replayer.archive.problems)
    return 0


def _watch(moments: Any, rate: float) -> None:
    import shutil

    from oyster_jax.cli.screen import Screen

    screen = Screen()
    for moment in moments:
        due = time.monotonic() + 1 / rate
        print(screen.draw(moment.frame, [f"tick {moment.tick}"], *shutil.get_terminal_size()), end="", flush=True)
        time.sleep(max(0.0, due - time.monotonic()))
    print()


def _branch(config: Branch) -> int:
    from oyster_jax.cli.opening import open_world
    from oyster_jax.session.archive import Archive
    from oyster_jax.worlds.session import Session

    name = config.world or Archive(config.path, write=False).manifest["world"]
    with Session.open(config.path, open_world(name), branch=config.parent) as session:
        branch = session.branch(config.at, name=config.name)
        branch.close()
        print(f"'{branch.branch_name}' leaves '{config.parent}' at tick {config.at}.")
    return 0


def _verify(config: Verify) -> int:
    from oyster_jax.session.verification import verify

    _, replayer = _opened(config)
    names = list(replayer.archive.branches) if config.branch is None else [config.branch]
    found = []
    for name in names:
        found.append(verify(replayer, name))
        print(found[-1].sentence, flush=True)
    _tell_problems(replayer.archive.problems)
    return 0 if all(one.exact for one in found) else 1


def _export(config: Export) -> int:
    from oyster_jax.session.export import export

    world, replayer = _opened(config)
    span, spec = _span(config, replayer), world.spec
    export(replayer, span, config.out, actions=spec.action, rate=spec.frame.rate, captions=config.captions)
    print(f"Wrote {config.out}: ticks {span.start} to {span.stop} of '{span.branch}'.")
    _tell_problems(replayer.archive.problems)
    return 0


def _salvage(config: Salvage) -> int:
    from oyster_jax.session.salvage import salvage

    salvaged = salvage(config.path, config.out)
    ends = ", ".join(f"'{name}' to tick {end}" for name, end in salvaged.ends.items())
    print(f"Wrote {config.out}: {ends}.")
    _tell_problems(salvaged.lost)
    return 0


def _opened(config: _InWorld) -> "tuple[World, Replayer]":
    """Opens a session to look at it; whoever lives in it meanwhile is not disturbed."""
    from oyster_jax.cli.opening import open_world
    from oyster_jax.session.archive import Archive
    from oyster_jax.session.replayer import Replayer
    from oyster_jax.worlds.identity import check_world

    archive = Archive(config.path, write=False)
    world = open_world(config.world or archive.manifest["world"])
    check_world(archive, world)
    return world, Replayer(world, archive)


def _span(config: _Part, replayer: "Replayer") -> "Span":
    from oyster_jax.session.branch import left_at
    from oyster_jax.session.export import Span

    branches = replayer.archive.branches
    branch = config.branch or left_at(branches.values())[0]
    stop = replayer.archive.branch(branch).end if config.stop is None else config.stop
    if not 0 <= config.start <= stop:
        raise UsageError(f"--start {config.start} must not lie behind --stop {stop}, nor before tick 0.")
    return Span(branch=branch, start=config.start, stop=stop)


def _tell_problems(problems: Any) -> None:
    for problem in problems:
        print(problem, file=sys.stderr)
