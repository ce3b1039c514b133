"""What a world invents where nobody can know: is it varied, and does it look like the game?

Of a window's frames the context showed some places of the level (`evaluate.seen`); all other pixels are *revealed*
later. The same window is simulated several times under the true actions, with other keys.

Diversity is how far these rollouts x_1 … x_S are from each other over the revealed pixels, and beside it how far they
are from the truth y, both as root mean squares of values in [0, 1], pooled over windows:

    diversity = sqrt( mean over pairs i < j of (x_i - x_j)² ),    error = sqrt( mean over i of (x_i - y)² )

If the truth could be one more of the rollouts, the two are equal on average, so that `spread = diversity / error` is 1
for a world whose inventions vary as much as reality does, and 0 for one that always invents the same (the spread-skill
ratio of ensemble forecasts, Fortin et al. 2014, https://doi.org/10.1175/JHM-D-14-0008.1).

Plausibility is how near revealed patches of 8 × 8 pixels are to some real patch: the root mean squared distance to the
nearest of many patches from held-out frames of other episodes, over the same for the true patches of the same places:

    implausibility = mean over model patches of min_r |p - r| / mean over true patches of min_r |p - r|

1 is as near as reality is to itself, more is less like the game. What this does not show: a flat patch of sky is near
some real patch wherever it stands, so a world that reveals nothing but sky has less than 1; `texture`, the mean
standard deviation within model patches over that within true ones, tells (1 is right, 0 is flat). Nor does it show
whether patches fit together.
"""

import dataclasses

import numpy as np
from jaxtyping import Float32, UInt8

from oyster_jax.core.model import WorldModel
from oyster_jax.data.camera import camera_positions, follows_agent
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.batch import begin, simulate, window_keys
from oyster_jax.evaluate.bootstrap import Bootstrap, Estimate
from oyster_jax.evaluate.chunks import Progress, padded_chunks
from oyster_jax.evaluate.horizons import check_ascending
from oyster_jax.evaluate.patches import Patches, nearest, revealed_patches, sample_patches
from oyster_jax.evaluate.seen import seen_masks
from oyster_jax.evaluate.windows import Windows, check_dataset, choose_windows, read_windows
from oyster_jax.typing import Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class RevealedConfig:
    """How inventions are tried.

    Attributes:
      windows: how many stretches of recordings.
      samples: rollouts of each, at least 2.
      context: real frames that the world sees before it goes on alone.
      horizons: open-loop ticks at which figures are given, ascending.
      bank: real patches among which the nearest is looked for.
      seed: of windows, patches and the world's own randomness.
      chunk: windows simulated at once.

    Raises:
      ValueError: a number is too small, or the horizons do not ascend.
    """

    windows: int = 64
    samples: int = 4
    context: int = 8
    horizons: tuple[int, ...] = (8, 16, 32)
    bank: int = 20_000
    seed: int = 0
    chunk: int = 8

    def __post_init__(self) -> None:
        for name, least in (("windows", 1), ("samples", 2), ("context", 1), ("bank", 1), ("chunk", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"Inventions need {name} of at least {least}, but {getattr(self, name)} was given.")
        check_ascending("Horizons", self.horizons)

    @property
    def length(self) -> int:
        """Frames of a window: the context and the truth after it."""
        return self.context + self.horizons[-1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RevealedMeasurements:
    """What was measured on each window and horizon, before any mean is taken.

    Attributes:
      config: how.
      windows: on which stretches.
      share: revealed pixels over all, `[windows, horizons]`.
      spread: squared distance between rollouts, mean over pairs, summed over revealed pixels over all pixels.
      error: squared distance from the truth, likewise.
      patches: how many patches were compared, `[windows, horizons]`.
      distances: sums over these of the distance to the nearest real patch, by whose patches they are, model or truth.
      textures: sums of the standard deviation within a patch, likewise.
      truth: uint8 `[shown, ticks, height, width, 3]`, of windows in which much is revealed.
      frames: uint8 `[shown, 2, ticks, height, width, 3]`, two rollouts of each.
    """

    config: RevealedConfig
    windows: Windows
    share: Float32[np.ndarray, "windows horizons"]
    spread: Float32[np.ndarray, "windows horizons"]
    error: Float32[np.ndarray, "windows horizons"]
    patches: Float32[np.ndarray, "windows horizons"]
    distances: dict[str, np.ndarray]
    textures: dict[str, np.ndarray]
    truth: UInt8[np.ndarray, "shown ticks height width 3"]
    frames: UInt8[np.ndarray, "shown 2 ticks height width 3"]


#: Whose patches.
MODEL, TRUTH = WHOSE = ("model", "truth")

#: Windows whose frames are kept for clips.
_SHOWN = 3


def measure_revealed(
    model: WorldModel,
    params: Params,
    dataset: EpisodeDataset,
    config: RevealedConfig,
    progress: Progress | None = None,
) -> RevealedMeasurements:
    """Tries what a world invents; the same seed gives the same numbers.

    Raises:
      DatasetError: the recordings are not held out, not of this world, too short, or do not tell where the camera was.
    """
    check_dataset(dataset, model.spec)
    if "entities" not in dataset.content or not follows_agent(dataset.spec):
        raise DatasetError(
            f"{dataset.folder} does not tell where the camera was, so that nobody knows what was revealed; record a "
            "game whose camera is known, with its entities."
        )
    windows = choose_windows(dataset.lengths, config.length, config.windows, config.seed, spread=True)
    bank = sample_patches(dataset, config.bank, config.seed)
    found, clips = [], []
    for chosen, count in padded_chunks(len(windows), config.chunk):
        truth, masks, drawn = _rollouts(model, params, dataset, config, windows, chosen)
        for index in range(count):
            number = int(chosen[index])
            found.append(
                _compare(truth[index], masks[index], drawn[index], bank, int(windows.episodes[number]), config)
            )
            clips.append((float(masks[index][-1].mean()), number, truth[index], drawn[index, :2]))
        clips = sorted(clips, key=lambda clip: (-clip[0], clip[1]))[:_SHOWN]
        if progress is not None:
            progress(len(found), len(windows))
    columns = {name: np.stack([one[name] for one in found]).astype(np.float32) for name in found[0]}
    return RevealedMeasurements(
        config=config,
        windows=windows,
        **{name: columns[name] for name in ("share", "spread", "error", "patches")},
        distances={whose: columns[f"{whose}_distance"] for whose in WHOSE},
        textures={whose: columns[f"{whose}_texture"] for whose in WHOSE},
        truth=np.stack([clip[2] for clip in clips]),
        frames=np.stack([clip[3] for clip in clips]),
    )


def _rollouts(
    model: WorldModel,
    params: Params,
    dataset: EpisodeDataset,
    config: RevealedConfig,
    windows: Windows,
    chosen: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns true frames `[chunk, ticks, …]`, which of their pixels are revealed, and `samples` rollouts of each."""
    read = read_windows(dataset, windows, chosen, config.length, ("frames", "actions", "entities"))
    height, width, _ = dataset.spec.frame.shape
    masks = [
        ~seen_masks(camera_positions(dataset.spec, entities), height, width, config.context, shown=config.context)
        for entities in read["entities"]
    ]
    frames, actions = read["frames"], read["actions"]
    last, rows = config.context - 1, np.repeat(np.arange(len(chosen)), config.samples)
    numbers = chosen[rows] * config.samples + np.tile(np.arange(config.samples, dtype=np.int32), len(chosen))
    keys = window_keys(config.seed, numbers.astype(np.int32))
    states = begin(model, params, frames[rows, : config.context], actions[rows, :last], keys)
    drawn = simulate(model, params, states, actions[rows, last:-1])
    return (
        frames[:, config.context :],
        np.stack(masks),
        drawn.reshape(len(chosen), config.samples, *drawn.shape[1:]),
    )


def _compare(
    truth: np.ndarray, masks: np.ndarray, drawn: np.ndarray, bank: Patches, episode: int, config: RevealedConfig
) -> dict[str, np.ndarray]:
    """Measures one window: true frames `[ticks, …]`, masks `[ticks, …]`, rollouts `[samples, ticks, …]`."""
    at = np.asarray(config.horizons) - 1
    true, mask, model = truth[at] / np.float32(255), masks[at], drawn[:, at] / np.float32(255)
    pairs = [(i, j) for i in range(config.samples) for j in range(i)]
    spread = np.mean([np.square(model[i] - model[j]).mean(-1) for i, j in pairs], axis=0)
    error = np.square(model - true).mean((0, -1))
    found: dict[str, list[float]] = {
        name: [] for name in ("patches", *(f"{whose}_{what}" for whose in WHOSE for what in ("distance", "texture")))
    }
    for index in range(len(at)):
        for whose, frame in ((MODEL, model[0, index]), (TRUTH, true[index])):
            patches = revealed_patches(frame, mask[index])
            found[f"{whose}_distance"].append(float(nearest(patches, bank, other_than=episode).sum()))
            found[f"{whose}_texture"].append(float(patches.std(axis=1).sum()))
        found["patches"].append(len(patches))
    return {
        "share": mask.mean((1, 2)),
        "spread": (spread * mask).mean((1, 2)),
        "error": (error * mask).mean((1, 2)),
    } | {name: np.asarray(values) for name, values in found.items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class InventionFigures:
    """Figures at one horizon; None where nothing was revealed.

    Attributes:
      share: of the frame that was revealed.
      diversity: root mean squared distance between rollouts, in [0, 1].
      error: the same from the truth.
      spread: `diversity / error`; 1 varies as much as reality, 0 not at all.
      patches: how many patches were compared.
      distance: mean distance of model patches to the nearest real one.
      real_distance: of the true patches of the same places.
      implausibility: `distance / real_distance`; 1 is as plausible as reality.
      texture: standard deviation within model patches over that within true ones.
    """

    share: float
    diversity: Estimate | None
    error: Estimate | None
    spread: Estimate | None
    patches: int
    distance: Estimate | None
    real_distance: Estimate | None
    implausibility: Estimate | None
    texture: Estimate | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RevealedFigures:
    """Figures by horizon, and on how much they were measured."""

    windows: int
    samples: int
    horizons: dict[int, InventionFigures]


def revealed_figures(measurements: RevealedMeasurements) -> RevealedFigures:
    """Returns the figures, with intervals over episodes."""
    config = measurements.config
    bootstrap = Bootstrap(measurements.windows.episodes, seed=config.seed)
    return RevealedFigures(
        windows=len(measurements.windows),
        samples=config.samples,
        horizons={h: _at(measurements, index, bootstrap) for index, h in enumerate(config.horizons)},
    )


def _at(measurements: RevealedMeasurements, index: int, bootstrap: Bootstrap) -> InventionFigures:
    share, spread, error, patches = (
        getattr(measurements, name)[:, index] for name in ("share", "spread", "error", "patches")
    )
    distance, real_distance = (measurements.distances[whose][:, index] for whose in WHOSE)
    texture, real_texture = (measurements.textures[whose][:, index] for whose in WHOSE)

    def estimate(above: np.ndarray, below: np.ndarray, *, root: bool = False) -> Estimate | None:
        if not below.sum():
            return None
        ratio = bootstrap.estimate(lambda a, b: np.asarray(a / np.maximum(b, 1e-12)), above, below)
        return Estimate(**{k: v**0.5 for k, v in dataclasses.asdict(ratio).items()}) if root else ratio

    return InventionFigures(
        share=float(share.mean()),
        diversity=estimate(spread, share, root=True),
        error=estimate(error, share, root=True),
        spread=estimate(spread, error, root=True),
        patches=int(patches.sum()),
        distance=estimate(distance, patches),
        real_distance=estimate(real_distance, patches),
        implausibility=estimate(distance, real_distance),
        texture=estimate(texture, real_texture),
    )
