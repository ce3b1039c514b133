"""The figures of open-loop rollouts: PSNR and SSIM by method and horizon, over whole frames and over regions."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from oyster_jax.evaluate.bootstrap import Bootstrap, Estimate
from oyster_jax.evaluate.fidelity import psnr
from oyster_jax.evaluate.open_loop import CEILING, COPY_LAST, MODEL, OpenLoopMeasurements, Region
from oyster_jax.evaluate.seen import REGIONS


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegionFigures:
    """Figures of a region of `evaluate.seen`.

    Attributes:
      share: of all pixels, by horizon.
      psnr: in dB, by method and horizon.
      ssim: mean of the SSIM map at its places, by method and horizon.
      gain: PSNR of the model minus that of copy-last, in dB, by horizon.
      curves: pooled PSNR at every tick of a group, in dB, by method; keyed by the group's longest horizon.
    """

    share: dict[int, float]
    psnr: dict[str, dict[int, Estimate]]
    ssim: dict[str, dict[int, Estimate]]
    gain: dict[int, Estimate]
    curves: dict[int, dict[str, list[float]]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenLoopFigures:
    """The figures of an open-loop evaluation; errors are pooled over windows before the logarithm is taken.

    Attributes:
      horizons: open-loop ticks.
      windows: how many windows each horizon was measured on.
      episodes: in how many episodes these lie.
      psnr: in dB, by method and horizon.
      ssim: in (-1, 1], by method and horizon.
      gain: PSNR of the model minus that of copy-last, in dB, by horizon.
      ceiling_psnr: of the truth encoded and rendered again, over all horizons of the first group, in dB.
      ceiling_ssim: of the same.
      mean_psnr: the mean over windows of each one's PSNR, in dB, by method and horizon, for comparison with papers
        that average so; it flatters windows in which nothing moves.
      curves: pooled PSNR at every tick of a group, in dB, by method; keyed by the group's longest horizon.
      seen: over what the context showed; None where the recording does not tell where the camera was.
      earlier: over what any earlier true frame showed; None likewise.
      foreseen: over what the context showed, while it showed the way, too; None likewise.
    """

    horizons: tuple[int, ...]
    windows: dict[int, int]
    episodes: dict[int, int]
    psnr: dict[str, dict[int, Estimate]]
    ssim: dict[str, dict[int, Estimate]]
    gain: dict[int, Estimate]
    ceiling_psnr: Estimate
    ceiling_ssim: Estimate
    mean_psnr: dict[str, dict[int, float]]
    curves: dict[int, dict[str, list[float]]]
    seen: RegionFigures | None
    earlier: RegionFigures | None
    foreseen: RegionFigures | None


def open_loop_figures(groups: Sequence[OpenLoopMeasurements]) -> OpenLoopFigures:
    """Returns the figures of groups of windows, each with horizons of its own, the nearest first."""
    near = groups[0]
    bootstraps = [Bootstrap(group.windows.episodes, seed=group.config.seed) for group in groups]
    # Every horizon with the group that it was measured on.
    at = {h: (group, boot) for group, boot in zip(groups, bootstraps, strict=True) for h in group.config.horizons}
    tried = {
        method: {h: found for h, found in at.items() if method in found[0].config.methods}
        for method in near.config.methods
    }
    return OpenLoopFigures(
        horizons=tuple(at),
        windows={h: len(group.windows) for h, (group, _) in at.items()},
        episodes={h: len(np.unique(group.windows.episodes)) for h, (group, _) in at.items()},
        psnr=_estimates(tried, psnr, lambda group, m, h: (group.error(m, h),)),
        ssim=_estimates(tried, np.asarray, lambda group, m, h: (group.similarity(m, h),)),
        gain={
            h: boot.estimate(_difference, group.error(MODEL, h), group.error(COPY_LAST, h))
            for h, (group, boot) in at.items()
        },
        ceiling_psnr=bootstraps[0].estimate(psnr, near.errors[CEILING].mean(1)),
        ceiling_ssim=bootstraps[0].estimate(np.asarray, near.similarities[CEILING].mean(1)),
        mean_psnr={
            m: {h: float(np.mean(psnr(group.error(m, h)))) for h, (group, _) in tried[m].items()} for m in tried
        },
        curves={
            group.config.ticks: {
                m: psnr(np.mean(group.errors[m], axis=0, dtype=np.float64)).tolist()
                for m in group.config.methods
                if m != CEILING
            }
            for group in groups
        },
        **{region: _region(region, groups, at, tried) for region in REGIONS},
    )


type _Tried = dict[int, tuple[OpenLoopMeasurements, Bootstrap]]


def _estimates(
    tried: dict[str, _Tried],
    figure: Callable[..., np.ndarray],
    samples: Callable[[OpenLoopMeasurements, str, int], tuple[np.ndarray, ...]],
) -> dict[str, dict[int, Estimate]]:
    """Estimates a figure of every method at every horizon from what `samples` gives of the two."""
    return {
        m: {h: boot.estimate(figure, *samples(group, m, h)) for h, (group, boot) in found.items()}
        for m, found in tried.items()
    }


def _region(
    region: str, groups: Sequence[OpenLoopMeasurements], at: _Tried, tried: dict[str, _Tried]
) -> RegionFigures | None:
    if not all(region in group.regions for group in groups):
        return None
    return RegionFigures(
        share={h: float(np.mean(group.region_error(region, MODEL, h)[1])) for h, (group, _) in at.items()},
        psnr=_estimates(tried, _ratio_psnr, lambda group, m, h: group.region_error(region, m, h)),
        ssim=_estimates(tried, _ratio, lambda group, m, h: group.region_similarity(region, m, h)),
        gain={
            h: boot.estimate(_difference, *(group.region_error(region, m, h)[0] for m in (MODEL, COPY_LAST)))
            for h, (group, boot) in at.items()
        },
        curves={group.config.ticks: _curves(group.regions[region]) for group in groups},
    )


def _curves(region: Region) -> dict[str, list[float]]:
    share = np.mean(region.share, axis=0, dtype=np.float64)
    return {
        m: _ratio_psnr(np.mean(errors, axis=0, dtype=np.float64), share).tolist()
        for m, errors in region.errors.items()
        if m != CEILING
    }


def _difference(model: np.ndarray, held: np.ndarray) -> np.ndarray:
    return np.asarray(psnr(model) - psnr(held))


def _ratio(total: np.ndarray, share: np.ndarray) -> np.ndarray:
    # Where nothing was seen before there is no error either.
    return np.asarray(total / np.maximum(share, np.finfo(np.float32).tiny))


def _ratio_psnr(total: np.ndarray, share: np.ndarray) -> np.ndarray:
    return psnr(_ratio(total, share))
