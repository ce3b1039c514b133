"""Who acts while a recording is made: policies over many environments at once, exact from their seed."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int32

from oyster_jax.core.spec import ActionSpec
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.sources.source import TimeStep

#: How often a sticky policy drops its action for a new one, each tick.
CHANGE_PROBABILITY = 0.2

#: What the sticky policy draws from, by name; what a world lacks is left out, and the rest shares what remains of one.
STICKY_WEIGHTS = {
    "right": 0.35,
    "right+jump": 0.30,
    "left": 0.10,
    "left+jump": 0.10,
    "jump": 0.05,
    "noop": 0.05,
}


@runtime_checkable
class Policy(Protocol):
    """Chooses an action for every environment, one tick after another."""

    def act(self, began: np.ndarray, seen: TimeStep | None = None) -> Int32[np.ndarray, "environments"]:
        """Returns int32 `[environments]`.

        Args:
          began: bool `[environments]`, true where an episode has just begun.
          seen: what the environments show; given while a simulator is recorded, and needed by policies that look.
        """
        ...


class RandomPolicy:
    """Draws every action uniformly, at every tick."""

    def __init__(self, spec: ActionSpec, environments: int, seed: int) -> None:
        self._count = spec.count
        self._environments = environments
        self._generator = np.random.default_rng(seed)

    def act(self, began: np.ndarray, seen: TimeStep | None = None) -> Int32[np.ndarray, "environments"]:
        """See `Policy.act`."""
        del began, seen
        return self._generator.integers(self._count, size=self._environments, dtype=np.int32)


class StickyPolicy:
    """Keeps its action, and at each tick changes it with probability 0.2 for one drawn from a fixed distribution.

    In a platformer the distribution leans to the right and to jumping, which explores levels far beyond their start;
    in a world without such actions it is uniform.
    """

    def __init__(self, spec: ActionSpec, environments: int, seed: int) -> None:
        self.weights = sticky_weights(spec)
        self._generator = np.random.default_rng(seed)
        self._actions = self._draw(environments)

    def act(self, began: np.ndarray, seen: TimeStep | None = None) -> Int32[np.ndarray, "environments"]:
        """See `Policy.act`."""
        del seen
        change = self._generator.random(len(self._actions)) < CHANGE_PROBABILITY
        drawn = self._draw(len(self._actions))
        self._actions = np.where(change | began, drawn, self._actions)
        return self._actions

    def _draw(self, environments: int) -> np.ndarray:
        return self._generator.choice(len(self.weights), size=environments, p=self.weights).astype(np.int32)


def sticky_weights(spec: ActionSpec) -> np.ndarray:
    """Returns float64 `[actions]`, how likely the sticky policy draws each action."""
    known = np.array([STICKY_WEIGHTS.get(name, 0.0) for name in spec.names])
    if "jump" not in spec.names:
        return np.full(spec.count, 1 / spec.count)
    others = known == 0
    known[others] = (1 - known.sum()) / max(others.sum(), 1)
    return known / known.sum()


class MixedPolicy:
    """Several policies, each of which acts in some of the environments, dealt out by turns.

    Args:
      policies: `policy(environments, seed)` of each, by name; a name may stand there several times.
      environments: how many there are.
      seed: of all of them.
    """

    def __init__(self, policies: list[tuple[str, Callable[..., Policy]]], environments: int, seed: int) -> None:
        dealt = [policies[index % len(policies)][0] for index in range(environments)]
        self._rows = {name: np.flatnonzero([other == name for other in dealt]) for name in dict.fromkeys(dealt)}
        makers = dict(policies)
        self._policies = {name: makers[name](len(rows), seed) for name, rows in self._rows.items()}
        self._count = environments

    def act(self, began: np.ndarray, seen: TimeStep | None = None) -> Int32[np.ndarray, "environments"]:
        """See `Policy.act`."""
        actions = np.zeros(self._count, np.int32)
        for name, rows in self._rows.items():
            actions[rows] = self._policies[name].act(began[rows], None if seen is None else seen.of(rows))
        return actions


POLICIES = {"sticky": StickyPolicy, "random": RandomPolicy}

#: All policies that there are, in equal parts.
MIXED = "mixed"


def make_policy(
    name: str, spec: ActionSpec, environments: int, seed: int, own: Mapping[str, Callable[..., Any]] | None = None
) -> Policy:
    """Returns the policy called `name`.

    Args:
      name: one of `POLICIES` or of `own`, several with their parts of the environments as in `scripted*3,sticky`, or
        `mixed` for all of them in equal parts.
      spec: the actions.
      environments: how many it acts in.
      seed: of what it draws.
      own: policies that the source has beside those that any world can be played by.

    Raises:
      DatasetError: there is no such policy.
    """
    known: dict[str, Callable[..., Policy]] = POLICIES | dict(own or {})
    several: list[tuple[str, Callable[..., Policy]]] = []
    for part in known if name == MIXED else name.split(","):
        one, star, count = part.strip().partition("*")
        if one not in known:
            raise DatasetError(f"There is no policy '{one}'; choose one of {', '.join(known)}.")
        if star and not (count.isdigit() and int(count) > 0):
            raise DatasetError(f"'{part.strip()}' is no share of a policy; write it as in 'sticky*2'.")
        maker = known[one]
        several += [(one, lambda rows, seed, maker=maker: maker(spec, rows, seed))] * (int(count) if star else 1)
    if len({one for one, _ in several}) == 1:
        return several[0][1](environments, seed)
    return MixedPolicy(several, environments, seed)
