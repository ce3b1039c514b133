"""What an evaluation looks like: plots for light and dark pages, and clips."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from oyster_jax.evaluate.section import Clip, Plot
from oyster_jax.frames import write_clip

#: Grey pixels between the sides of a clip: games are often black, pages white.
_GAP, _GREY = 2, 128

#: Styles of matplotlib by what a plot's file name ends in.
_STYLES = {"": "default", "-dark": "dark_background"}


def write_plots(folder: Path, plots: Sequence[Plot]) -> list[Path]:
    """Draws every plot twice, as NAME.png and NAME-dark.png, and returns the paths of the first."""
    import matplotlib.style
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for plot in plots:
        for ending, style in _STYLES.items():
            with matplotlib.style.context(style):
                figure = Figure(figsize=(7, 4.2), layout="constrained")
                axes = figure.subplots()
                plot.draw(axes)
                axes.grid(alpha=0.3)
                path = folder / f"{plot.name}{ending}.png"
                temporary = folder / f".{path.name}.{os.getpid()}.png"
                figure.savefig(temporary, dpi=140)
            temporary.replace(path)
        paths.append(folder / f"{plot.name}.png")
    return paths


def write_clips(folder: Path, clips: Sequence[Clip], *, rate: float) -> list[Path]:
    """Writes every clip as NAME.webp, its sides beside each other, and returns the paths."""
    paths = []
    for clip in clips:
        path = folder / f"{clip.name}.webp"
        write_clip(path, _beside(list(clip.sides.values())), rate=clip.rate or rate)
        paths.append(path)
    return paths


def _beside(sides: list[np.ndarray]) -> np.ndarray:
    """Lays clips beside each other with a gap between."""
    gap = np.full((*sides[0].shape[:2], _GAP, 3), _GREY, np.uint8)
    return np.concatenate([part for side in sides for part in (side, gap)][:-1], axis=2)
