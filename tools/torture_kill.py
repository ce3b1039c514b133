"""Kills a living session again and again, and looks what is left of it."""

import dataclasses
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torture_life import BEGIN, LABEL, OPENED, STEP, TURN, Life

from oyster_jax.session.archive import Archive, is_session
from oyster_jax.session.branch import Branch, frame_digest
from oyster_jax.session.journal import LOSS_SECONDS
from oyster_jax.session.replayer import Replayer
from oyster_jax.session.verification import verify
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.world import World

#: Until when a life is let alone, and for how many seconds at most after that.
AIMS: dict[str, tuple[Callable[[Life, Path], bool], float]] = {
    "opening": (lambda life, _: life.has_told(BEGIN), 1.0),
    "living": (lambda life, _: life.has_told(STEP), 2.0),
    "turning": (lambda life, _: life.has_told(TURN), 0.02),
    "snapshot": (lambda life, folder: life.has_told(OPENED) and any(folder.glob("snapshots/*/.*")), 0.1),
}
#: Seconds that the process for snapshots of the life killed last may take to end.
_ENDING = 60.0


@dataclasses.dataclass(kw_only=True)
class Losses:
    """What the kills of one session have cost.

    Attributes:
      kills: by what the session was doing.
      refused: sentences with which a session would not open any more.
      wrong: whatever else should not be, as sentences.
      ticks: the most that one kill has cost.
      milliseconds: the longest part of a life that one kill has cost.
      ends: how far every branch had come when it was looked at last.
      labels: that were on the disk, by their branch and text.
    """

    kills: Counter[str] = dataclasses.field(default_factory=Counter)
    refused: list[str] = dataclasses.field(default_factory=list)
    wrong: list[str] = dataclasses.field(default_factory=list)
    ticks: int = 0
    milliseconds: float = 0.0
    ends: dict[str, int] = dataclasses.field(default_factory=dict)
    labels: set[tuple[str, str]] = dataclasses.field(default_factory=set)

    @property
    def fine(self) -> bool:
        """Whether every reopening succeeded and nothing was lost that must not be."""
        return not self.refused and not self.wrong and self.milliseconds < 1000 * LOSS_SECONDS


def kill(world: Path, folder: Path, *, times: int, seed: int, tell: Callable[[str], None] = print) -> Losses:
    """Kills lives of one session, one after the other, and looks at it after each.

    Args:
      world: folder of the world.
      folder: of the session and of what it says on its standard error, `noise`.
      times: how often.
      seed: of when and what.
      tell: told of every kill.
    """
    generator, losses, session = random.Random(seed), Losses(), folder / "session"
    for number in range(times):
        aim = generator.choice([*AIMS])
        reached, delay = AIMS[aim]
        life = Life(world, session, generator.getrandbits(32), folder / "noise")
        try:
            life.wait(lambda life, reached=reached: reached(life, session))
            time.sleep(generator.uniform(0, delay))
        except RuntimeError as error:
            losses.refused.append(f"kill {number}: {error}")
            life.kill()
            break
        ended = life.kill()
        losses.kills[aim] += 1
        look(life, session, losses, ended)
        tell(f"kill {number + 1} ({aim}): {losses.ends}; worst loss {losses.ticks} ticks, {losses.milliseconds:.0f} ms")
    return losses


def look(life: Life, folder: Path, losses: Losses, ended: float) -> None:
    """Compares what is on the disk with what a life told before it was killed."""
    steps = life.told(STEP)
    if not is_session(folder):
        if steps or losses.ends:
            losses.wrong.append(f"{folder} is no session any more.")
        return
    try:
        archive = Archive(folder, write=False)
    except ValueError as error:
        losses.refused.append(str(error))
        return
    branches = archive.branches
    floor = losses.ends.copy()
    first_lost: dict[str, tuple[int, float]] = {}
    for name, tick, durable, digest, when, _ in steps:
        floor[name] = max(floor.get(name, 0), int(durable))
        if name in branches and int(tick) <= branches[name].end:
            if branches[name].at < int(tick) and branches[name].digest(int(tick)).hex() != digest:
                losses.wrong.append(f"tick {tick} of '{name}' does not have the digest in the log that was seen.")
        else:
            first_lost.setdefault(name, (int(tick), float(when)))
            losses.milliseconds = max(losses.milliseconds, 1000 * (ended - first_lost[name][1]))
            losses.ticks = max(losses.ticks, int(tick) - first_lost[name][0] + 1)
    for name, tick in floor.items():
        if name not in branches or branches[name].end < tick:
            found = branches[name].end if name in branches else "nothing"
            losses.wrong.append(f"tick {tick} of '{name}' was on the disk, but now there is {found}.")
    losses.labels |= {(name, text) for name, text in life.told(LABEL)}
    kept = {(branch.name, event.text) for branch in branches.values() for event in branch.events}
    losses.wrong += [f"The label {text} of '{name}' is gone." for name, text in losses.labels - kept]
    losses.ends = {branch.name: branch.end for branch in branches.values()}


def replays(world: Path, folder: Path, losses: Losses) -> tuple[int, int]:
    """Lives a session again, in two ways: as `oyster session verify` does, and as a world without any session does.

    Args:
      world: folder of the world.
      folder: of the session.
      losses: told of every difference.

    Returns:
      How many ticks were compared, and how many snapshots.
    """
    loaded, snapshots = load(world), 0
    with Session.open(folder, loaded) as session:
        losses.wrong += [problem for problem in session.problems if "snapshot" in problem]
    archive = Archive(folder, write=False)
    for name in archive.branches:
        found = verify(Replayer(loaded, archive), name)
        snapshots += found.snapshots
        if not found.exact:
            losses.wrong.append(found.sentence)
    ticks = _uninterrupted(loaded, archive, losses)
    deadline = time.monotonic() + _ENDING
    while (left := [*folder.rglob(".*")]) and time.monotonic() < deadline:
        time.sleep(0.1)
    losses.wrong += [f"{path} was left over." for path in left]
    return ticks, snapshots


def _uninterrupted(world: World, archive: Archive, losses: Losses) -> int:
    """Ticks a world from its reset through all branches, and compares with the log; returns how many ticks."""
    branches = archive.branches.values()
    states, ticks = {(branch.parent or "", branch.at): world.reset(3) for branch in branches if not branch.at}, 0
    for branch in sorted(branches, key=lambda branch: _depth(archive, branch)):
        state = states[branch.parent or "", branch.at]
        leaving = {child.at for child in branches if child.parent == branch.name}
        for tick, action in enumerate(branch.actions(branch.at, branch.end).tolist(), branch.at + 1):
            state, frame = world.tick(state, action)
            ticks += 1
            if frame_digest(np.asarray(frame)) != branch.digest(tick):
                losses.wrong.append(f"tick {tick} of '{branch.name}' is not what an uninterrupted run shows.")
                break
            if tick in leaving:
                states[branch.name, tick] = state
    return ticks


def _depth(archive: Archive, branch: Branch) -> int:
    return 0 if branch.parent is None else 1 + _depth(archive, archive.branches[branch.parent])


def outcome(losses: Losses, ticks: int, snapshots: int) -> str:
    """Returns what was found, for people."""
    kinds = ", ".join(f"{count} while {aim}" for aim, count in sorted(losses.kills.items()))
    cost = f"{losses.ticks} ticks, {losses.milliseconds:.0f} ms of a life, of at most {1000 * LOSS_SECONDS:.0f}"
    if losses.fine:
        same = f"{len(losses.ends)} branches with {ticks} ticks equal an uninterrupted run"
        found = [
            f"{same}; {snapshots} snapshots equal the replay.",
            f"The worst loss was {cost}; nothing that was told to be on the disk was lost.",
        ]
    else:
        found = ["NOT FINE:", *losses.refused, *losses.wrong, f"The worst loss was {cost}."]
    return "\n".join([f"{losses.kills.total()} kills: {kinds}.", *found])
