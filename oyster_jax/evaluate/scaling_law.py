"""Scaling laws: how a loss falls with parameters and with frames seen, as a formula to be asked beyond what was run.

The form is `L(N, D) = E + A / N^α + B / D^β` (arXiv 2203.15556), fitted as there: a Huber loss of the logarithms, from
a grid of beginnings.
"""

import dataclasses
import itertools
from typing import Self

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.special import logsumexp

#: Differences of logarithms beyond which a point counts by its distance, not by the square of it.
_HUBER = 1e-3


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScalingLaw:
    """A fitted law.

    Attributes:
      floor: E, the loss that no size and no data take away.
      size: A.
      size_power: α.
      data: B.
      data_power: β.
    """

    floor: float
    size: float
    size_power: float
    data: float
    data_power: float

    def __call__(
        self, parameters: Float[np.ndarray, "points"], frames: Float[np.ndarray, "points"]
    ) -> Float[np.ndarray, "points"]:
        """Returns the loss of runs with so many parameters after so many frames."""
        return self.floor + self.size * parameters**-self.size_power + self.data * frames**-self.data_power

    @classmethod
    def fit(
        cls,
        parameters: Float[np.ndarray, "points"],
        frames: Float[np.ndarray, "points"],
        losses: Float[np.ndarray, "points"],
    ) -> Self:
        """Fits a law to runs.

        Raises:
          ValueError: there are fewer points than unknowns, or fewer than two sizes or amounts of data.
        """
        if len(losses) < 5 or len(np.unique(parameters)) < 2 or len(np.unique(frames)) < 2:
            raise ValueError(
                f"A law has five unknowns, but {len(losses)} points of {len(np.unique(parameters))} sizes and "
                f"{len(np.unique(frames))} amounts of data were given; run more of them."
            )
        size, data, loss = np.log(parameters), np.log(frames), np.log(losses)

        def terms(x: np.ndarray) -> np.ndarray:
            e, a, alpha, b, beta = x
            return np.stack([np.full_like(loss, e), a - alpha * size, b - beta * data])

        def error(x: np.ndarray) -> float:
            apart = np.abs(logsumexp(terms(x), axis=0) - loss)
            return float(np.sum(np.where(apart < _HUBER, 0.5 * apart**2, _HUBER * (apart - 0.5 * _HUBER))))

        low = float(np.min(loss))
        grid = itertools.product((low - 2, low - 0.5), (0.0, 2.0, 5.0), (0.2, 0.5), (0.0, 2.0, 5.0), (0.2, 0.5))
        found = [minimize(error, begin, method="L-BFGS-B", bounds=_BOUNDS) for begin in grid]
        e, a, alpha, b, beta = min(found, key=lambda one: one.fun).x
        return cls(
            floor=float(np.exp(e)), size=float(np.exp(a)), size_power=float(alpha), data=float(np.exp(b)),
            data_power=float(beta),
        )  # fmt: skip


_BOUNDS = [(-20.0, 5.0), (-20.0, 25.0), (0.0, 3.0), (-20.0, 25.0), (0.0, 3.0)]
