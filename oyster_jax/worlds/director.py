"""Lives a story in a session: each act in its turn, every branch to its end, on from wherever it was cut off.

What was lived is never lived differently: a story that is told again in the same folder is followed through the log,
action by action, with all that was done to the world, and goes on where that ends. So it survives `kill -9` as any
session does.
"""

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import numpy as np

from oyster_jax.core.spec import ActionSpec
from oyster_jax.data.policies import POLICIES, make_policy
from oyster_jax.session.branch import MAIN
from oyster_jax.session.intervention import CUT, EVENT, opening_text
from oyster_jax.session.moment import Moment
from oyster_jax.worlds import inside
from oyster_jax.worlds.cut import asked
from oyster_jax.worlds.directing import event_of
from oyster_jax.worlds.errors import StoryError, WorldError
from oyster_jax.worlds.rehearsal import rehearse
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.story import Act, Condition, Story

#: Called with branch and tick after every tick, lived now or before.
type Watch = Callable[[str, int], None]


def direct(session: Session, story: Story, watch: Watch | None = None) -> tuple[str, ...]:
    """Lives a story in a session that is new, or in which it was begun before.

    Args:
      session: on its first branch.
      story: all of it.
      watch: told how far it has come.

    Returns:
      The branches at whose ends no other leaves, in the order of the story.

    Raises:
      StoryError: the world cannot do what the story says, or the session was lived otherwise.
      SessionError: the session is full, or its disk.
    """
    rehearse(story, session.world, functools.partial(inside.note, session))
    for beat in _told(_Walk(session, MAIN, 0, follows=True), story.acts, story.seed, itertools.count()):
        if watch is not None and beat.ticked:
            watch(beat.branch, beat.tick)
    return story.leaves


def tell(session: Session, story: Story) -> "Generator[Beat, None, None]":
    """Tells a story that goes on from where a session is now, a beat at a time.

    Acts up to the first fork are lived in the session itself, each branch in one of its own, which is closed once told.
    A branch whose name is taken gets a number. To stop, close the iterator; what was lived stays.

    Args:
      session: anywhere.
      story: that `rehearse` has passed.

    Raises:
      StoryError, SessionError: as `direct`.
    """
    walk = _Walk(session, session.branch_name, session.tick, follows=False)
    return _told(walk, story.acts, story.seed, itertools.count())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Beat:
    """How far a story has come: after each tick, and where an act begins.

    Attributes:
      turn: of the act, as in `Story.turns`.
      ticked: whether a tick was lived, or an act has begun.
      session: in which that was.
      branch, tick: where it now is.
    """

    turn: int
    ticked: bool
    session: Session
    branch: str
    tick: int


def _told(walk: "_Walk", acts: Sequence[Act], seed: int, turns: Iterator[int]) -> Generator[Beat, None, None]:
    """Tells the acts of one branch, then the branches that leave its end."""
    for number, act in enumerate(acts):
        turn = next(turns)
        if act.when is not None and not walk.holds(act.when):
            continue
        # A branch draws otherwise than the one that it leaves, and every act otherwise than the one before.
        drawn = np.random.SeedSequence([seed, number, *walk.branch.encode()]).generate_state(1)[0]
        walk.label(act.label)
        for kind, given in act.interventions:
            walk.intervene(kind, given)
        yield walk.beat(turn, ticked=False)
        for action in itertools.islice(_actions(act.do, walk.spec, int(drawn)), act.ticks):
            if act.until is not None and walk.holds(act.until):
                break
            walk.take(action)
            yield walk.beat(turn, ticked=True)
    for name, others in acts[-1].branches.items():
        with walk.leaving(name) as other:
            yield from _told(other, others, seed, turns)


def _actions(do: str, spec: ActionSpec, seed: int) -> Iterator[int]:
    """Yields actions without end; none where nothing is to be done."""
    if not do:
        return
    if do not in POLICIES:
        yield from itertools.cycle(spec.script(do).tolist())
    policy, began = make_policy(do, spec, 1, seed), np.ones(1, bool)
    while True:
        yield int(policy.act(began)[0])
        began = np.zeros(1, bool)


class _Walk:
    """Goes along a branch: through what was lived on it already, if it follows that, then beyond.

    Args:
      session: where the branch is lived on.
      branch, tick: where the walk begins.
      done: how many things were done to the world at that tick before.
      follows: what is there was lived by the story.
    """

    def __init__(self, session: Session, branch: str, tick: int, done: int = 0, *, follows: bool) -> None:
        self._session, self._branch, self._at, self._done, self._follows = session, branch, tick, done, follows
        self._log = inside.observer(session, session.world)
        lived = self._log.archive.branch(branch)
        self._actions = self._log.actions(branch, tick, lived.end).tolist() if follows else []
        self._doings = self._log.interventions(branch, tick, lived.end)[done:] if follows else []
        # Where nothing was lived yet the session itself is there.
        self._moment: Moment | None = self._came() if self._follows_on else None
        self._labels = {(event.tick, event.text) for event in lived.events if event.kind == "label"}

    @property
    def spec(self) -> ActionSpec:
        return self._session.world.spec.action

    @property
    def branch(self) -> str:
        # A session that goes on from the past does so on a branch that it makes with its first tick.
        return self._branch if self._follows else self._session.branch_name

    def beat(self, turn: int, *, ticked: bool) -> Beat:
        return Beat(turn=turn, ticked=ticked, session=self._session, branch=self.branch, tick=self._at)

    def holds(self, condition: Condition) -> bool:
        session, moment, told = self._session, self._moment, {}
        said = session.readouts if moment is None else session.world.readouts(moment.state)
        if condition.structured:
            told = session.world.entities(session.state if moment is None else moment.state)
        return condition.holds(self._at, said, told)

    def label(self, text: str) -> None:
        if text and (self._at, text) not in self._labels:
            self._session.label(self._at, text)

    def take(self, action: int) -> None:
        if self._follows_on:
            self._follow(action)
        else:
            self._moment = None
            self._session.step(action)
        self._at, self._done = self._at + 1, 0

    def intervene(self, kind: str, given: Any) -> None:
        self._done += 1
        if self._follows_on:
            self._redo(kind, given)
            return
        self._moment = None
        try:
            if kind == EVENT:
                self._session.event(given)
            elif kind == CUT:
                self._session.cut(**given.options(self._session.world))
            else:
                self._session.edit(given)
        except WorldError as error:
            raise StoryError(f"At tick {self._at} of '{self.branch}': {error}") from error

    @contextlib.contextmanager
    def leaving(self, name: str) -> "Iterator[_Walk]":
        """Yields a walk along a branch that leaves this one here."""
        known = {line.name: line.at for line in self._session.timeline().branches}
        if not self._follows:
            name = next(other for other in _numbered(name) if other not in known)
        elif known.get(name, self._at) != self._at:
            raise StoryError(
                f"'{name}' leaves at tick {self._at} of the story, but at {known[name]} of what was lived; tell a "
                "changed story in a new folder."
            )
        beside = inside.beside(self._session, name) if name in known else self._session.branch(self._at, name=name)
        with beside:
            yield _Walk(beside, name, self._at, self._done, follows=self._follows)

    @property
    def _follows_on(self) -> bool:
        """Whether something that was lived lies ahead."""
        return bool(self._actions or self._doings)

    def _came(self) -> Moment:
        moment = self._log.came(self._branch, self._at)
        for doing in self._log.interventions(self._branch, self._at)[: self._done]:
            moment = self._log.redo(moment, doing)
        return moment

    def _follow(self, action: int) -> None:
        if self._doings and self._doings[0].tick == self._at:
            raise self._otherwise(f"does '{self.spec.names[action]}'", f"'{self._doings[0].text}' was done")
        if (lived := self._actions.pop(0)) != action:
            raise self._otherwise(f"does '{self.spec.names[action]}'", f"'{self.spec.names[lived]}' was lived")
        assert self._moment is not None
        self._moment = self._log.next(self._moment, action)

    def _redo(self, kind: str, given: Any) -> None:
        wanted = told = self._wanted(kind, given)
        if kind == CUT:
            told = opening_text(wanted)
        if not self._doings or self._doings[0].tick != self._at:
            raise self._otherwise(f"has the {kind} '{told}'", f"'{self.spec.names[self._actions[0]]}' was lived")
        doing = self._doings.pop(0)
        if (doing.kind, asked(doing.given) if doing.kind == CUT else doing.given) != (kind, wanted):
            raise self._otherwise(f"has the {kind} '{told}'", f"'{doing.text}' was done")
        assert self._moment is not None
        self._moment = self._log.redo(self._moment, doing)

    def _wanted(self, kind: str, given: Any) -> Any:
        """Returns what the log of a session says of something that a story has done."""
        if kind == EVENT:
            return event_of(self._session.world, given)
        if kind == CUT:
            return given.asked(self._session.world, int(self._log.archive.manifest["seed"]))
        return given

    def _otherwise(self, told: str, lived: str) -> StoryError:
        return StoryError(
            f"After tick {self._at} of '{self.branch}' the story {told}, but {lived}; tell a changed story in a new "
            "folder."
        )


def _numbered(name: str) -> Iterator[str]:
    """Yields a name, then the same with numbers."""
    return itertools.chain((name,), (f"{name[:56]}-{number}" for number in itertools.count(2)))
