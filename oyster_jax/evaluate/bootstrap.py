"""How sure a figure is: 95 % intervals from resampling the episodes it was measured on.

The percentile bootstrap (Efron 1979, https://doi.org/10.1214/aos/1176344552), by whole episodes: windows of one episode
resemble each other, and resampling them one by one would make the intervals too narrow.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

#: Of a figure with its interval's two ends.
PERCENTILES = (2.5, 97.5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure and its 95 % interval.

    Attributes:
      value: from all windows.
      low: lower end.
      high: upper end.
    """

    value: float
    low: float
    high: float


class Bootstrap:
    """Estimates figures that are functions of means over windows.

    Args:
      episodes: int `[windows]`, which episode each window lies in.
      seed: of the resampling.
      resamples: how many.
    """

    def __init__(self, episodes: np.ndarray, *, seed: int, resamples: int = 1000) -> None:
        _, members = np.unique(episodes, return_inverse=True)
        count = int(members.max()) + 1
        generator = np.random.default_rng(seed)
        drawn = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
        weights = drawn[:, members].astype(np.float64)
        self._weights = weights / weights.sum(1, keepdims=True)

    def estimate(self, figure: Callable[..., np.ndarray], *samples: np.ndarray) -> Estimate:
        """Returns `figure(mean of samples[0], mean of samples[1], …)` with its interval.

        Args:
          figure: works on arrays of any shape, element by element.
          *samples: float `[windows]` each.
        """
        value = figure(*(np.asarray(np.mean(sample, dtype=np.float64)) for sample in samples))
        low, high = np.percentile(figure(*(self._weights @ sample for sample in samples)), PERCENTILES)
        return Estimate(value=float(value), low=float(low), high=float(high))
