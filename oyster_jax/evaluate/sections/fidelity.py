"""How close simulated frames stay to the true ones, from 1 tick to 256."""

import dataclasses
from typing import Any

import numpy as np

from oyster_jax.evaluate.open_loop import CEILING, COPY_LAST, MODEL, RANDOM_ACTIONS, OpenLoopMeasurements
from oyster_jax.evaluate.open_loop_figures import OpenLoopFigures, RegionFigures, open_loop_figures
from oyster_jax.evaluate.section import Clip, Plot, Section, Table, cell, value
from oyster_jax.evaluate.suite import Suite

_LINES = {
    MODEL: ("true actions", "tab:blue", "-"),
    RANDOM_ACTIONS: ("random actions", "tab:orange", "-"),
    COPY_LAST: ("last real frame held still", "tab:gray", "--"),
}

_ABOUT = (
    "Each world is shown {context} real frames of a level that it was never trained on, and then goes on alone under "
    "the actions that were really taken. Its frames are compared with the true ones: PSNR of the squared error "
    "pooled over windows (higher is better, 3 dB more is half the error) and SSIM (1 is equal). Copy-last holds the "
    "last real frame still; the ceiling is the truth encoded and decoded again. Terrain that was never shown cannot "
    "be known, so the seen region counts only pixels whose place in the level was on screen in the real frames that "
    "the world was shown, by the simulator's camera. The column 'earlier' counts places of any earlier true frame "
    "instead, most of which it never saw. 'Foreseen' counts the seen region of windows in which the context also "
    "showed all that the agent came near so far, so that its way could be known; the share is of pixels, as before."
)


def run(suite: Suite) -> Section:
    """Measures fidelity.

    Raises:
      DatasetError: the recording is not held out, not of this world, or too short.
    """
    groups = [suite.near, *suite.far]
    found = open_loop_figures(groups)
    seen_tables = ()
    if found.seen is not None and found.earlier is not None and found.foreseen is not None:
        seen_tables = (_seen_table(found, found.seen, found.earlier, found.foreseen),)
    return Section(
        name="fidelity",
        title="Fidelity",
        about=_ABOUT.format(context=suite.context),
        figures=dataclasses.asdict(found),
        tables=(_table(suite, found), *seen_tables),
        plots=_plots(suite, found),
        clips=_clips(groups),
    )


def _table(suite: Suite, found: OpenLoopFigures) -> Table:
    rows = tuple(
        (
            str(h),
            cell(found.psnr[MODEL][h]),
            value(found.psnr[COPY_LAST][h]),
            cell(found.gain[h], sign="+"),
            value(found.psnr[RANDOM_ACTIONS].get(h)),
            value(found.ssim[MODEL][h], 3),
            value(found.ssim[COPY_LAST][h], 3),
        )
        for h in found.horizons
    )
    notes = (
        f"Tokenizer alone (ceiling): PSNR {cell(found.ceiling_psnr)} dB, SSIM {value(found.ceiling_ssim, 3)}.",
        (
            f"PSNR in dB of the error pooled over windows of {suite.dataset.folder}, seed {suite.seed}; "
            "±: 95 % over episodes."
        ),
    )
    counts = ", ".join(f"{found.windows[h]} windows of {found.episodes[h]} episodes at {h}" for h in _last(found))
    return Table(
        title=f"{suite.name} on held-out levels: {suite.context} real frames, then alone under the true actions",
        columns=("ticks", "PSNR", "copy-last", "gain", "random", "SSIM", "copy-last"),
        rows=rows,
        notes=(*notes, f"{counts} ticks."),
    )


def _last(found: OpenLoopFigures) -> list[int]:
    """Returns the last horizon of every group of windows."""
    return list(found.curves)


def _seen_table(found: OpenLoopFigures, seen: RegionFigures, earlier: RegionFigures, foreseen: RegionFigures) -> Table:
    rows = tuple(
        (
            str(h),
            f"{100 * seen.share[h]:.0f} %",
            cell(seen.psnr[MODEL][h]),
            value(seen.psnr[COPY_LAST][h]),
            cell(seen.gain[h], sign="+"),
            value(seen.psnr[CEILING][h]),
            value(seen.ssim[MODEL][h], 3),
            value(earlier.psnr[MODEL][h]),
            cell(foreseen.psnr[MODEL][h]) if foreseen.share[h] > 0 else "",
            f"{100 * foreseen.share[h]:.0f} %",
        )
        for h in found.horizons
    )
    return Table(
        title="The same over the seen region: places of the level that the context showed",
        columns=("ticks", "share", "PSNR", "copy-last", "gain", "ceiling", "SSIM", "earlier", "foreseen", "its share"),
        rows=rows,
    )


def _plots(suite: Suite, found: OpenLoopFigures) -> tuple[Plot, ...]:
    title = f"{suite.name} on held-out levels"
    whole = Plot(
        name="psnr",
        caption="PSNR of the whole frame at every open-loop tick; a line for each group of windows.",
        draw=lambda axes: _draw(axes, found, found, title),
    )
    if (seen := found.seen) is None:
        return (whole,)
    return whole, Plot(
        name="psnr_seen",
        caption="PSNR of the seen region at every open-loop tick.",
        draw=lambda axes: _draw(axes, found, seen, f"{title}: the seen region"),
    )


def _draw(axes: Any, found: OpenLoopFigures, drawn: OpenLoopFigures | RegionFigures, title: str) -> None:
    """Draws PSNR at every tick, each group from where the one before it ends."""
    first = 0
    for last, curves in drawn.curves.items():
        for method, curve in curves.items():
            label, color, line = _LINES[method]
            ticks = np.arange(first, len(curve))
            axes.plot(ticks + 1, np.asarray(curve)[ticks], label=None if first else label, color=color, linestyle=line)
        first = last
    estimates = [drawn.psnr[MODEL][h] for h in found.horizons]
    reach = [[e.value - e.low for e in estimates], [e.high - e.value for e in estimates]]
    axes.errorbar(found.horizons, [e.value for e in estimates], reach, fmt="o", color="tab:blue", capsize=3)
    axes.axhline(found.ceiling_psnr.value, color="tab:green", linestyle=":", label="tokenizer (ceiling)")
    axes.set_xscale("log", base=2)
    axes.set_xticks(found.horizons, [str(h) for h in found.horizons])
    axes.set_xlabel("open-loop ticks")
    axes.set_ylabel("PSNR of the pooled error, dB")
    axes.set_title(title)
    axes.legend()


def _clips(groups: list[OpenLoopMeasurements]) -> tuple[Clip, ...]:
    return tuple(
        Clip(
            name=f"fidelity_{group.config.ticks}_{index}",
            caption=f"{group.config.ticks} ticks alone, window {index + 1}",
            sides={"truth": truth, "model": frames},
        )
        for group in groups
        for index, (truth, frames) in enumerate(zip(group.truth[:4], group.frames[:4], strict=True))
    )
