"""The state of one living world."""

import dataclasses
import enum
from typing import Any, Self

import jax

from oyster_jax.typing import Array, Int32, Latent, PRNGKey


class Status(enum.IntEnum):
    """How a world is doing; carried in the state, read by the host, never raised inside jit."""

    OK = 0
    TERMINAL = 1
    ACTION_OUT_OF_RANGE = 2
    NONFINITE = 3

    @property
    def sentence(self) -> str:
        """What the status means, for people."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.OK: "The world is running.",
    Status.TERMINAL: "The episode has ended; reset the world to begin another.",
    Status.ACTION_OUT_OF_RANGE: "An action was outside the world's action set and was taken as idle; check its ids.",
    Status.NONFINITE: "The model produced a non-finite number and the state was frozen; restore an earlier one.",
}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class WorldState:
    """One world at one tick; a batch of worlds is this under `vmap`. Shapes and bytes never change (law 4).

    Attributes:
      step: ticks since the world began, int32 scalar.
      key: the world's own PRNG key; all its randomness is `fold_in(key, step)` (law 1).
      latent: the newest latent, `[tokens, channels]`, in (-1, 1).
      cache: what the near past left, a pytree of fixed shapes (ring KV, stacked over layers; the newest frame, for a
        world that reads it again).
      memory: what the far past left, a pytree of fixed shapes (associative memory, float32; a map).
      readout: float32 `[outputs]`, what the heads say of this tick: see the model's `readouts`.
      status: a `Status`, int32 scalar.
    """

    step: Int32[Array, ""]
    key: PRNGKey
    latent: Latent
    cache: Any
    memory: Any
    readout: Array
    status: Int32[Array, ""]

    def replace(self, **changes: Any) -> Self:
        """Returns a copy with the given fields exchanged."""
        return dataclasses.replace(self, **changes)
