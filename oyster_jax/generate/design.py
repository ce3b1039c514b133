"""What a study compares: every combination of worlds, starts, policies, interventions and seeds."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from oyster_jax.generate.branches import Whole
from oyster_jax.generate.interventions import Intervention
from oyster_jax.generate.measures import Measure
from oyster_jax.generate.policies import Policy
from oyster_jax.generate.starts import Starts
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.typing import Params

#: Rollouts that a device plays at once, if there are so many and a block has not more.
ROLLOUTS = 32

#: The axes that every measure has; its own come after them.
AXES = ("world", "start", "policy", "intervention", "seed")


@runtime_checkable
class Studied(Protocol):
    """A world with its parameters, such as a loaded one."""

    @property
    def model(self) -> WorldNetwork:
        """The world's model."""
        ...

    @property
    def params(self) -> Params:
        """Its parameters."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """What is studied: every combination of what it lists.

    Attributes:
      worlds: by name.
      starts: where rollouts begin.
      begun: how many starts there are.
      policies: by name.
      interventions: by name; with the first the others are compared.
      measures: by name.
      seeds: of what happens after the start.
      ticks: of every rollout.
      seed: of the starts.
      beyond: go on after the world has said that an episode ended.
      block: seeds that are played at once and share a file; the last bit of a number may depend on it.
    """

    worlds: Mapping[str, Studied]
    starts: Starts
    begun: int
    policies: Mapping[str, Policy]
    interventions: Mapping[str, Intervention]
    measures: Mapping[str, Measure]
    seeds: tuple[int, ...]
    ticks: int
    seed: int = 0
    beyond: bool = False
    block: int = 16

    def __post_init__(self) -> None:
        for name in ("worlds", "policies", "interventions", "measures", "seeds"):
            if not len(getattr(self, name)):
                raise ValueError(f"A study needs {name}, at least one, but it has none.")
        for name in ("begun", "ticks", "block"):
            if getattr(self, name) < 1:
                raise ValueError(f"A study's {name} must be at least one, but was {getattr(self, name)}.")
        if len(set(self.seeds)) < len(self.seeds) or not all(0 <= seed < 2**31 for seed in self.seeds):
            raise ValueError(f"A study's seeds are different numbers from 0 to {2**31 - 1}, but were {self.seeds}.")
        for name, intervention in self.interventions.items():
            if intervention.at >= self.ticks:
                raise ValueError(
                    f"Intervention '{name}' is at tick {intervention.at}, but there are {self.ticks} ticks."
                )

    def whole(self, world: int, policy: int) -> Whole:
        """Returns what the rollouts of one world under one policy share."""
        studied = list(self.worlds.values())[world]
        return Whole(
            params=studied.params,
            policy=list(self.policies.values())[policy],
            starts=self.starts,
            interventions=tuple(self.interventions.values()),
            model=studied.model,
            ticks=self.ticks,
            seed=self.seed,
            beyond=self.beyond,
        )

    @property
    def chunks(self) -> int:
        """Files along the axis of seeds."""
        return -(-len(self.seeds) // self.block)

    @property
    def cells(self) -> int:
        """Files of each world, policy, intervention and measure: starts times chunks of seeds."""
        return self.begun * self.chunks

    @property
    def together(self) -> int:
        """Cells that a device plays at once, so many that the last time few are missing."""
        times = -(-self.cells // max(ROLLOUTS // self.block, 1))
        return -(-self.cells // times)

    @property
    def rollouts(self) -> int:
        """How many there are in all."""
        return math.prod(self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of `AXES`."""
        return len(self.worlds), self.begun, len(self.policies), len(self.interventions), len(self.seeds)

    def chunk(self, number: int) -> tuple[int, ...]:
        """Returns the seeds of one file."""
        return self.seeds[number * self.block : (number + 1) * self.block]
