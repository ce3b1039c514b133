"""Who acts while a recording is made: policies over many environments at once, exact from their seed."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int32

from oyster_jax.core.spec import ActionSpec
from oyster_jax.data.errors import DatasetError

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

    def act(self, began: np.ndarray) -> Int32[np.ndarray, "environments"]:
        """Returns int32 `[environments]`; `began`, bool `[environments]`, is true where an episode has just begun."""
        ...


class RandomPolicy:
    """Draws every action uniformly, at every tick."""

    def __init__(self, spec: ActionSpec, environments: int, seed: int) -> None:
        self._count = spec.count
        self._environments = environments
        self._generator = np.random.default_rng(seed)

    def act(self, began: np.ndarray) -> Int32[np.ndarray, "environments"]:
        """See `Policy.act`."""
        del began
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

    def act(self, began: np.ndarray) -> Int32[np.ndarray, "environments"]:
        """See `Policy.act`."""
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


POLICIES = {"sticky": StickyPolicy, "random": RandomPolicy}


def make_policy(name: str, spec: ActionSpec, environments: int, seed: int) -> Policy:
    """Returns the policy called `name`.

    Raises:
      DatasetError: there is no such policy.
    """
    if name not in POLICIES:
        raise DatasetError(f"There is no policy '{name}'; choose one of {', '.join(POLICIES)}.")
    return POLICIES[name](spec, environments, seed)
