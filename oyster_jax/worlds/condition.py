"""A condition of a story: something that may be so at a tick."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from oyster_jax.worlds.errors import StoryError

if TYPE_CHECKING:
    from oyster_jax.worlds.world import World

#: Entities count from this probability on.
_THERE = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition:
    """Something that may be so at a tick; of what is given all must be so.

    Attributes:
      tick: it is this tick of the session, or a later one.
      near: an entity other than the agent is no further than `within`: by its name, as `World.entities` tells it, or by
        the number of its type, as the world's heads read it.
      within: tiles, by the larger of both distances.
      has: quantities of which there is at least so much.
      below: quantities of which there is less.
      reward: the predicted reward is at least this.
      terminal: the world predicts its end.
    """

    tick: int | None = None
    near: int | str | None = None
    within: float = 3.0
    has: Mapping[str, float] = dataclasses.field(default_factory=dict)
    below: Mapping[str, float] = dataclasses.field(default_factory=dict)
    reward: float | None = None
    terminal: bool = False

    @property
    def structured(self) -> bool:
        """Whether it asks for what `World.entities` tells."""
        return isinstance(self.near, str) or bool(self.has or self.below)

    def check(self, world: "World") -> None:
        """Checks that a world can tell whether it is so.

        Raises:
          StoryError: it cannot; the sentence names what it tells.
        """
        if isinstance(self.near, int) and not world.model.dynamics.readouts.entity_types:
            raise StoryError(f"The heads of the world '{world.name}' read no entities; name what is to be near.")
        if not self.structured:
            return
        spec = world.spec
        if world.model.tokenizer.structure is None or spec.entity is None or spec.quantities is None:
            raise StoryError(f"The world '{world.name}' knows frames only: near is the number of a type there.")
        if isinstance(self.near, str) and self.near not in (known := spec.entity.types[1:]):
            raise StoryError(f"There is no entity '{self.near}' in this world; it has {', '.join(known)}.")
        for name in (*self.has, *self.below):
            if name not in spec.quantities.names:
                raise StoryError(f"This world has no quantity '{name}'; it has {', '.join(spec.quantities.names)}.")

    def holds(self, tick: int, said: Mapping[str, np.ndarray], told: Mapping[str, Any]) -> bool:
        """Whether it is so.

        Args:
          tick: of the session.
          said: what the world's heads say of it, as `World.readouts` returns it.
          told: what there is, as `World.entities` returns it; looked at only by what is `structured`.
        """
        found = [self.tick is None or tick >= self.tick, self.reward is None or float(said["reward"]) >= self.reward]
        if self.terminal:
            found.append(float(said["terminal"]) > _THERE)
        if self.near is not None:
            away = _told(told, self.near) if isinstance(self.near, str) else _read(said, self.near)
            found.append(bool((np.abs(away) <= self.within).all(axis=1).any()))
        found += [told["quantities"][name] >= least for name, least in self.has.items()]
        found += [told["quantities"][name] < bound for name, bound in self.below.items()]
        return all(found)


def _read(said: Mapping[str, np.ndarray], kind: int) -> np.ndarray:
    """Returns where entities of a type are read, `[entities, 2]` in tiles from the agent."""
    rows = said["entities"][said["entity_mask"] > _THERE]
    return rows[rows[:, 0] == kind, 1:3]


def _told(told: Mapping[str, Any], name: str) -> np.ndarray:
    """Returns where entities of a name are told, `[entities, 2]` in tiles from the agent."""
    return np.array([(one["x"], one["y"]) for one in told["entities"] if one["type"] == name], float).reshape(-1, 2)
