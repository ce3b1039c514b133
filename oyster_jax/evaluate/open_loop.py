"""Open-loop rollouts beside the truth: after some real frames the world goes on alone, under actions alone.

Each window of a held-out recording is simulated twice from the same state: under the actions that were really taken,
and under actions drawn uniformly from the world's action set. A world that heeds its actions does worse with the wrong
ones. Beside both stand the last real frame held still (copy-last), and the truth encoded and rendered again (the
ceiling: no rollout can be nearer to the truth than the tokenizer is).
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.model import WorldModel
from oyster_jax.core.rollout import rollout
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.evaluate.control import random_actions
from oyster_jax.evaluate.fidelity import squared_error, ssim
from oyster_jax.evaluate.windows import Windows, check_dataset, choose_windows
from oyster_jax.prng import named_key
from oyster_jax.typing import Array, Frame, Params, PRNGKey

#: What is compared with the truth.
MODEL, COPY_LAST, RANDOM_ACTIONS, CEILING = METHODS = ("model", "copy_last", "random_actions", "ceiling")

#: Called with the windows done and the windows to do.
type Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenLoopConfig:
    """How a world is tried.

    Attributes:
      windows: how many stretches of recordings.
      context: real frames that the world sees before it goes on alone.
      horizons: open-loop ticks at which figures are given, ascending.
      seed: of the choice of windows, of the random actions and of the world's own randomness.
      chunk: windows simulated at once; more need more memory and change no figure beyond rounding.
      shown: windows whose frames are kept for a picture.

    Raises:
      ValueError: a number is not positive, or the horizons do not ascend.
    """

    windows: int = 256
    context: int = 8
    horizons: tuple[int, ...] = (1, 4, 8, 16, 32)
    seed: int = 0
    chunk: int = 16
    shown: int = 6

    def __post_init__(self) -> None:
        for name in ("windows", "context", "chunk"):
            if getattr(self, name) < 1:
                raise ValueError(f"An evaluation needs at least 1 of its {name}, but {getattr(self, name)} was given.")
        if not self.horizons or self.horizons[0] < 1 or sorted(set(self.horizons)) != list(self.horizons):
            raise ValueError(f"Horizons are positive and ascend, as in 1, 4, 8; {self.horizons} were given.")
        if self.seed < 0:
            raise ValueError(f"A seed is not negative, but {self.seed} was given.")

    @property
    def ticks(self) -> int:
        """Open-loop ticks, the longest horizon."""
        return self.horizons[-1]

    @property
    def length(self) -> int:
        """Frames of a window: the context and the truth after it."""
        return self.context + self.ticks


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measurements:
    """What was measured on each window, before any mean is taken.

    Attributes:
      config: how.
      windows: on which stretches.
      errors: by method, mean squared errors in [0, 1], float32 `[windows, ticks]`; the ceiling's `[windows, horizons]`.
      similarities: by method, SSIM, float32 `[windows, horizons]`.
      truth: uint8 `[shown, 1 + ticks, height, width, 3]`, the first windows, each from its last context frame on.
      frames: the same shape, what the world showed there.
    """

    config: OpenLoopConfig
    windows: Windows
    errors: dict[str, np.ndarray]
    similarities: dict[str, np.ndarray]
    truth: np.ndarray
    frames: np.ndarray

    def error(self, method: str, horizon: int) -> np.ndarray:
        """Returns mean squared errors `[windows]` of a method after `horizon` ticks, one of the config's horizons."""
        if method == CEILING:
            return self.errors[method][:, self.config.horizons.index(horizon)]
        return self.errors[method][:, horizon - 1]

    def similarity(self, method: str, horizon: int) -> np.ndarray:
        """Returns SSIM `[windows]` of a method after `horizon` ticks, one of the config's horizons."""
        return self.similarities[method][:, self.config.horizons.index(horizon)]


def measure(
    model: WorldModel,
    params: Params,
    dataset: EpisodeDataset,
    config: OpenLoopConfig,
    progress: Progress | None = None,
) -> Measurements:
    """Tries a world on held-out recordings; the same seed gives the same numbers.

    Raises:
      DatasetError: the recordings are not held out, not of this world, too short or damaged.
    """
    check_dataset(dataset, model.spec)
    windows = choose_windows(dataset.lengths, config.length, config.windows, config.seed)
    others = random_actions(model.spec.action, len(windows), config.ticks, config.seed)
    run = jax.jit(functools.partial(_try_chunk, model, config))
    results = []
    for first in range(0, len(windows), config.chunk):
        # The last chunk is filled up with its own last window: one shape, so one compilation.
        chosen = np.minimum(np.arange(first, first + config.chunk), len(windows) - 1)
        frames, actions = _read(dataset, windows, chosen, config)
        result = run(params, frames, actions, others[chosen], chosen.astype(np.int32))
        count = min(config.chunk, len(windows) - first)
        result = jax.tree.map(lambda array, count=count: np.asarray(array[:count]), result)
        missing = max(config.shown - first, 0)
        results.append(result | {"frames": result["frames"][:missing], "truth": result["truth"][:missing]})
        if progress is not None:
            progress(first + count, len(windows))
    joined = jax.tree.map(lambda *arrays: np.concatenate(arrays), *results)
    return Measurements(config=config, windows=windows, **joined)


def _read(
    dataset: EpisodeDataset, windows: Windows, chosen: np.ndarray, config: OpenLoopConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Reads frames `[chunk, length, …]` and the actions `[chunk, length - 1]` between them."""
    read = [
        dataset.window(int(windows.episodes[i]), int(windows.starts[i]), config.length, ("frames", "actions"))
        for i in chosen
    ]
    return np.stack([w["frames"] for w in read]), np.stack([w["actions"][:-1] for w in read])


def _try_chunk(
    model: WorldModel,
    config: OpenLoopConfig,
    params: Params,
    frames: Array,
    actions: Array,
    others: Array,
    numbers: Array,
) -> dict[str, Any]:
    keys = jax.vmap(lambda number: jax.random.fold_in(jax.random.key(config.seed), number))(numbers)
    return jax.vmap(functools.partial(_try_window, model, config, params))(frames, actions, others, keys)


def _try_window(
    model: WorldModel,
    config: OpenLoopConfig,
    params: Params,
    frames: Array,
    actions: Array,
    others: Array,
    key: PRNGKey,
) -> dict[str, Any]:
    """Measures one window: frames `[length, …]`, actions `[length - 1]`, other actions `[ticks]`."""
    context, truth = frames[: config.context], frames[config.context :]
    before, during = actions[: config.context - 1], actions[config.context - 1 :]
    state = model.encode(params, context, before, named_key(key, "context"))
    # Both futures step side by side: twice the batch in one scan.
    futures = jax.vmap(lambda chosen: rollout(model, params, state, chosen)[1])(jnp.stack([during, others]))
    held = jnp.broadcast_to(context[-1], truth.shape)
    at = np.asarray(config.horizons) - 1
    ceiling = jax.vmap(functools.partial(_reconstruct, model, params, named_key(key, "ceiling")))(truth[at])
    shown = {MODEL: futures[0], COPY_LAST: held, RANDOM_ACTIONS: futures[1]}
    errors = {method: squared_error(frames, truth) for method, frames in shown.items()}
    similarities = {method: ssim(frames[at], truth[at]) for method, frames in shown.items()}
    return {
        "errors": errors | {CEILING: squared_error(ceiling, truth[at])},
        "similarities": similarities | {CEILING: ssim(ceiling, truth[at])},
        "truth": frames[config.context - 1 :],
        "frames": jnp.concatenate([model.render(params, state)[None], futures[0]]),
    }


def _reconstruct(model: WorldModel, params: Params, key: PRNGKey, frame: Frame) -> Frame:
    """Encodes a frame and renders it again, without a tick in between."""
    nothing = jnp.zeros((0,), jnp.int32)
    return model.render(params, model.encode(params, frame[None], nothing, key))
