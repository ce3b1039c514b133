"""Counterfactual pairs: one state, two scripts of actions. Does a learned world tell the two futures apart?

The exact simulator runs both scripts a and b from one state (`states`, `restore`), and so does the learned world from
one encoded state with one key. With true frames x and the world's frames x̂ after the same number of ticks, each pair
gives two rollouts:

    own PSNR       of x̂ᵃ against xᵃ, and of x̂ᵇ against xᵇ (mean squared errors pooled before the logarithm)
    other PSNR     of x̂ᵃ against xᵇ, and of x̂ᵇ against xᵃ
    nearer         share of rollouts with a smaller squared error to their own truth than to the other's, of pairs
                   whose truths differ by then; ½ is chance
    effect error   Σ ((x̂ᵃ - x̂ᵇ) - (xᵃ - xᵇ))² / Σ (xᵃ - xᵇ)² over pixels and pairs: the error of the treatment's
                   effect as an image; 0 is exact, 1 is a world in which actions do nothing
    displacement   | (p̂ᵃ - p̂ᵇ) - (pᵃ - pᵇ) | in tiles, with p the place of the camera: the same effect as a place

Treatment effects are the potential outcomes of Rubin (1974, https://doi.org/10.1037/h0037350), here both observed since
the simulator can be put back. A pair counts only if both branches live and their cameras part by a tile or more. The
figures do not say whether a branch is right in what both futures share; fidelity says that.
"""

import dataclasses

import numpy as np
from jaxtyping import Float32, Float64, Int32, UInt8

from oyster_jax.core.model import WorldModel
from oyster_jax.core.spec import ActionSpec
from oyster_jax.data.sources.source import Source
from oyster_jax.evaluate.bootstrap import Bootstrap, Estimate
from oyster_jax.evaluate.chunks import Progress
from oyster_jax.evaluate.fidelity import psnr
from oyster_jax.evaluate.horizons import check_ascending
from oyster_jax.evaluate.simulation import Simulated, simulate
from oyster_jax.evaluate.trials import TrialConfig, Trials, collect, with_entities
from oyster_jax.typing import Params

#: The two actions of each kind of pair, held for the whole trial.
PAIRS = (("left", "right"), ("noop", "right+jump"), ("right", "right+jump"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class CounterfactualConfig(TrialConfig):
    """How pairs are tried; the rest as in `TrialConfig`.

    Attributes:
      horizons: ticks at which figures are given, ascending.
      parted: tiles by which the true cameras must have parted at the last horizon.

    Raises:
      ValueError: the horizons do not ascend.
    """

    horizons: tuple[int, ...] = (1, 2, 4, 8, 16)
    parted: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ascending("Horizons", self.horizons)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CounterfactualMeasurements:
    """What was measured on each pair; squared errors are means over pixels, in [0, 1].

    Attributes:
      config: how.
      kinds: int32 `[pairs]`, index into `PAIRS`.
      levels: int32 `[pairs]`.
      own: float64 `[pairs, 2, horizons]`, of each rollout against its own truth.
      other: the same shape, against the other branch's truth.
      effect: float64 `[pairs, horizons]`, of the difference image against the true one.
      size: float64 `[pairs, horizons]`, mean square of the true difference image.
      displacement: float64 `[pairs, horizons]`, error in tiles; None where the world reads no position out.
      truth: uint8 `[shown, 2, 1 + ticks, height, width, 3]`.
      frames: the same shape, what the world showed.
    """

    config: CounterfactualConfig
    kinds: Int32[np.ndarray, "pairs"]
    levels: Int32[np.ndarray, "pairs"]
    own: Float64[np.ndarray, "pairs 2 horizons"]
    other: Float64[np.ndarray, "pairs 2 horizons"]
    effect: Float64[np.ndarray, "pairs horizons"]
    size: Float64[np.ndarray, "pairs horizons"]
    displacement: Float64[np.ndarray, "pairs horizons"] | None
    truth: UInt8[np.ndarray, "shown 2 ticks height width 3"]
    frames: UInt8[np.ndarray, "shown 2 ticks height width 3"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class BranchFigures:
    """Figures at one horizon.

    Attributes:
      own_psnr: dB.
      other_psnr: dB.
      gain: own less other, dB.
      nearer: share of rollouts nearer to their own truth.
      effect_error: 0 is exact, 1 is no effect.
      displacement_error: tiles; None where the world reads no position out.
    """

    own_psnr: Estimate
    other_psnr: Estimate
    gain: Estimate
    nearer: Estimate
    effect_error: Estimate
    displacement_error: Estimate | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class CounterfactualFigures:
    """Figures of counterfactual pairs.

    Attributes:
      pairs: how many of each kind, as in `left | right`.
      horizons: by ticks.
    """

    pairs: dict[str, int]
    horizons: dict[int, BranchFigures]


def measure_counterfactual(
    model: WorldModel,
    params: Params,
    source: Source,
    config: CounterfactualConfig | None = None,
    *,
    progress: Progress | None = None,
) -> CounterfactualMeasurements:
    """Tries a world on counterfactual pairs from the exact simulator `source`; the same seed gives the same numbers.

    Args:
      model: the world's model.
      params: its parameters.
      source: the simulator that the world was learned from.
      config: how.
      progress: told the pairs simulated and those to simulate.

    Raises:
      DatasetError: the simulator is not installed, tells of no entities, or is not of this world.
      ValueError: the world lacks an action that the pairs need.
    """
    config = config or CounterfactualConfig()

    def accept(kind: int, courses: Float32[np.ndarray, "environments 2 length 4"]) -> np.ndarray:
        del kind
        ends = courses[:, :, -1, :2]
        return np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1) >= config.parted

    trials = collect(source, _scripts(with_entities(source).spec.action, config), accept, config)
    return compare_branches(trials, simulate(model, params, trials, config, progress), config)


def _scripts(spec: ActionSpec, config: CounterfactualConfig) -> Int32[np.ndarray, "kinds 2 ticks"]:
    actions = np.array([[spec.parse(name) for name in pair] for pair in PAIRS], np.int32)
    return np.repeat(actions[:, :, None], config.horizons[-1], axis=2)


def compare_branches(trials: Trials, simulated: Simulated, config: CounterfactualConfig) -> CounterfactualMeasurements:
    """Sets what a world did in both branches beside what the simulator did."""
    at = np.array(config.horizons)
    true, said = (frames[:, :, at].astype(np.float32) / 255 for frames in (trials.truth, simulated.frames))
    change, expected = said[:, 0] - said[:, 1], true[:, 0] - true[:, 1]
    displacement = None
    if simulated.positions is not None:
        places = trials.courses[:, :, trials.context - 1 :, :2]
        apart = [(course[:, 0] - course[:, 1])[:, at] for course in (simulated.positions, places)]
        displacement = np.linalg.norm(apart[0] - apart[1], axis=-1).astype(np.float64)
    return CounterfactualMeasurements(
        config=config,
        kinds=trials.kinds,
        levels=trials.levels,
        own=_mean_square(said - true),
        other=_mean_square(said - true[:, ::-1]),
        effect=_mean_square(change - expected),
        size=_mean_square(expected),
        displacement=displacement,
        truth=trials.truth[trials.examples(config.shown)],
        frames=simulated.frames[trials.examples(config.shown)],
    )


def _mean_square(difference: np.ndarray) -> np.ndarray:
    return np.mean(np.square(difference), axis=(-3, -2, -1), dtype=np.float64)


def counterfactual_figures(measurements: CounterfactualMeasurements) -> CounterfactualFigures:
    """Returns the figures, with intervals over levels."""
    bootstrap = Bootstrap(measurements.levels, seed=measurements.config.seed)

    def at(index: int) -> BranchFigures:
        own, other = measurements.own[..., index], measurements.other[..., index]
        effect, size = measurements.effect[:, index], measurements.size[:, index]
        # Where both truths still show the same there is nothing to be nearer to.
        differ = (size > 0).astype(np.float64)
        nearer = np.where(own == other, 0.5, own < other).mean(axis=1) * differ
        apart = None if measurements.displacement is None else measurements.displacement[:, index]
        return BranchFigures(
            own_psnr=bootstrap.estimate(psnr, own.mean(axis=1)),
            other_psnr=bootstrap.estimate(psnr, other.mean(axis=1)),
            gain=bootstrap.estimate(lambda one, two: psnr(one) - psnr(two), own.mean(axis=1), other.mean(axis=1)),
            nearer=bootstrap.estimate(lambda right, of: right / np.maximum(of, 1e-9), nearer, differ),
            effect_error=bootstrap.estimate(lambda one, two: one / np.maximum(two, 1e-12), effect, size),
            displacement_error=None if apart is None else bootstrap.estimate(lambda mean: mean, apart),
        )

    return CounterfactualFigures(
        pairs={" | ".join(pair): int(np.sum(measurements.kinds == kind)) for kind, pair in enumerate(PAIRS)},
        horizons={horizon: at(index) for index, horizon in enumerate(measurements.config.horizons)},
    )
