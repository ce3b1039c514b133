"""Open-loop rollouts beside the truth: after some real frames the world goes on alone, under actions alone.

Each window of a held-out recording is simulated under the actions that were really taken and, where that is asked for,
from the same state under actions drawn uniformly from the world's action set. A world that heeds its actions does worse
with the wrong ones. Beside both stand the last real frame held still (copy-last), and the truth encoded and rendered
again (the ceiling: no rollout can be nearer to the truth than the tokenizer is). Where the recording tells where the
camera stood, every error is given for the part of the frame that was on screen before, too: see `evaluate.seen`.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.model import WorldModel
from oyster_jax.data.camera import camera_positions, follows_agent
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.evaluate.batch import BLOCK, begin, reconstruct, render, simulate, window_keys
from oyster_jax.evaluate.chunks import Progress, padded_chunks
from oyster_jax.evaluate.control import random_actions
from oyster_jax.evaluate.fidelity import interior, squared_errors, ssim_map
from oyster_jax.evaluate.horizons import check_ascending
from oyster_jax.evaluate.seen import EARLIER, FORESEEN, SEEN, foreseen, seen_masks
from oyster_jax.evaluate.windows import Windows, check_dataset, choose_windows, read_windows
from oyster_jax.typing import Array, Params

#: What is compared with the truth.
MODEL, COPY_LAST, RANDOM_ACTIONS, CEILING = METHODS = ("model", "copy_last", "random_actions", "ceiling")


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenLoopConfig:
    """How a world is tried.

    Attributes:
      windows: how many stretches of recordings.
      context: real frames that the world sees before it goes on alone.
      horizons: open-loop ticks at which figures are given, ascending.
      random: whether each window is tried under random actions too.
      spread: whether windows are of different episodes as far as there are enough, rather than from uniform places.
      seed: of the choice of windows, of the random actions and of the world's own randomness.
      chunk: windows simulated at once; more need more memory and change no figure beyond rounding.
      shown: windows whose frames are kept for pictures.

    Raises:
      ValueError: a number is not positive, or the horizons do not ascend.
    """

    windows: int = 256
    context: int = 8
    horizons: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    random: bool = True
    spread: bool = False
    seed: int = 0
    chunk: int = 32
    shown: int = 6

    def __post_init__(self) -> None:
        for name in ("windows", "context", "chunk"):
            if getattr(self, name) < 1:
                raise ValueError(f"An evaluation needs at least 1 of its {name}, but {getattr(self, name)} was given.")
        check_ascending("Horizons", self.horizons)
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

    @property
    def methods(self) -> tuple[str, ...]:
        """What is compared with the truth."""
        return tuple(method for method in METHODS if self.random or method != RANDOM_ACTIONS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Region:
    """The same errors over a part of each frame; sums, so that means can be pooled.

    Attributes:
      share: of the frame's pixels, float32 `[windows, ticks]`.
      errors: by method, squared error of these pixels over all pixels of the frame, float32 `[windows, ticks]`, so that
        `errors / share` is their mean; the ceiling's `[windows, horizons]`.
      places: share of the places of SSIM whose middle lies in the part, float32 `[windows, horizons]`.
      similarities: by method, SSIM of these places over all places, float32 `[windows, horizons]`.
      masks: bool `[windows, horizons, height, width]`, which pixels.
    """

    share: np.ndarray
    errors: dict[str, np.ndarray]
    places: np.ndarray
    similarities: dict[str, np.ndarray]
    masks: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenLoopMeasurements:
    """What was measured on each window, before any mean is taken.

    Attributes:
      config: how.
      windows: on which stretches.
      errors: by method, mean squared errors in [0, 1], float32 `[windows, ticks]`; the ceiling's `[windows, horizons]`.
      similarities: by method, SSIM, float32 `[windows, horizons]`.
      regions: the same by region of `evaluate.seen`; empty where the recording does not tell where the camera was.
      real: uint8 `[windows, horizons, height, width, 3]`, the true frames at the horizons.
      drawn: the same shape, what the world showed there.
      truth: uint8 `[shown, 1 + ticks, height, width, 3]`, the first windows, each from its last context frame on.
      frames: the same shape, what the world showed there.
    """

    config: OpenLoopConfig
    windows: Windows
    errors: dict[str, np.ndarray]
    similarities: dict[str, np.ndarray]
    regions: dict[str, Region]
    real: np.ndarray
    drawn: np.ndarray
    truth: np.ndarray
    frames: np.ndarray

    def error(self, method: str, horizon: int) -> np.ndarray:
        """Returns mean squared errors `[windows]` of a method after `horizon` ticks, one of the config's horizons."""
        return self.errors[method][:, self._column(method, horizon)]

    def region_error(self, region: str, method: str, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns summed squared errors `[windows]` over a region, and its share of the frame `[windows]`."""
        found = self.regions[region]
        return found.errors[method][:, self._column(method, horizon)], found.share[:, horizon - 1]

    def similarity(self, method: str, horizon: int) -> np.ndarray:
        """Returns SSIM `[windows]` of a method after `horizon` ticks, one of the config's horizons."""
        return self.similarities[method][:, self.config.horizons.index(horizon)]

    def region_similarity(self, region: str, method: str, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns summed SSIM `[windows]` over a region, and its share of all places `[windows]`."""
        found, column = self.regions[region], self.config.horizons.index(horizon)
        return found.similarities[method][:, column], found.places[:, column]

    def _column(self, method: str, horizon: int) -> int:
        return self.config.horizons.index(horizon) if method == CEILING else horizon - 1


def measure_open_loop(
    model: WorldModel,
    params: Params,
    dataset: EpisodeDataset,
    config: OpenLoopConfig,
    progress: Progress | None = None,
) -> OpenLoopMeasurements:
    """Tries a world on held-out recordings; the same seed gives the same numbers.

    Raises:
      DatasetError: the recordings are not held out, not of this world, too short or damaged.
    """
    check_dataset(dataset, model.spec)
    windows = choose_windows(dataset.lengths, config.length, config.windows, config.seed, spread=config.spread)
    others = random_actions(model.spec.action, len(windows), config.ticks, config.seed)
    results, done = [], 0
    for chosen, count in padded_chunks(len(windows), min(config.chunk, len(windows))):
        result = _try_chunk(model, params, dataset, config, windows, chosen, others[chosen])
        result = jax.tree.map(lambda array, count=count: array[:count], result)
        missing = max(config.shown - done, 0)
        results.append(result | {name: result[name][:missing] for name in ("truth", "frames")})
        done += count
        if progress is not None:
            progress(done, len(windows))
    joined = jax.tree.map(lambda *arrays: np.concatenate(arrays), *results)
    regions = {name: Region(**found) for name, found in joined.pop("regions").items()}
    return OpenLoopMeasurements(config=config, windows=windows, regions=regions, **joined)


def _try_chunk(
    model: WorldModel,
    params: Params,
    dataset: EpisodeDataset,
    config: OpenLoopConfig,
    windows: Windows,
    chosen: np.ndarray,
    others: np.ndarray,
) -> dict[str, Any]:
    """Measures the chosen windows; all arrays lead with them."""
    frames, actions, masks = _read(dataset, windows, chosen, config)
    last, keys = config.context - 1, window_keys(config.seed, chosen)
    truth = frames[:, config.context :]
    states = begin(model, params, frames[:, : config.context], actions[:, :last], keys)
    shown = {MODEL: simulate(model, params, states, actions[:, last:])}
    shown[COPY_LAST] = np.broadcast_to(frames[:, last : last + 1], truth.shape)
    if config.random:
        shown[RANDOM_ACTIONS] = simulate(model, params, states, others)
    at = np.asarray(config.horizons) - 1
    ceiling = np.asarray(reconstruct(model, params, truth[:, at], keys))
    scored = {method: _score(drawn, truth, masks, at) for method, drawn in shown.items()}
    masks_at = {region: mask[:, at] for region, mask in masks.items()}
    scored[CEILING] = _score(ceiling, truth[:, at], masks_at, np.arange(len(at)))
    first = np.asarray(render(model, params, states))[:, None]
    return {
        "errors": {method: score["errors"] for method, score in scored.items()},
        "similarities": {method: score["similarities"] for method, score in scored.items()},
        "regions": {
            region: {
                "share": mask.mean((2, 3), dtype=np.float32),
                "errors": {method: score["regions"][region] for method, score in scored.items()},
                "places": interior(masks_at[region]).mean((2, 3), dtype=np.float32),
                "similarities": {method: score["similar_regions"][region] for method, score in scored.items()},
                "masks": masks_at[region],
            }
            for region, mask in masks.items()
        },
        "real": truth[:, at],
        "drawn": shown[MODEL][:, at],
        "truth": frames[:, last:],
        "frames": np.concatenate([first, shown[MODEL]], 1),
    }


def _read(
    dataset: EpisodeDataset, windows: Windows, chosen: np.ndarray, config: OpenLoopConfig
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Reads frames `[chunk, length, …]` and the actions between them, and finds the regions of the later frames."""
    places = "entities" in dataset.content and follows_agent(dataset.spec)
    names = ("frames", "actions", *(("entities",) if places else ()))
    read = read_windows(dataset, windows, chosen, config.length, names)
    masks = {}
    if places:
        height, width, _ = dataset.spec.frame.shape
        cameras = [camera_positions(dataset.spec, entities) for entities in read["entities"]]
        for region, shown in ((SEEN, config.context), (EARLIER, None)):
            masks[region] = np.stack(
                [seen_masks(camera, height, width, config.context, shown=shown) for camera in cameras]
            )
        masks[FORESEEN] = np.stack([foreseen(mask) for mask in masks[SEEN]])
    return read["frames"], read["actions"][:, :-1], masks


def _score(drawn: np.ndarray, truth: np.ndarray, masks: dict[str, np.ndarray], at: np.ndarray) -> dict[str, Any]:
    """Compares frames `[chunk, ticks, …]` with the truth: errors at every tick, SSIM at the ticks `at`."""
    blocks = [
        _errors(*jax.tree.map(lambda array, first=first: array[:, first : first + BLOCK], (drawn, truth, masks)))
        for first in range(0, drawn.shape[1], BLOCK)
    ]
    errors = jax.tree.map(lambda *arrays: np.concatenate(arrays, 1), *blocks)
    similarities = _similarities(drawn[:, at], truth[:, at], {region: mask[:, at] for region, mask in masks.items()})
    return errors | jax.tree.map(np.asarray, similarities)


@jax.jit
def _errors(drawn: Array, truth: Array, masks: dict[str, Array]) -> dict[str, Any]:
    errors = squared_errors(drawn, truth)
    return {"errors": jnp.mean(errors, (-2, -1)), "regions": _within(errors, masks)}


@jax.jit
def _similarities(drawn: Array, truth: Array, masks: dict[str, Array]) -> dict[str, Any]:
    places = ssim_map(drawn, truth)
    inner = {region: interior(mask) for region, mask in masks.items()}
    return {"similarities": jnp.mean(places, (-2, -1)), "similar_regions": _within(places, inner)}


def _within(values: Array, masks: dict[str, Array]) -> dict[str, Array]:
    """Returns for each region the sum of its values over the number of all."""
    return {region: jnp.mean(values * mask.astype(jnp.float32), (-2, -1)) for region, mask in masks.items()}
