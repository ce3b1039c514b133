"""Damages the files of a finished session, and looks whether it still shows what was seen, or says that it cannot.

Where it says so, what can still be read is salvaged, as the sentence advises, and looked at in turn.
"""

import contextlib
import dataclasses
import io
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from oyster_jax.cli.main import main as oyster
from oyster_jax.session import keeper
from oyster_jax.session.errors import SessionError
from oyster_jax.session.salvage import Salvaged, salvage
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.world import World

#: Every kind of file of a session, and where such files lie in its folder.
KINDS = {
    "manifest": ("manifest*.json",),
    "ends": ("ends*.json",),
    "branch document": ("branches/*/branch*.json",),
    "log": ("branches/*/log", "branches/*/log.copy"),
    "prompt": ("prompt*.npz",),
    "lock": ("lock",),
    "snapshot seal": ("snapshots/*/*/seal.json",),
    "Orbax metadata": ("snapshots/*/*/_CHECKPOINT_METADATA", "snapshots/*/*/state/_METADATA"),
    "Orbax marks": ("snapshots/*/*/commit_success.txt", "snapshots/*/*/orbax.checkpoint"),
    "OCDBT manifest": ("snapshots/*/*/state/**/manifest.ocdbt",),
    "OCDBT data": ("snapshots/*/*/state/**/d/*",),
    "snapshot folder": ("snapshots/*/*",),
    "branch folder": ("branches/*",),
}
FOLDERS = ("snapshot folder", "branch folder")
SEVERAL = "several at once"
#: What may come of a damage. Of anything else a sentence is kept.
SAME, MENDED, WRONG = "same, without a word", "same, and told", "WRONG"
SALVAGED, REFUSED = "refused, salvaged", "refused for good"
#: The most seconds that opening a damaged session and looking around in it may take.
PATIENCE = 60.0
_BLOCK = 512

type Tell = Callable[[str], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Truth:
    """A finished session and what was seen in it.

    Attributes:
      folder: of the session.
      frames: of each branch from tick 0 to its end, uint8 `[ticks + 1, height, width, 3]`.
      after: of each branch, the frame that idling for one more tick shows.
      labels: branch, tick and text of each label.
    """

    folder: Path
    frames: dict[str, np.ndarray]
    after: dict[str, np.ndarray]
    labels: set[tuple[str, int, str]]


@dataclasses.dataclass(kw_only=True)
class Outcomes:
    """What came of all damages.

    Attributes:
      counts: how often, by kind of file and outcome.
      wrong: what should not have been, as sentences.
      slowest: seconds that the slowest session took to be opened and looked at.
      commands: how often `oyster session` was asked, by its exit code.
    """

    counts: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)
    wrong: list[str] = dataclasses.field(default_factory=list)
    slowest: float = 0.0
    commands: Counter[int] = dataclasses.field(default_factory=Counter)

    def table(self) -> str:
        """Returns the counts as lines of text."""
        columns = (SAME, MENDED, SALVAGED, REFUSED, WRONG)
        lines = [f"{'':18}" + "".join(f"{column:>22}" for column in columns)]
        for kind in (*KINDS, SEVERAL):
            counts = [self.counts[kind, column] for column in columns]
            lines += [f"{kind:18}" + "".join(f"{count or '':>22}" for count in counts)]
        totals = (sum(self.counts[kind, column] for kind in (*KINDS, SEVERAL)) for column in columns)
        return "\n".join([*lines, f"{'all':18}" + "".join(f"{total:>22}" for total in totals)])


def finished(folder: Path, world: World) -> Truth:
    """Lives a session with a prompt, branches, snapshots and labels to its end."""
    actions = np.random.default_rng(0).integers(world.spec.action.count, size=130).tolist()
    state = world.reset(1)
    seen = [world.render(state)]
    for action in actions[:4]:
        state, frame = world.tick(state, action)
        seen.append(np.asarray(frame))
    with (
        _often(),
        world.session(folder, prompt=(np.stack(seen), np.asarray(actions[:4], np.int32)), respawn=False) as session,
    ):
        frames = {"main": [session.frame, *map(session.step, actions)]}
        for name, at in (("branch-1", 70), ("branch-2", 90), ("branch-3", 0)):
            before = frames[session.branch_name][: at + 1]
            session.rewind(at)
            frames[name] = [*before, *map(session.step, actions[at // 2 : at // 2 + 45])]
            session.label(session.tick - 3, f"in {name}")
            session.flush()
        session.seek(60, branch="main")
        session.label(60, "before it all")
        branches = {line.name: line for line in session.timeline().branches}
        after = {name: _next(world, session, name, line.end) for name, line in branches.items()}
        labels = {(name, event.tick, event.text) for name, line in branches.items() for event in line.labels}
    return Truth(
        folder=folder, frames={name: np.stack(each) for name, each in frames.items()}, after=after, labels=labels
    )


def damage(
    truth: Truth, stored: Path, folder: Path, *, times: int, seed: int, every: int, tell: Tell = print
) -> Outcomes:
    """Damages copies of a session and looks at each.

    Args:
      truth: about the session.
      stored: folder of the world that it lives in.
      folder: for the copies.
      times: how many.
      seed: of the damages.
      every: which of them `oyster session` is asked about, too.
      tell: told of each.
    """
    outcomes, world, copy = Outcomes(), load(stored), folder / "copy"
    # The first look compiles.
    outcome, sentence = _look(truth, world, Path(shutil.copytree(truth.folder, copy)), random.Random(seed))
    if outcome != SAME:
        outcomes.wrong.append(f"Before any damage: {outcome}. {sentence}")
    shutil.rmtree(copy)
    for number in range(times):
        generator = random.Random(f"{seed} {number}")
        shutil.copytree(truth.folder, copy)
        done = [_damage_one(copy, generator) for _ in range(generator.choice((1, 1, 1, 2, 4)))]
        if number % every == 0:
            shutil.copytree(copy, folder / "second")
        kind = done[0][0] if len(done) == 1 else SEVERAL
        begin = time.monotonic()
        outcome, sentence = _look(truth, world, copy, generator)
        took = time.monotonic() - begin
        outcomes.slowest = max(outcomes.slowest, took)
        if outcome == REFUSED and "oyster session salvage" in sentence:
            outcome, sentence = _salvage(truth, world, copy, folder / "salvaged", sentence)
        if outcome != WRONG and number % every == 0:
            outcome, sentence = _ask(outcomes, stored, folder / "second", outcome, sentence)
        outcomes.counts[kind, outcome] += 1
        told = f"damage {number} ({'; '.join(f'{how} {path}' for _, how, path in done)}): {outcome}. {sentence}"
        tell(f"{told} {took:.1f} s")
        if outcome == WRONG:
            outcomes.wrong.append(told)
        for used in (copy, folder / "second", folder / "salvaged"):
            shutil.rmtree(used, ignore_errors=True)
    if outcomes.slowest > PATIENCE:
        outcomes.wrong.append(f"One session took {outcomes.slowest:.0f} s to be opened and looked at.")
    return outcomes


def _damage_one(folder: Path, generator: random.Random) -> tuple[str, str, str]:
    """Does one damage; returns the kind of file, what was done, and to which."""
    kind = generator.choice([*KINDS])
    paths = _paths(folder, kind) or _paths(folder, "manifest") or [folder / "lock"]
    path = generator.choice(paths)
    if kind in FOLDERS:
        how = generator.choice(("remove", "swap", "copy over"))
        _damage_folder(path, how, generator)
        return kind, how, str(path.relative_to(folder))
    how = generator.choice(("flip", "truncate", "delete", "swap", "zero"))
    both = generator.random() < 0.25
    for each in (path, _copy_of(path)) if both else (path,):
        if each.is_file():
            _damage_file(folder, each, how, generator)
    return kind, f"{how} both copies of" if both else how, str(path.relative_to(folder))


def _damage_file(folder: Path, path: Path, how: str, generator: random.Random) -> None:
    data = bytearray(path.read_bytes())
    place = generator.randrange(len(data) + 1)
    match how:
        case "flip" if place < len(data):
            data[place] ^= 1 << generator.randrange(8)
            path.write_bytes(data)
        case "truncate":
            path.write_bytes(data[:place])
        case "delete":
            path.unlink()
        case "swap":
            # With one of its kind as often as with any.
            kinds = [kind for kind in KINDS if path in _paths(folder, kind)] * 10 + [*KINDS]
            others = [p for p in _paths(folder, generator.choice(kinds)) if p.is_file() and p != path]
            _swap(path, generator.choice(others or [p for p in sorted(folder.rglob("*")) if p.is_file() and p != path]))
        case "zero":
            data[place : place + _BLOCK] = bytes(len(data[place : place + _BLOCK]))
            path.write_bytes(data)


def _damage_folder(path: Path, how: str, generator: random.Random) -> None:
    if how == "remove":
        shutil.rmtree(path)
        return
    snapshot = path.parent.parent.name == "snapshots"
    if snapshot and generator.random() < 0.5:
        # The place of another tick, lived or not.
        other = path.with_name(f"{generator.randrange(200):08d}")
    else:
        others = (path.parent.parent if snapshot else path.parent).glob("*/*" if snapshot else "*")
        other = generator.choice(sorted(others))
    if how == "swap" and other.exists() and other != path:
        _swap(path, other)
    elif other != path:
        shutil.rmtree(other, ignore_errors=True)
        shutil.copytree(path, other)


def _look(truth: Truth, world: World, folder: Path, generator: random.Random) -> tuple[str, str]:
    """Opens a damaged session and looks around in it; returns what came of it, with a sentence."""
    try:
        with Session.open(folder, world) as session:
            wrong = _differences(truth, session, generator)
            problems = session.problems
    except SessionError as error:
        return (REFUSED if f"{folder}/" in str(error) else WRONG), str(error)
    except Exception as error:  # noqa: BLE001  # That is what is looked for.
        return WRONG, f"{type(error).__name__}: {error}"
    return (WRONG, wrong) if wrong else (MENDED if problems else SAME, "")


def _salvage(truth: Truth, world: World, folder: Path, out: Path, sentence: str) -> tuple[str, str]:
    """Follows the advice of a refusal; returns what came of it, with a sentence."""
    before = _files(folder)
    try:
        salvaged = salvage(folder, out)
    except SessionError as error:
        # Nothing goes without the manifest.
        return (REFUSED if f"{folder}/manifest" in str(error) else WRONG), f"{sentence} {error}"
    try:
        with Session.open(out, world) as session:
            wrong = _salvaged_differences(truth, session, salvaged)
    except SessionError as error:
        # A recorded moment that is lost cannot be made again.
        wrong = "" if f"{out}/prompt" in str(error) else str(error)
    except Exception as error:  # noqa: BLE001  # What is salvaged has no other excuse.
        wrong = f"{type(error).__name__}: {error}"
    if _files(folder) != before:
        wrong = "the damaged session was changed"
    return (WRONG, f"After salvage: {wrong}. {sentence}") if wrong else (SALVAGED, sentence)


def _salvaged_differences(truth: Truth, session: Session, salvaged: Salvaged) -> str:
    whole = {name: len(frames) - 1 for name, frames in truth.frames.items()}
    lines = {line.name: line for line in session.timeline().branches}
    if salvaged.ends != {name: line.end for name, line in lines.items()}:
        return f"the branches do not end as it said, at {salvaged.ends}"
    for name, end in salvaged.ends.items():
        for tick in (end, end // 2):
            if end > whole[name] or not np.array_equal(session.seek(tick, branch=name), truth.frames[name][tick]):
                return f"tick {tick} of '{name}' is not what was seen"
    for name in whole:
        if salvaged.ends.get(name) != whole[name] and not any(f"'{name}'" in sentence for sentence in salvaged.lost):
            return f"it does not say what is lost of '{name}'"
    return ""


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _differences(truth: Truth, session: Session, generator: random.Random) -> str:
    lines = {line.name: line for line in session.timeline().branches}
    ends = {name: line.end for name, line in lines.items()}
    if ends != (said := {name: len(frames) - 1 for name, frames in truth.frames.items()}):
        return f"the branches end at {ends}, not at {said}"
    if truth.labels != {(name, event.tick, event.text) for name, line in lines.items() for event in line.labels}:
        return "labels are missing"
    moments = [*ends.items(), *((name, generator.randrange(end + 1)) for name, end in ends.items())]
    generator.shuffle(moments)
    for name, tick in moments:
        if not np.array_equal(session.seek(tick, branch=name), truth.frames[name][tick]):
            return f"tick {tick} of '{name}' is not what was seen"
    name = generator.choice([*ends])
    session.seek(ends[name], branch=name)
    if not np.array_equal(session.step(session.world.spec.action.idle), truth.after[name]):
        return f"'{name}' does not go on as it would have"
    return ""


def _ask(outcomes: Outcomes, stored: Path, folder: Path, outcome: str, sentence: str) -> tuple[str, str]:
    """Asks `oyster session` about a session; returns the outcome, changed where its answer does not fit."""
    for arguments in (["show", str(folder)], ["verify", str(folder), "--world", str(stored)]):
        out, err = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = oyster(["session", *arguments])
        except Exception as error:  # noqa: BLE001  # The command must not show a traceback.
            return WRONG, f"oyster session {arguments[0]}: {type(error).__name__}: {error}"
        outcomes.commands[code] += 1
        told = err.getvalue()
        if code not in (0, 2) or "Traceback" in told or (code == 2 and f"{folder}/" not in told):
            return WRONG, f"oyster session {arguments[0]} ended with {code}: {out.getvalue()}{told}"
        if arguments[0] == "verify" and outcome not in (REFUSED, SALVAGED) and code == 2 and "prompt" not in told:
            return WRONG, f"oyster session verify refused what can be opened: {told}"
    return outcome, sentence


def _next(world: World, session: Session, branch: str, end: int) -> np.ndarray:
    session.seek(end, branch=branch)
    return np.asarray(world.tick(session.state, world.spec.action.idle)[1])


def _paths(folder: Path, kind: str) -> list[Path]:
    return sorted(path for pattern in KINDS[kind] for path in folder.glob(pattern))


def _copy_of(path: Path) -> Path:
    """Returns the other one of two equal files."""
    if path.suffix in (".json", ".npz"):
        stem = path.name.split(".")[0]
        return path.with_name(f"{stem}{path.suffix}" if ".copy" in path.name else f"{stem}.copy{path.suffix}")
    return path.with_name("log" if path.name == "log.copy" else "log.copy")


def _swap(one: Path, other: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


@contextlib.contextmanager
def _often() -> Iterator[None]:
    """Has a snapshot taken every twenty ticks."""
    before = keeper.SNAPSHOT_SECONDS, keeper.SNAPSHOT_TICKS
    keeper.SNAPSHOT_SECONDS, keeper.SNAPSHOT_TICKS = 0.0, 20
    try:
        yield
    finally:
        keeper.SNAPSHOT_SECONDS, keeper.SNAPSHOT_TICKS = before


def outcome(outcomes: Outcomes, tell: Tell = print) -> bool:
    """Tells what was found; returns whether nothing was silently wrong."""
    tell(outcomes.table())
    commands = ", ".join(f"{count} times {code}" for code, count in sorted(outcomes.commands.items()))
    tell(f"`oyster session show` and `verify` ended with {commands}. The slowest look took {outcomes.slowest:.1f} s.")
    for sentence in outcomes.wrong:
        tell(sentence)
    return not outcomes.wrong
