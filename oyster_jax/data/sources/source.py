"""What a simulator must offer to be recorded: many environments that step at once."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from oyster_jax.core.spec import WorldSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimeStep:
    """What all environments show at one tick.

    Attributes:
      frames: uint8 `[environments, height, width, 3]`.
      levels: int32 `[environments]`, the seed of the level each one is in.
      rewards: float32 `[environments]`, of the action that led here.
      ended: bool `[environments]`, that action ended an episode and `frames` shows the next one's beginning.
      terminals: bool `[environments]`, it was the world that ended the episode, not a clock.
      entities: float32 `[environments, capacity, fields]`, where asked for.
      entity_mask: bool `[environments, capacity]`.
      entities_lost: int32 `[environments]`, how many entities did not fit into the table.
      tiles: uint8 `[environments, rows, columns]`, where the source knows them; see `TileSpec`.
      quantities: float32 `[environments, quantities]`, likewise; see `QuantitySpec`.
      events: int32 `[environments]`, what was made to happen before the action that led here, where the source makes
        anything happen; see `EventSpec`.
      facts: what there is to say of each episode so far, JSON-ready; of one that has ended, of that one.
    """

    frames: UInt8[np.ndarray, "environments height width 3"]
    levels: Int32[np.ndarray, "environments"]
    rewards: Float32[np.ndarray, "environments"]
    ended: Bool[np.ndarray, "environments"]
    terminals: Bool[np.ndarray, "environments"]
    entities: Float32[np.ndarray, "environments capacity fields"] | None = None
    entity_mask: Bool[np.ndarray, "environments capacity"] | None = None
    entities_lost: Int32[np.ndarray, "environments"] | None = None
    tiles: UInt8[np.ndarray, "environments rows columns"] | None = None
    quantities: Float32[np.ndarray, "environments quantities"] | None = None
    events: Int32[np.ndarray, "environments"] | None = None
    facts: Sequence[dict[str, Any]] | None = None

    def of(self, rows: Sequence[int] | np.ndarray) -> Self:
        """Returns what some of the environments show."""
        chosen: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            chosen[field.name] = value[rows] if isinstance(value, np.ndarray) else value
        if self.facts is not None:
            chosen["facts"] = [self.facts[row] for row in rows]
        return dataclasses.replace(self, **chosen)


@runtime_checkable
class Simulator(Protocol):
    """Environments that run side by side; an ended one begins its next episode by itself."""

    def observe(self) -> TimeStep:
        """Returns what the environments show before the first action; nothing has ended yet."""
        ...

    def step(self, actions: Int32[np.ndarray, "environments"]) -> TimeStep:
        """Acts in every environment and returns what they show then."""
        ...

    def close(self) -> None:
        """Frees the simulator."""
        ...


@runtime_checkable
class Source(Protocol):
    """A kind of world that can be recorded, with its options."""

    @property
    def name(self) -> str:
        """What the manifest calls it, as in `procgen:coinrun`."""
        ...

    @property
    def spec(self) -> WorldSpec:
        """The world's specification, with entities where they are asked for."""
        ...

    @property
    def options(self) -> dict[str, Any]:
        """Its options, JSON-ready."""
        ...

    @property
    def licence(self) -> str:
        """SPDX name of the simulator's licence."""
        ...

    @property
    def policies(self) -> Mapping[str, Callable[..., Any]]:
        """Policies that only this source has, by name: `policy(spec, environments, seed)`, see `policies.Policy`."""
        ...

    def open(self, *, environments: int, levels: tuple[int, int], seed: int) -> Simulator:
        """Starts the environments on levels `levels[0]` to `levels[1]` (exclusive)."""
        ...
