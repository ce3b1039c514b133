"""One episode: what was seen and done, tick by tick."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Bool, Float16, Float32, Int32, UInt8

from oyster_jax.data.errors import DatasetError

#: The arrays an episode may hold, in the order in which they are stored, with their dtype and number of axes.
ARRAYS: dict[str, tuple[str, int]] = {
    "actions": ("int32", 1),
    "rewards": ("float32", 1),
    "terminals": ("bool", 1),
    "frames": ("uint8", 4),
    "latents": ("float16", 3),
    "drafts": ("float16", 3),
    "motion": ("float32", 2),
    "entities": ("float32", 3),
    "entity_mask": ("bool", 2),
    "tiles": ("uint8", 3),
    "quantities": ("float32", 2),
    "events": ("int32", 1),
}

#: Those that hold what is in the frames, where that is known.
STRUCTURE = ("entities", "entity_mask", "tiles", "quantities")

#: What every episode holds; the other arrays are optional.
REQUIRED = ("actions", "rewards", "terminals")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Episode:
    """What was seen and done from a reset to an end.

    `actions[t]` is taken at `frames[t]` and leads to `frames[t + 1]`; `rewards[t]` and `terminals[t]` are the outcome
    of `actions[t]`. The frame after the last action is not kept: the world ended there or the recording stopped.

    Attributes:
      actions: int32 `[ticks]`, ids of the world's actions (-1 where unknown).
      rewards: float32 `[ticks]`.
      terminals: bool `[ticks]`, true where the world itself ended (a clock that ran out is no such end).
      frames: uint8 `[ticks, height, width, 3]`.
      latents: float16 `[ticks, tokens, channels]`, a tokenizer's latents of the frames, in (-1, 1).
      drafts: float16 `[ticks, tokens, features]`, what a spatial map of the frames before knew of each frame.
      motion: float32 `[ticks, 2]`, how the camera moved to each frame from the one before, pixels, x to the right and y
        downwards; zero at the first.
      entities: float32 `[ticks, capacity, fields]`, the simulator's entities at `frames[t]`, row 0 the agent.
      entity_mask: bool `[ticks, capacity]`, which of those rows are in use.
      tiles: uint8 `[ticks, rows, columns]`, what the tiles of `frames[t]` are; see `TileSpec`.
      quantities: float32 `[ticks, quantities]`, what the agent has and the world counts at `frames[t]`; see
        `QuantitySpec`.
      events: int32 `[ticks]`, what was made to happen at `frames[t]`, before `actions[t]` was taken: the id of an
        event, 0 for nothing; see `EventSpec`.
      metadata: JSON-ready facts about this episode: level seed, how it ended, …

    Raises:
      DatasetError: an array has the wrong dtype, rank or length, or entities come without their mask.
    """

    actions: Int32[np.ndarray, "ticks"]
    rewards: Float32[np.ndarray, "ticks"]
    terminals: Bool[np.ndarray, "ticks"]
    frames: UInt8[np.ndarray, "ticks height width 3"] | None = None
    latents: Float16[np.ndarray, "ticks tokens channels"] | None = None
    drafts: Float16[np.ndarray, "ticks tokens features"] | None = None
    motion: Float32[np.ndarray, "ticks 2"] | None = None
    entities: Float32[np.ndarray, "ticks capacity fields"] | None = None
    entity_mask: Bool[np.ndarray, "ticks capacity"] | None = None
    tiles: UInt8[np.ndarray, "ticks rows columns"] | None = None
    quantities: Float32[np.ndarray, "ticks quantities"] | None = None
    events: Int32[np.ndarray, "ticks"] | None = None
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in REQUIRED:
            if getattr(self, name) is None:
                raise DatasetError(f"An episode needs {', '.join(REQUIRED)}, but its {name} are missing.")
        if len(self.actions) == 0:
            raise DatasetError("An episode needs at least one tick, but it has none.")
        for name, array in self.arrays.items():
            _check(name, array, self.ticks)
        if (self.entities is None) != (self.entity_mask is None):
            raise DatasetError("An episode's entities and entity_mask come together, but only one of them was given.")
        if self.entities is None or self.entity_mask is None:
            return
        if self.entities.shape[:2] != self.entity_mask.shape:
            raise DatasetError(
                f"An episode's entities {self.entities.shape} and entity_mask {self.entity_mask.shape} differ in their "
                "first two axes; give the mask one value a row."
            )

    @property
    def ticks(self) -> int:
        """How many actions (and as many frames) the episode holds."""
        return len(self.actions)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays that are there, by name, in the order of `ARRAYS`."""
        return {name: array for name in ARRAYS if (array := getattr(self, name)) is not None}


def _check(name: str, array: np.ndarray, ticks: int) -> None:
    dtype, rank = ARRAYS[name]
    if array.dtype != np.dtype(dtype) or array.ndim != rank:
        raise DatasetError(
            f"An episode's {name} must be {dtype} with {rank} axes, but they are {array.dtype} with {array.ndim}; "
            "convert them before building the episode."
        )
    if len(array) != ticks:
        raise DatasetError(
            f"An episode's {name} cover {len(array)} ticks, but its actions cover {ticks}; cut them alike."
        )
    if name == "frames" and array.shape[-1] != 3:
        raise DatasetError(f"An episode's frames must be RGB with 3 colours, but they have {array.shape[-1]}.")
