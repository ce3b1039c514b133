"""Finds the state of any tick of a session: from the nearest sound snapshot, along the log."""

import dataclasses
import functools
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import jax
import numpy as np

from oyster_jax.core.model import WorldModel
from oyster_jax.core.state import Status, WorldState
from oyster_jax.prng import named_key
from oyster_jax.session.archive import Archive
from oyster_jax.session.branch import UNKNOWN, Branch, frame_digest
from oyster_jax.session.errors import SessionError
from oyster_jax.session.intervention import CUT, Intervention, plain
from oyster_jax.session.keeper import Keeper
from oyster_jax.session.moment import Moment
from oyster_jax.session.prompt import PROMPTS, cut_names, read_prompt


class LivingWorld(Protocol):
    """What a session asks of a world; `worlds.world.World` is one."""

    @property
    def model(self) -> WorldModel:
        """The model, without parameters."""
        ...

    @property
    def params(self) -> Any:
        """Its parameters."""
        ...

    def reset(self, seed: int = 0, *, key: Any = None) -> WorldState:
        """Dreams a world from nothing."""
        ...

    def encode(self, frames: np.ndarray | None, actions: Any, seed: int = 0, *, entities: Any = None) -> WorldState:
        """Returns the state of a world in which `frames` have been seen, or that begins as `entities` describes it."""
        ...

    def intervened(self, state: WorldState, kind: str, given: Any, *, lenient: bool = False) -> WorldState:
        """Returns the state after an intervention; `lenient` where it was logged, and so has been done once."""
        ...

    def tick(self, state: WorldState, action: Any, *, donate: bool = False) -> tuple[WorldState, Any]:
        """Returns the state one tick later and its frame."""
        ...

    def render(self, state: WorldState) -> np.ndarray:
        """Returns the frame that the state shows."""
        ...


class Replayer:
    """Computes moments of a session.

    Args:
      world: that the session lives in.
      archive: of the session.

    Attributes:
      keeper: of snapshots along the ticks that were computed last; whoever lives on from there goes on with it.
    """

    def __init__(self, world: LivingWorld, archive: Archive):
        self.world, self.archive, self.keeper = world, archive, Keeper(archive)
        self._seed, self._respawn = int(archive.manifest["seed"]), bool(archive.manifest["respawn"])

    def begin(self) -> Moment:
        """Returns tick 0.

        Raises:
          SessionError: the session began from a recorded moment, and both of its copies are damaged.
        """
        state = self._begun(self.archive.manifest, PROMPTS)
        return Moment(tick=0, state=state, frame=self.world.render(state))

    def next(self, moment: Moment, action: int) -> Moment:
        """Returns the moment one tick later; the state of the one given is used up.

        A world that predicted its end begins anew: the tick then shows the first frame of another dream, whatever the
        action, as the recorded game does.
        """
        tick = moment.tick + 1
        if self._ends(moment):
            key = jax.random.fold_in(named_key(jax.random.key(self._seed), "respawn"), tick)
            state = self.world.reset(key=key)
            return Moment(tick=tick, state=state, frame=self.world.render(state))
        state, frame = self.world.tick(moment.state, action, donate=True)
        return Moment(tick=tick, state=state, frame=np.asarray(frame))

    def intervene(self, moment: Moment, kind: str, given: Any) -> tuple[Moment, Intervention]:
        """Returns the moment after something is done to it for the first time, and the entry for the log.

        Raises:
          SessionError: it does not fit into the log, or the next tick begins another dream, and it would be lost.
          WorldError: the world cannot do it.
        """
        if kind != CUT and self._ends(moment):
            raise SessionError("The world has ended here, and the next tick begins another; live that one first.")
        given = plain(given)
        later = self._intervened(moment, kind, given)
        return later, Intervention.of(kind, given, moment.tick, frame_digest(later.frame))

    def redo(self, moment: Moment, intervention: Intervention) -> Moment:
        """Returns the moment after something was done to it."""
        return self._intervened(moment, intervention.kind, intervention.given, lenient=True)

    def redone(self, branch: str, moment: Moment) -> Moment:
        """Returns a moment as it was when the branch went on from it: with all that was done since the tick came."""
        for intervention in self.interventions(branch, moment.tick)[moment.done :]:
            moment = self.redo(moment, intervention)
            if intervention.digest != frame_digest(moment.frame).hex():
                self.archive.exact = False
                self.archive.report(
                    f"What was done at tick {moment.tick} of '{branch}' does not look as it did then, bit for bit."
                )
        return moment

    def at(self, branch: str, tick: int) -> Moment:
        """Returns the moment of a tick, whose frame is, bit for bit, that which was seen there last.

        Another processor, or other versions, may not compute the same bits: where the frame does not have the digest in
        the log, that becomes a problem of the archive. Snapshots that are missing on the way, because they were lost or
        never written, are made up for where the replay is what was lived.

        Raises:
          SessionError: there is no such tick, or neither a snapshot nor the beginning can be read.
        """
        return self.redone(branch, self.came(branch, tick))

    def came(self, branch: str, tick: int) -> Moment:
        """Returns the moment of a tick as it came, before anything was done to it; see `at`."""
        moment = self._nearest(branch, tick)
        self.keeper.restart()
        exact = self.archive.exact
        for action in self.actions(branch, moment.tick, tick).tolist():
            moment, begin = self.redone(branch, moment), time.perf_counter()
            moment = self.next(moment, action)
            owner, took = self.owner(branch, moment.tick), time.perf_counter() - begin
            exact = exact and self.archive.exact and _is_as_lived(owner, moment)
            if exact:
                self.keeper.add(owner.name, moment, took)
        self._check(branch, moment)
        return moment

    def replay(self, branch: str, start: int = 0, stop: int | None = None) -> Iterator[Moment]:
        """Yields every moment from `start` to `stop` (the branch's end), both included; each uses the last one up.

        The first whose frame does not have the digest in the log becomes a problem of the archive.
        """
        moment = self.at(branch, start)
        yield moment
        fine = True
        for action in self.actions(branch, start, self.archive.branch(branch).end if stop is None else stop).tolist():
            moment = self.next(moment, action)
            fine = fine and self._check(branch, moment)
            moment = self.redone(branch, moment)
            yield moment

    def snapshot(self, branch: str, tick: int) -> Moment | None:
        """Returns the moment that a snapshot of a branch holds, None if that is damaged."""
        loaded = self.archive.snapshots.load(branch, tick, self._like)
        return None if loaded is None else Moment(tick=tick, state=loaded[0], frame=loaded[1])

    def owner(self, branch: str, tick: int) -> Branch:
        """Returns the branch on which a tick was lived: the one given or the nearest of those that it comes from.

        Raises:
          SessionError: it was not lived there.
        """
        found = self.archive.branch(branch)
        if not 0 <= tick <= found.end:
            raise SessionError(f"Tick {tick} was never lived on the branch '{branch}': it has ticks 0 to {found.end}.")
        while found.parent is not None and tick <= found.at:
            found = self.archive.branches[found.parent]
        return found

    def actions(self, branch: str, start: int, stop: int) -> np.ndarray:
        """Returns the actions, int32, that led from tick `start` to tick `stop` on a branch and those it comes from."""
        parts = []
        while stop > start:
            owner = self.owner(branch, stop)
            begin = max(start, owner.at)
            parts.append(owner.actions(begin, stop))
            stop = begin
        return np.concatenate([np.zeros(0, np.int32), *reversed(parts)])

    def interventions(self, branch: str, start: int, stop: int | None = None) -> list[Intervention]:
        """Returns what was done on a branch and those it comes from, at a tick or from one to another, in order."""
        return [done for _, own in self._doings(branch, start, start if stop is None else stop) for done in own]

    def branch_off(self, branch: str, tick: int, done: int | None = None, name: str | None = None) -> str:
        """Makes a branch, and returns its name.

        Args:
          branch: that is lived on.
          tick: of it, at which the new one leaves.
          done: how many of the `interventions` of that tick come before, all of them unless given.
          name: of the new one, `branch-1` and so on unless given.

        Raises:
          SessionError: there is no such tick, or the branch cannot be made.
        """
        left, after = self.owner(branch, tick), 0
        for owner, own in self._doings(branch, tick, tick):
            count = len(own) if done is None else min(done, len(own))
            if count or owner is left:
                left, after = owner, owner.interventions_before(tick) + count
            done = None if done is None else done - count
        return self.archive.add_branch(name, left.name, tick, after)

    def lives_on(self, branch: str, moment: Moment) -> str:
        """Returns the branch to go on in from a moment of `branch`: that one, or a new one if it has gone on itself."""
        all_done = moment.done == len(self.interventions(branch, moment.tick))
        if moment.tick == self.archive.branch(branch).end and all_done:
            return branch
        return self.branch_off(branch, moment.tick, moment.done)

    def _doings(self, branch: str, start: int, stop: int) -> list[tuple[Branch, list[Intervention]]]:
        """Returns the branches on the way to this one, the oldest first, and what was done on each in these ticks."""
        found, until, parts = self.archive.branch(branch), None, []
        while True:
            begin, end = found.interventions_before(start), found.interventions_before(stop + 1)
            parts.append((found, found.interventions[:until][begin:end]))
            if found.parent is None or start > found.at:
                return parts[::-1]
            found, until = self.archive.branches[found.parent], found.after

    def _begun(self, said: Mapping[str, Any], names: tuple[str, str]) -> WorldState:
        """Returns the state in which a world begins as a manifest or a cut says; `names` are those of its files."""
        seed = int(said["seed"])
        if (entities := said.get("entities")) is not None:
            return self.world.encode(None, (), seed, entities=entities)
        if (digest := said["prompt"]) is None:
            return self.world.reset(seed)
        return self.world.encode(*read_prompt(self.archive.folder, digest, names), seed)

    def _intervened(self, moment: Moment, kind: str, given: Any, *, lenient: bool = False) -> Moment:
        if kind == CUT:
            # Nothing of the state is kept, and so nothing of before is remembered.
            state = self._begun(given, cut_names(given["prompt"] or ""))
        else:
            state = self.world.intervened(moment.state, kind, given, lenient=lenient)
        return dataclasses.replace(moment, state=state, frame=self.world.render(state), done=moment.done + 1)

    def _ends(self, moment: Moment) -> bool:
        return self._respawn and int(moment.state.status) == Status.TERMINAL

    def _check(self, branch: str, moment: Moment) -> bool:
        """Returns whether a frame is the one that was lived; tells where it is not."""
        owner = self.owner(branch, moment.tick)
        if _is_as_lived(owner, moment):
            return True
        self.archive.report(
            f"Tick {moment.tick} of '{owner.name}' does not look as it did when it was lived, bit for bit; "
            "`oyster session verify` tells by how much."
        )
        return False

    def _nearest(self, branch: str, tick: int) -> Moment:
        until = tick
        while True:
            owner = self.owner(branch, until)
            while (found := self.archive.snapshots.before(owner.name, until)) is not None:
                if (moment := self.snapshot(owner.name, found)) is not None:
                    return moment
            if owner.parent is None:
                return self.begin()
            until = owner.at

    @functools.cached_property
    def _like(self) -> WorldState:
        # What the world has traced already: to trace its model anew takes longer than to read a snapshot.
        return jax.eval_shape(self.world.reset)


def _is_as_lived(owner: Branch, moment: Moment) -> bool:
    return not moment.tick or owner.digest(moment.tick) in (UNKNOWN, frame_digest(moment.frame))
