"""Where generated episodes begin: dreamt from nothing, or at moments of a recording."""

import dataclasses
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32, UInt8

from oyster_jax.core.model import WorldModel
from oyster_jax.core.spec import WorldSpec
from oyster_jax.core.state import WorldState
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.generate.errors import GenerateError
from oyster_jax.tree import tree_digest
from oyster_jax.typing import Array, Params, PRNGKey


@runtime_checkable
class Starts(Protocol):
    """Where episodes begin; a pytree, whose method is pure and may be traced."""

    def begin(self, model: WorldModel, params: Params, key: PRNGKey, index: Int32[Array, ""]) -> WorldState:
        """Returns the state in which episode `index` begins; `key` is that of its world."""
        ...

    def described(self) -> dict[str, Any]:
        """Returns what tells these starts from others, JSON-ready."""
        ...


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Dreams:
    """Every episode begins in a place of its own that the world dreams."""

    def begin(self, model: WorldModel, params: Params, key: PRNGKey, index: Int32[Array, ""]) -> WorldState:
        """See `Starts.begin`."""
        del index
        return model.reset(params, key)

    def described(self) -> dict[str, Any]:
        """See `Starts.described`."""
        return {"kind": "dreams"}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Moments:
    """Episode i begins where a recording had got to, at moment i modulo their number.

    Attributes:
      frames: uint8 `[moments, context, height, width, 3]`, oldest first.
      actions: int32 `[moments, context - 1]`, those between the frames.
    """

    frames: UInt8[Array, "moments context height width 3"]
    actions: Int32[Array, "moments between"]

    def begin(self, model: WorldModel, params: Params, key: PRNGKey, index: Int32[Array, ""]) -> WorldState:
        """See `Starts.begin`."""
        moment = index % self.frames.shape[0]
        return model.encode(params, self.frames[moment], self.actions[moment], key)

    def described(self) -> dict[str, Any]:
        """See `Starts.described`."""
        count, context = self.frames.shape[:2]
        return {"kind": "moments", "moments": count, "context": context, "digest": tree_digest(vars(self))}


def recorded_moments(
    dataset: EpisodeDataset, spec: WorldSpec, *, moments: int = 256, context: int = 8, seed: int = 0
) -> Moments:
    """Draws moments from a recording, every place of it as likely.

    Args:
      dataset: with frames, of the world's game.
      spec: of the world.
      moments: how many, at most; fewer where the recording has fewer. They are held in memory on every device.
      context: frames that the world sees of each.
      seed: of the draw.

    Raises:
      GenerateError: the recording is of another game, holds no frames or unlabelled actions, or a number is too small.
      DatasetError: no episode is long enough, or what was read is damaged.
    """
    if moments < 1 or context < 1:
        raise GenerateError(f"Starts need a moment and a frame at least, but {moments} and {context} were asked for.")
    if "frames" not in dataset.content:
        raise GenerateError(f"{dataset.folder} holds no frames to begin from; give a dataset that has some.")
    if dataset.spec.action != spec.action or dataset.spec.frame.shape != spec.frame.shape:
        raise GenerateError(
            f"{dataset.folder} was recorded in {dataset.spec.name} and does not fit the world '{spec.name}': their "
            "actions or frames differ. Give a recording of the world's own game."
        )
    counts = np.maximum(dataset.lengths - context + 1, 0)
    if not counts.any():
        raise DatasetError(f"No episode of {dataset.folder} has the {context} ticks that a start needs.")
    total = int(counts.sum())
    chosen = np.sort(np.random.default_rng(seed).choice(total, size=min(moments, total), replace=False))
    before = np.concatenate([[0], np.cumsum(counts)])
    frames, actions = [], []
    for number in chosen:
        episode = int(np.searchsorted(before, number, side="right")) - 1
        window = dataset.window(episode, int(number - before[episode]), context, ("frames", "actions"))
        frames.append(window["frames"])
        actions.append(window["actions"][:-1])
    taken = np.stack(actions)
    if (taken < 0).any():
        raise GenerateError(f"{dataset.folder} has unlabelled actions; begin from a recording that knows its actions.")
    return Moments(frames=jnp.asarray(np.stack(frames)), actions=jnp.asarray(taken))
