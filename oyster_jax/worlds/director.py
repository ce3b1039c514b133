"""Lives a story in a session: each act in its turn, every branch to its end, on from wherever it was cut off.

What was lived is never lived differently: a story that is told again in the same folder is followed through the log,
action by action, and goes on where that ends. So it survives `kill -9` as any session does.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from oyster_jax.core.spec import ActionSpec
from oyster_jax.data.policies import POLICIES, make_policy
from oyster_jax.session.branch import MAIN
from oyster_jax.session.moment import Moment
from oyster_jax.worlds import inside
from oyster_jax.worlds.errors import StoryError
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.story import Act, Story, check_actions

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
      StoryError: the world does not know an action, or the session was lived otherwise than the story says.
      SessionError: the session is full, or its disk.
    """
    check_actions(story, session.world.spec.action)
    return tuple(_told(_Walk(session, MAIN, 0, watch), story.acts, story.seed))


def _told(walk: "_Walk", acts: Sequence[Act], seed: int) -> Iterator[str]:
    """Tells the acts of one branch, then the branches that leave its end; yields the names of leaves."""
    for number, act in enumerate(acts):
        if act.when is None or walk.holds(act.when):
            # A branch draws otherwise than the one that it leaves, and every act otherwise than the one before.
            drawn = np.random.SeedSequence([seed, number, *walk.branch.encode()]).generate_state(1)[0]
            walk.label(act.label)
            for action in itertools.islice(_actions(act.do, walk.spec, int(drawn)), act.ticks):
                if act.until is not None and walk.holds(act.until):
                    break
                walk.take(action)
    for name, others in acts[-1].branches.items():
        with walk.leaving(name) as other:
            yield from _told(other, others, seed)
    if not acts[-1].branches:
        yield walk.branch


def _actions(do: str, spec: ActionSpec, seed: int) -> Iterator[int]:
    """Yields actions without end."""
    if do not in POLICIES:
        yield from itertools.cycle(spec.script(do).tolist())
    policy, began = make_policy(do, spec, 1, seed), np.ones(1, bool)
    while True:
        yield int(policy.act(began)[0])
        began = np.zeros(1, bool)


class _Walk:
    """Goes along a branch: through what was lived on it already, then beyond."""

    def __init__(self, session: Session, branch: str, tick: int, watch: Watch | None) -> None:
        self.branch, self._watch = branch, watch
        self._session, self._at = session, tick
        log = inside.observer(session, session.world)
        lived = log.archive.branch(branch)
        end = lived.end
        self._logged = log.actions(branch, tick, end).tolist()
        # Where nothing was lived yet the session itself is there.
        self._moments: Iterator[Moment] | None = log.replay(branch, tick, end) if self._logged else None
        self._moment: Moment | None = None if self._moments is None else next(self._moments)
        self._labels = {(event.tick, event.text) for event in lived.events if event.kind == "label"}

    @property
    def spec(self) -> ActionSpec:
        return self._session.world.spec.action

    def holds(self, condition: Any) -> bool:
        return condition.holds(self._at, self._readouts())

    def label(self, text: str) -> None:
        if text and (self._at, text) not in self._labels:
            self._session.label(self._at, text)

    def take(self, action: int) -> None:
        if self._logged:
            if (lived := self._logged.pop(0)) != action:
                names = self.spec.names
                raise StoryError(
                    f"After tick {self._at} of '{self.branch}' the story does '{names[action]}', but '{names[lived]}' "
                    "was lived; tell a changed story in a new folder."
                )
            assert self._moments is not None
            self._moment = next(self._moments)
        else:
            self._moments = self._moment = None
            self._session.step(action)
        self._at += 1
        if self._watch is not None:
            self._watch(self.branch, self._at)

    @contextlib.contextmanager
    def leaving(self, name: str) -> "Iterator[_Walk]":
        """Yields a walk along a branch that leaves this one here."""
        known = {line.name: line.at for line in self._session.timeline().branches}
        if known.get(name, self._at) != self._at:
            raise StoryError(
                f"'{name}' leaves at tick {self._at} of the story, but at {known[name]} of what was lived; tell a "
                "changed story in a new folder."
            )
        beside = inside.beside(self._session, name) if name in known else self._session.branch(self._at, name=name)
        with beside:
            yield _Walk(beside, name, self._at, self._watch)

    def _readouts(self) -> dict[str, np.ndarray]:
        if self._moment is not None:
            return self._session.world.readouts(self._moment.state)
        return self._session.readouts
