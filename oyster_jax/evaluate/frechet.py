"""Whether simulated frames, as a crowd, look like real ones: the Fréchet distance on judge features.

Two crowds of features are taken for Gaussians and their 2-Wasserstein distance is given, squared, after Heusel et al.
2017 (https://arxiv.org/abs/1706.08500) who took the features of an Inception network trained on photographs:

    d² = |μ_1 - μ_2|² + Tr( Σ_1 + Σ_2 - 2 (Σ_1 Σ_2)^½ )

Here the features are those of this project's own judge, trained on real frames of the game, so that numbers compare
with each other and with those of no other paper: it is no FID. The distance is biased upwards when there are few frames
(Chong and Forsyth 2020, https://arxiv.org/abs/1911.07023), more so the fewer; beside that of the simulated frames
stands the floor, that of the true frames of the same windows and ticks to the same reference of other real frames. What
this does not show: whether a frame is the right one, and anything that the judge does not look at.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.evaluate.open_loop import OpenLoopMeasurements

#: Features `[n, features]` of frames uint8 `[n, height, width, 3]`.
type Features = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrechetConfig:
    """How crowds are compared.

    Attributes:
      reference: real frames of the reference; fewer where the recording has fewer of other episodes.
      seed: of their choice.

    Raises:
      ValueError: a number is too small.
    """

    reference: int = 4096
    seed: int = 0

    def __post_init__(self) -> None:
        if self.reference < 2:
            raise ValueError(f"A reference needs at least 2 frames, but {self.reference} were asked for.")
        if self.seed < 0:
            raise ValueError(f"A seed is not negative, but {self.seed} was given.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrechetMeasurements:
    """Features of each crowd.

    Attributes:
      config: how.
      reference: of real frames, mostly of other episodes, `[frames, features]`.
      drawn: of simulated frames, by horizon, `[windows, features]`.
      real: of the true frames of the same windows and ticks.
    """

    config: FrechetConfig
    reference: np.ndarray
    drawn: dict[int, np.ndarray]
    real: dict[int, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrechetFigures:
    """Fréchet distances on judge features, by horizon.

    Attributes:
      frames: how many simulated frames each is from.
      reference: how many real frames they are compared with.
      distance: of simulated frames.
      floor: of as many real ones.
    """

    frames: dict[int, int]
    reference: int
    distance: dict[int, float]
    floor: dict[int, float]


def measure_frechet(
    features: Features, groups: Sequence[OpenLoopMeasurements], dataset: EpisodeDataset, config: FrechetConfig
) -> FrechetMeasurements:
    """Reads the features of frames that open-loop rollouts showed at their horizons, and of real ones.

    Args:
      features: of a frozen network.
      groups: rollouts, each with horizons of its own.
      dataset: the recording that they are of.
      config: how.
    """
    frames = _reference(groups, dataset, config)
    at = [(group, index, h) for group in groups for index, h in enumerate(group.config.horizons)]
    return FrechetMeasurements(
        config=config,
        reference=features(frames),
        drawn={h: features(group.drawn[:, index]) for group, index, h in at},
        real={h: features(group.real[:, index]) for group, index, h in at},
    )


def frechet_figures(measurements: FrechetMeasurements) -> FrechetFigures:
    """Returns the distances of every horizon."""
    reference = measurements.reference
    return FrechetFigures(
        frames={h: len(found) for h, found in measurements.drawn.items()},
        reference=len(reference),
        distance={h: frechet_distance(found, reference) for h, found in measurements.drawn.items()},
        floor={h: frechet_distance(found, reference) for h, found in measurements.real.items()},
    )


def frechet_distance(one: Float[np.ndarray, "n features"], other: Float[np.ndarray, "m features"]) -> float:
    """Returns the squared Fréchet distance of two crowds; fewer than two of either are taken for a point."""
    (mean, covariance), (other_mean, other_covariance) = _moments(one), _moments(other)
    root = _root(covariance)
    # The eigenvalues of Σ_1 Σ_2 are those of the symmetric Σ_1^½ Σ_2 Σ_1^½.
    shared = np.linalg.eigvalsh(root @ other_covariance @ root)
    trace = np.trace(covariance) + np.trace(other_covariance) - 2 * np.sqrt(np.maximum(shared, 0)).sum()
    return float(np.square(mean - other_mean).sum() + trace)


def _moments(crowd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    crowd = crowd.astype(np.float64)
    offsets = crowd - crowd.mean(0)
    return crowd.mean(0), offsets.T @ offsets / max(len(crowd) - 1, 1)


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def _reference(groups: Sequence[OpenLoopMeasurements], dataset: EpisodeDataset, config: FrechetConfig) -> np.ndarray:
    """Draws real frames, of episodes that no window is of where there are enough such frames."""
    episodes = np.repeat(np.arange(len(dataset)), dataset.lengths)
    ticks = np.concatenate([np.arange(length) for length in dataset.lengths])
    used = np.unique(np.concatenate([group.windows.episodes for group in groups]))
    # Frames of other episodes first; those of the windows' own follow only where these do not suffice.
    order = np.random.default_rng([config.seed, 6]).permutation(len(ticks))
    order = order[np.argsort(np.isin(episodes[order], used), kind="stable")][: config.reference]
    chosen = np.sort(order)
    return np.stack([dataset.window(int(episodes[i]), int(ticks[i]), 1, ("frames",))["frames"][0] for i in chosen])
