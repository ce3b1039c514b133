"""A learned world in the trials that the exact simulator went through: it sees the context and goes on alone."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, UInt8

from oyster_jax.core.model import WorldModel
from oyster_jax.core.rollout import rollout
from oyster_jax.core.state import WorldState
from oyster_jax.data.camera import pixels_per_tile
from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.batch import window_keys
from oyster_jax.evaluate.chunks import Progress, padded_chunks
from oyster_jax.evaluate.trials import TrialConfig, Trials
from oyster_jax.prng import named_key
from oyster_jax.typing import Array, Params, PRNGKey

#: What is kept of a world's read-outs, where it has them.
_READ = ("position", "entities", "entity_mask")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Simulated:
    """What a learned world did in trials, from the state after the context on.

    Attributes:
      frames: uint8 `[trials, branches, 1 + ticks, height, width, 3]`; the first is the context's last, rendered again.
      positions: float32 `[trials, branches, 1 + ticks, 2]`, how far its camera has come since the first of them, in
        tiles, x right and y up; None where the world does not read it out.
      entities: float32 `[trials, branches, 1 + ticks, places, 5]`, columns type, x, y, vx, vy, in tiles from the
        frame's middle, y up; None where the world does not read them out.
      entity_mask: float32 `[trials, branches, 1 + ticks, places]`, how probable each of them is.
    """

    frames: UInt8[np.ndarray, "trials branches ticks height width 3"]
    positions: Float32[np.ndarray, "trials branches ticks 2"] | None
    entities: Float32[np.ndarray, "trials branches ticks places 5"] | None
    entity_mask: Float32[np.ndarray, "trials branches ticks places"] | None


def simulate(
    model: WorldModel, params: Params, trials: Trials, config: TrialConfig, progress: Progress | None = None
) -> Simulated:
    """Lets a world see each trial's context and go on alone under the script of each branch.

    All branches of a trial leave from one encoded state, and so with the same key.

    Raises:
      DatasetError: the world's frames or actions are not the simulator's.
    """
    for what in ("frame", "action"):
        if getattr(trials.spec, what) != getattr(model.spec, what):
            raise DatasetError(
                f"The simulator of '{trials.spec.name}' has other {what}s than the world '{model.spec.name}'; take the "
                "game that the world learned."
            )
    one = functools.partial(_simulate_trial, model, trials.context)
    run = jax.jit(jax.vmap(one, in_axes=(None, 0, 0, 0)))
    parts, done = [], 0
    for chosen, count in padded_chunks(len(trials), config.chunk):
        frames, keys = trials.frames[chosen, 0, : trials.context], window_keys(config.seed, chosen)
        seen = run(params, frames, trials.actions[chosen], keys)
        parts.append(jax.tree.map(lambda array, count=count: np.asarray(array[:count]), seen))
        done += count
        if progress is not None:
            progress(done, len(trials))
    joined = jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)
    if (position := joined.pop("position", None)) is not None:
        # The camera's y is counted in pixels downwards, the simulator's in tiles upwards.
        position = (position - position[:, :, :1]) / pixels_per_tile(trials.spec) * np.array([1, -1], np.float32)
    return Simulated(
        frames=joined["frames"],
        positions=None if position is None else position.astype(np.float32),
        entities=joined.get("entities"),
        entity_mask=joined.get("entity_mask"),
    )


def _simulate_trial(
    model: WorldModel, context: int, params: Params, frames: Array, actions: Array, key: PRNGKey
) -> dict[str, Array]:
    """Returns what is seen of one trial, `[branches, 1 + ticks, …]`: frames `[context, …]`, actions `[branches, …]`."""

    def look(params: Params, state: WorldState) -> dict[str, Any]:
        said = model.readouts(params, state)
        return {name: said[name] for name in _READ if name in said} | {"frames": model.render(params, state)}

    begin = model.encode(params, frames, actions[0, : context - 1], named_key(key, "context"))
    first = look(params, begin)

    def branch(script: Array) -> dict[str, Array]:
        later = rollout(model, params, begin, script, observe=look)[1]
        return jax.tree.map(lambda one, others: jnp.concatenate([one[None], others]), first, later)

    return jax.vmap(branch)(actions[:, context - 1 :])
