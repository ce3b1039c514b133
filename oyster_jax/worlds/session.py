"""A session: a learned world being lived in, that can be paused, killed, moved, rewound, branched and replayed."""

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np

from oyster_jax.core.state import Status, WorldState
from oyster_jax.session.archive import Archive
from oyster_jax.session.errors import SessionEndedError, SessionError
from oyster_jax.session.intervention import CUT, EDIT, EVENT
from oyster_jax.session.moment import Moment
from oyster_jax.session.prompt import keep_cut
from oyster_jax.session.replayer import Replayer
from oyster_jax.session.status import SessionStatus
from oyster_jax.session.timeline import Timeline, timeline_of
from oyster_jax.worlds.beginning import Described, Prompt, beginning, left
from oyster_jax.worlds.directing import noted_event_of, noted_opening
from oyster_jax.worlds.identity import check_duration, home
from oyster_jax.worlds.running import Policy, run
from oyster_jax.worlds.world import Action, Actions, World


class Session(contextlib.AbstractContextManager["Session"]):
    """A learned world being lived in, on one branch of its tree, at one tick.

    Made by `World.session`, `Session.open` and `branch`. Not to be used from two threads at once.

    Attributes:
      world, branch_name: that it lives in; the branch that it is on.
    """

    def __init__(self, world: World, archive: Archive, sharers: list["Session"], branch: str, tick: int | None = None):
        self.world, self.branch_name = world, branch
        self._archive, self._sharers = archive, sharers
        self._replayer = Replayer(world, archive)
        self._tick = archive.branches[branch].end if tick is None else tick
        self._moment: Moment | None = None
        self._paused = self._closed = False
        self._lived = max((b.lived(b.end) or 0.0 for b in archive.branches.values()), default=0.0)
        self._resumed = time.monotonic()
        sharers.append(self)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        world: World,
        *,
        seed: int = 0,
        prompt: Prompt = None,
        entities: Described = None,
        max_duration: float = 1800.0,
        respawn: bool = True,
        snapshot_bytes: int = 1 << 30,
    ) -> Self:
        """Begins a session in a new folder.

        Args:
          path: of the folder; it must not hold anything yet.
          world: to live in.
          seed: of the dream it begins with, and of all that happens.
          prompt: to begin from: frames uint8 `[ticks, height, width, 3]` and the actions between, or a sentence.
          entities: what to begin from instead, as `World.encode` takes it.
          max_duration: seconds of world time that it may take; `extend` gives more.
          respawn: begin another dream when the world predicts its end; without, it goes on as if nothing were.
          snapshot_bytes: that snapshots may take on the disk; beyond, those go that lie the closest together. None are
            kept with 0: a rewind then lives all of it again.

        Raises:
          SessionError: the folder is not empty, or the duration is not positive.
          WorldError, ValueError: the prompt, or what is described, is not this world's, or its moderator refuses it.
        """
        check_duration(max_duration)
        manifest, files = beginning(world, seed, prompt, entities)
        lasting = {"respawn": respawn, "max_duration": max_duration, "snapshot_bytes": snapshot_bytes}
        return cls(world, Archive.create(Path(path), manifest | lasting, files), [], "main")

    @classmethod
    def open(cls, path: str | os.PathLike[str], world: World | str | None = None, *, branch: str | None = None) -> Self:
        """Goes on with a session, in this or another process, where it was left.

        Args:
          path: of its folder.
          world: that it lives in, or its name or folder; the one of the name that it began with unless given.
          branch: to be on, at its end; where the session was left unless given.

        Raises:
          SessionError: there is no session, it is damaged beyond repair, another process writes it, or the world is
            not the one it began with.
          WorldError: there is no such world.
        """
        archive = Archive(Path(path))
        try:
            world, name, tick = left(archive, world, branch)
        except BaseException:
            archive.close()
            raise
        session = cls(world, archive, [], name, tick)
        session._event("opened", json.dumps(home()))
        return session

    @property
    def tick(self) -> int:
        """The tick that is now, 0 at the beginning."""
        return self._tick

    @property
    def ticks(self) -> int:
        """The last tick of the branch that it is on; more than `tick` after a rewind."""
        return self._archive.branches[self.branch_name].end

    @property
    def durable(self) -> int:
        """The last tick of the branch that no crash can take back."""
        return self._archive.durable(self.branch_name)

    @property
    def frame(self) -> np.ndarray:
        """What the session shows now, uint8 `[height, width, 3]`."""
        return self._now.frame

    @property
    def state(self) -> WorldState:
        """A copy of the world's state as it is now."""
        return jax.tree.map(lambda leaf: leaf.copy(), self._now.state)

    @property
    def readouts(self) -> dict[str, np.ndarray]:
        """What the world's heads say of this tick; see `World.readouts`."""
        return self.world.readouts(self._now.state)

    @property
    def world_time(self) -> float:
        """Seconds of the world's own time since the beginning."""
        return self._tick / self.world.spec.frame.rate

    @property
    def wall_time(self) -> float:
        """Seconds that the session was open and not paused, over all processes."""
        return self._lived + (0.0 if self._paused or self._closed else time.monotonic() - self._resumed)

    @property
    def max_duration(self) -> float:
        """Seconds of world time that it may take."""
        return float(self._archive.manifest["max_duration"])

    @property
    def remaining(self) -> float:
        """Seconds of world time that are left."""
        return max(0.0, self.max_duration - self.world_time)

    @property
    def disk_bytes(self) -> int:
        """What the session, with all of its branches, takes on the disk."""
        return self._archive.disk_bytes

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong with its files and was mended or worked around, as sentences."""
        return tuple(self._archive.problems)

    @property
    def status(self) -> SessionStatus:
        """How it is doing."""
        place = f"at tick {self._tick} of {self.ticks} on '{self.branch_name}', {self.remaining:.1f} s left"
        world = None if self._moment is None else Status(int(self._moment.state.status))
        ended, trouble = self._tick >= self._last_tick, self._archive.trouble
        return SessionStatus.of(
            place, closed=self._closed, paused=self._paused, ended=ended, trouble=trouble, world=world
        )

    def step(self, action: Action) -> np.ndarray:
        """Lives one tick and returns its frame, uint8 `[height, width, 3]`; the disk is never waited for.

        After a rewind this begins a branch of its own, so that what came later stays.

        Raises:
          SessionEndedError: the session has reached its duration.
          SessionError: it is paused or closed.
          ValueError: there is no such action.
        """
        self._check_open()
        taken = self.world.spec.action.parse(action if isinstance(action, str) else int(action))
        self._check_running()
        now, begin = self._own_now(), time.perf_counter()
        self._moment = self._replayer.next(now, taken)
        took = time.perf_counter() - begin
        self._tick += 1
        branch = self._archive.branches[self.branch_name]
        # Before its state: no snapshot is written before its tick.
        self._archive.add_tick(branch, taken, self.wall_time, self._moment.frame)
        self._replayer.keeper.add(self.branch_name, self._moment, took)
        return self._moment.frame

    def edit(self, document: Mapping[str, Any]) -> np.ndarray:
        """Changes something of the present, as `World.edit` does, and returns the frame; paused or not.

        It is kept as actions are: a rewind to this tick shows it; one to a tick before, or `as_it_came`, undoes it.

        Raises:
          SessionError: the session is closed, or this is too long for its log or would be lost with the next tick.
          WorldError: what is to be done cannot be done.
        """
        return self._intervene(EDIT, document)

    def event(self, text: str) -> np.ndarray:
        """Makes what `event_of` understands happen with the next tick, and returns the frame; kept as an edit is.

        Raises:
          SessionError, WorldError: as `edit`, or as `event_of`; what was refused is in the log too.
        """
        return self._intervene(EVENT, noted_event_of(self.world, text, self._event))

    def cut(self, prompt: Prompt = None, *, entities: Described = None, seed: int | None = None) -> np.ndarray:
        """Goes on from another beginning, as `create` has it, with nothing remembered; kept as an edit is.

        Raises:
          SessionError, WorldError, ValueError: as `edit`, or as `create`; what was refused is in the log too.
        """
        self._check_open()
        seed = int(self._archive.manifest["seed"]) if seed is None else seed
        given, data = noted_opening(self.world, seed, prompt, entities, self._event)
        if data is not None:
            keep_cut(self._archive.folder, data, given["prompt"])
        return self._intervene(CUT, given)

    def run(
        self, policy: Policy | Actions, ticks: int | None = None, *, watch: Callable[[Self], None] | None = None
    ) -> int:
        """Lives many ticks; returns how many, fewer than asked for where the session ends.

        Args:
          policy: called with the newest frame, returns an action; or a script as in `right*30,jump*6`, or actions.
          ticks: how many, as many as the script has unless given; a shorter script is begun again.
          watch: called after each tick.

        Raises:
          SessionError: the session is paused or closed.
          ValueError: an action is unknown, or a policy comes without a number of ticks.
        """
        return run(self, policy, ticks, watch)

    def rewind(self, tick: int, *, as_it_came: bool = False) -> np.ndarray:
        """Goes back to a tick of this branch, as `seek` does.

        Raises:
          SessionError: it lies ahead, or was never lived.
        """
        if tick > self._tick:
            raise SessionError(f"Tick {tick} lies ahead of tick {self._tick}; use seek to go forward.")
        return self.seek(tick, as_it_came=as_it_came)

    def seek(self, tick: int, *, branch: str | None = None, as_it_came: bool = False) -> np.ndarray:
        """Goes to any tick that was ever lived and returns its frame, bit for bit the one that was seen.

        Args:
          tick: where to.
          branch: on which branch, the present one unless given.
          as_it_came: before anything was done at that tick by `edit` or `event`; whoever goes on does without it.

        Raises:
          SessionError: it was never lived there.
        """
        self._check_open()
        self._moment = (self._replayer.came if as_it_came else self._replayer.at)(branch or self.branch_name, tick)
        self.branch_name, self._tick = branch or self.branch_name, tick
        return self._moment.frame

    def branch(self, at: int | None = None, *, name: str | None = None) -> Self:
        """Returns another session that goes on from a tick of this one; both share all that came before.

        Args:
          at: the tick to leave at, now unless given.
          name: of the branch, `branch-1` and so on unless given.

        Raises:
          SessionError: there is no such tick, or the name is taken.
        """
        self._check_open()
        at = self._tick if at is None else at
        done = self._moment.done if self._moment is not None and at == self._tick else None
        left = self._replayer.branch_off(self.branch_name, at, done, name)
        return type(self)(self.world, self._archive, self._sharers, left)

    def pause(self) -> None:
        """Stops the clock and puts everything on the disk."""
        self._check_open()
        if not self._paused:
            self._event("paused")
            self._lived, self._paused = self.wall_time, True
            # So that there is room for one more.
            self.flush()
            if self._moment is not None:
                self._replayer.keeper.keep(self._replayer.owner(self.branch_name, self._tick).name, self._moment)
        self.flush()

    def resume(self) -> None:
        """Goes on after a pause."""
        self._check_open()
        if self._paused:
            self._paused, self._resumed = False, time.monotonic()
            self._event("resumed")

    def extend(self, seconds: float) -> None:
        """Gives the session more world time.

        Raises:
          SessionError: the number of seconds is not positive.
        """
        self._check_open()
        check_duration(seconds)
        self._archive.change_manifest(max_duration=self.max_duration + seconds)
        self._event("extended", f"{seconds:g} s")

    def label(self, tick: int, text: str) -> None:
        """Writes something beside a tick of this branch.

        Raises:
          SessionError: there is no such tick, or the text is longer than 10,000 characters.
        """
        self._check_open()
        if len(text) > 10_000:
            raise SessionError(f"A label has at most 10,000 characters, but this one has {len(text)}.")
        self._replayer.owner(self.branch_name, tick)
        self._archive.add_event(self._archive.branches[self.branch_name], "label", tick, text)

    def timeline(self) -> Timeline:
        """Returns the tree of branches with their ticks, snapshots and labels."""
        return timeline_of(self._archive)

    def flush(self) -> None:
        """Returns when all that was lived is on the disk, or the disk has refused it; see `status`."""
        self._archive.flush()

    def close(self) -> None:
        """Puts everything on the disk and lets go of the session; its last branch closes the archive.

        Raises:
          SessionError: the disk will not take what was lived; nothing is closed, and it may be tried again.
        """
        if self._closed:
            return
        alone = self._sharers == [self]
        self._event("closed" if alone else "left")
        if alone:
            try:
                self._archive.close()
            except SessionError:
                self._event("resumed")
                raise
        self._lived, self._closed, self._moment = self.wall_time, True, None
        self._sharers.remove(self)

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def _now(self) -> Moment:
        """The present moment; computed on its first use, so that a branch nobody looks at costs nothing."""
        self._check_open()
        if self._moment is None:
            self._moment = self._replayer.at(self.branch_name, self._tick)
        return self._moment

    @property
    def _last_tick(self) -> int:
        return round(self.max_duration * self.world.spec.frame.rate)

    def _own_now(self) -> Moment:
        """Returns the present moment; after a rewind it is the first one of a new branch."""
        self.branch_name = self._replayer.lives_on(self.branch_name, self._now)
        return self._now

    def _intervene(self, kind: str, given: Any) -> np.ndarray:
        later, done = self._replayer.intervene(self._now, kind, given)
        self._own_now()
        self._archive.add_intervention(self._archive.branches[self.branch_name], done)
        self._moment = later
        return later.frame

    def _event(self, kind: str, text: str = "") -> None:
        self._archive.add_event(self._archive.branches[self.branch_name], kind, self._tick, text)

    def _check_running(self) -> None:
        self._check_open()
        if self._paused:
            raise SessionError("The session is paused; resume it to go on.")
        if self._tick >= self._last_tick:
            raise SessionEndedError(self.status.sentence)

    def _check_open(self) -> None:
        if self._closed:
            raise SessionError(f"This session is closed; open it again with Session.open('{self._archive.folder}').")
