"""What is known of a world at one moment: any part of a frame, tiles, entities and quantities."""

import dataclasses

import jax

from oyster_jax.typing import Array, Bool, Float, Frames, UInt8


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Observation:
    """A moment, or a batch of them; what is None is not known.

    Attributes:
      frame: uint8 `[*batch, height, width, 3]`.
      tiles: uint8 `[*batch, rows, columns]`, numbers of `TileSpec.kinds`.
      entities: float32 `[*batch, capacity, fields]`, by `EntitySpec`, row 0 the agent; places count from anywhere.
      entity_mask: bool `[*batch, capacity]`; comes with `entities`.
      quantities: float32 `[*batch, quantities]`, by `QuantitySpec`.

    Raises:
      ValueError: nothing at all is given, or entities without their mask.
    """

    frame: Frames | None = None
    tiles: UInt8[Array, "*batch rows columns"] | None = None
    entities: Float[Array, "*batch capacity fields"] | None = None
    entity_mask: Bool[Array, "*batch capacity"] | None = None
    quantities: Float[Array, "*batch quantities"] | None = None

    def __post_init__(self) -> None:
        if (self.entities is None) != (self.entity_mask is None):
            raise ValueError("The entities of an observation and their mask come together, but only one was given.")
        if self.frame is None and self.tiles is None and self.entities is None and self.quantities is None:
            raise ValueError("An observation says something: give a frame, tiles, entities or quantities.")

    @property
    def batch(self) -> tuple[int, ...]:
        """The axes before those of one moment."""
        parts = ((self.frame, 3), (self.tiles, 2), (self.entities, 2), (self.quantities, 1))
        return next(part.shape[: part.ndim - own] for part, own in parts if part is not None)
