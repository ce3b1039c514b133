"""What an evaluation found: figures with their intervals, as JSON."""

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.manifest import MANIFEST, digest
from oyster_jax.evaluate.bootstrap import Bootstrap, Estimate
from oyster_jax.evaluate.control import ActionEffect, action_effect
from oyster_jax.evaluate.fidelity import psnr
from oyster_jax.evaluate.machine import machine, versions
from oyster_jax.evaluate.open_loop import CEILING, COPY_LAST, METHODS, MODEL, RANDOM_ACTIONS, Measurements

REPORT = "report.json"
SCHEMA_VERSION = 1

#: The horizon at which the literature gives ΔPSNR.
EFFECT_HORIZON = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figures:
    """The figures of an open-loop evaluation; errors are pooled over windows before the logarithm is taken.

    Attributes:
      horizons: open-loop ticks.
      psnr: in dB, by method and horizon.
      ssim: in (-1, 1], by method and horizon.
      gain: PSNR of the model minus that of copy-last, in dB, by horizon.
      ceiling_psnr: of the truth encoded and rendered again, over all horizons, in dB.
      ceiling_ssim: of the same.
      effect: ΔPSNR at 4 ticks; None where the evaluation has no such horizon.
      mean_psnr: the mean over windows of each one's PSNR, in dB, by method and horizon, for comparison with papers
        that average so; it flatters windows in which nothing moves.
      curves: pooled PSNR at every tick, in dB, by method.
    """

    horizons: tuple[int, ...]
    psnr: dict[str, dict[int, Estimate]]
    ssim: dict[str, dict[int, Estimate]]
    gain: dict[int, Estimate]
    ceiling_psnr: Estimate
    ceiling_ssim: Estimate
    effect: ActionEffect | None
    mean_psnr: dict[str, dict[int, float]]
    curves: dict[str, list[float]]


def figures(measurements: Measurements) -> Figures:
    """Returns the figures of what was measured."""
    horizons = measurements.config.horizons
    bootstrap = Bootstrap(measurements.windows.episodes, seed=measurements.config.seed)
    error, similarity = measurements.error, measurements.similarity

    def gain(horizon: int) -> Estimate:
        pair = error(MODEL, horizon), error(COPY_LAST, horizon)
        return bootstrap.estimate(lambda model, held: psnr(model) - psnr(held), *pair)

    effect = None
    if EFFECT_HORIZON in horizons:
        effect = action_effect(error(MODEL, EFFECT_HORIZON), error(RANDOM_ACTIONS, EFFECT_HORIZON), bootstrap)
    return Figures(
        horizons=horizons,
        psnr={m: {h: bootstrap.estimate(psnr, error(m, h)) for h in horizons} for m in METHODS},
        ssim={m: {h: bootstrap.estimate(np.asarray, similarity(m, h)) for h in horizons} for m in METHODS},
        gain={h: gain(h) for h in horizons},
        ceiling_psnr=bootstrap.estimate(psnr, measurements.errors[CEILING].mean(1)),
        ceiling_ssim=bootstrap.estimate(np.asarray, measurements.similarities[CEILING].mean(1)),
        effect=effect,
        mean_psnr={m: {h: float(np.mean(psnr(error(m, h)))) for h in horizons} for m in METHODS},
        curves={
            m: psnr(np.mean(measurements.errors[m], axis=0, dtype=np.float64)).tolist() for m in METHODS if m != CEILING
        },
    )


def report(
    figures: Figures, measurements: Measurements, dataset: EpisodeDataset, *, world: dict[str, Any], command: str
) -> dict[str, Any]:
    """Returns everything that someone needs to trust the figures and to measure them again, JSON-ready.

    Args:
      figures: of `measurements`.
      measurements: what was measured.
      dataset: on which recordings.
      world: what was tried: its name, digest and whatever else tells it from others.
      command: the command line.
    """
    provenance = dataset.manifest.provenance
    return {
        "schema_version": SCHEMA_VERSION,
        "world": world,
        "figures": dataclasses.asdict(figures),
        "config": dataclasses.asdict(measurements.config),
        "measured": {
            "windows": len(measurements.windows),
            "episodes": len(np.unique(measurements.windows.episodes)),
            "chosen": np.stack([measurements.windows.episodes, measurements.windows.starts], 1).tolist(),
        },
        "dataset": {
            "folder": str(dataset.folder),
            "manifest_sha256": digest(dataset.folder / MANIFEST),
            "source": provenance.source,
            "options": provenance.options,
            "split": provenance.split,
            "levels": provenance.levels,
            "policy": provenance.policy,
            "seed": provenance.seed,
            "frames": dataset.frames,
        },
        "machine": machine(),
        "versions": versions(),
        "command": command,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def write_report(folder: Path, report: dict[str, Any]) -> Path:
    """Writes `report.json` into `folder`, whole or not at all, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / REPORT
    temporary = folder / f".{REPORT}.{os.getpid()}"
    with temporary.open("w") as file:
        json.dump(report, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return path
