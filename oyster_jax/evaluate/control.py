"""Whether a world heeds its actions: ΔPSNR, after Bruce et al. 2024 (Genie, https://arxiv.org/abs/2402.15391).

    ΔPSNR = PSNR under the true actions - PSNR under random actions

at one horizon, from the same state. It is 0 for a world that ignores its actions. The literature takes the mean of
per-window PSNR; the pooled figure takes the logarithm after the mean, as all other figures here do. Both are given.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int32

from oyster_jax.core.spec import ActionSpec
from oyster_jax.evaluate.bootstrap import Bootstrap, Estimate
from oyster_jax.evaluate.fidelity import psnr


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActionEffect:
    """ΔPSNR in dB.

    Attributes:
      pooled: PSNR of the mean error over windows.
      mean_of_windows: mean over windows of the PSNR of each.
    """

    pooled: Estimate
    mean_of_windows: Estimate


def random_actions(spec: ActionSpec, windows: int, ticks: int, seed: int) -> Int32[np.ndarray, "windows ticks"]:
    """Draws actions uniformly from a world's action set, for each window and tick."""
    # The second number keeps these draws apart from the choice of windows, which has the same seed.
    return np.random.default_rng([seed, 1]).integers(spec.count, size=(windows, ticks), dtype=np.int32)


def action_effect(
    under_true: Float[np.ndarray, "windows"], under_random: Float[np.ndarray, "windows"], bootstrap: Bootstrap
) -> ActionEffect:
    """Returns ΔPSNR from mean squared errors under the true and under random actions."""
    return ActionEffect(
        pooled=bootstrap.estimate(lambda true, other: psnr(true) - psnr(other), under_true, under_random),
        mean_of_windows=bootstrap.estimate(lambda true, other: true - other, psnr(under_true), psnr(under_random)),
    )
