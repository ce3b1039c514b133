"""What an evaluation looks like: PSNR over the horizon, and simulated frames below the true ones."""

import os
from pathlib import Path

import numpy as np

from oyster_jax.evaluate.open_loop import COPY_LAST, MODEL, RANDOM_ACTIONS, Measurements
from oyster_jax.evaluate.report import Figures
from oyster_jax.frames import contact_sheet, write_image

PLOT = "psnr.png"
SHEET = "frames.png"

#: White pixels between one window and the next, after scaling.
_SEAM = 12


def write_plot(folder: Path, figures: Figures, title: str) -> Path:
    """Draws PSNR at every open-loop tick and returns the picture's path."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    ticks = np.arange(1, figures.horizons[-1] + 1)
    for method, label, color, line in (
        (MODEL, "true actions", "tab:blue", "-"),
        (RANDOM_ACTIONS, "random actions", "tab:orange", "-"),
        (COPY_LAST, "last real frame held still", "tab:gray", "--"),
    ):
        axes.plot(ticks, figures.curves[method], label=label, color=color, linestyle=line)
    estimates = [figures.psnr[MODEL][h] for h in figures.horizons]
    reach = [[e.value - e.low for e in estimates], [e.high - e.value for e in estimates]]
    axes.errorbar(figures.horizons, [e.value for e in estimates], reach, fmt="o", color="tab:blue", capsize=3)
    axes.axhline(figures.ceiling_psnr.value, color="tab:green", linestyle=":", label="tokenizer (ceiling)")
    axes.set_xscale("log", base=2)
    axes.set_xticks(figures.horizons, [str(h) for h in figures.horizons])
    axes.set_xlabel("open-loop ticks")
    axes.set_ylabel("PSNR of the pooled error, dB")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend()
    path = folder / PLOT
    temporary = folder / f".{PLOT}.{os.getpid()}.png"
    figure.savefig(temporary, dpi=140)
    temporary.replace(path)
    return path


def write_sheet(folder: Path, measurements: Measurements, *, scale: int = 3) -> Path:
    """Lays out a few windows, the truth above the world, and returns the picture's path.

    The columns are `sheet_ticks`: the last context frame (tick 0), then open-loop ticks.
    """
    columns = list(sheet_ticks(measurements))
    pairs = [
        contact_sheet([truth[columns], frames[columns]], scale=scale)
        for truth, frames in zip(measurements.truth, measurements.frames, strict=True)
    ]
    seam = np.full((_SEAM, *pairs[0].shape[1:]), 255, np.uint8)
    parts = [part for pair in pairs for part in (pair, seam)][:-1]
    path = folder / SHEET
    write_image(path, np.concatenate(parts))
    return path


def sheet_ticks(measurements: Measurements) -> tuple[int, ...]:
    """Returns the ticks that the contact sheet shows, beginning with 0."""
    return tuple(sorted({0, 2, *measurements.config.horizons} & set(range(measurements.config.ticks + 1))))
