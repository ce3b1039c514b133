"""Whether a world wears out when it runs for long."""

import dataclasses
from typing import Any

import numpy as np

from oyster_jax.evaluate.drift import DriftConfig, DriftMeasurements, measure_drift
from oyster_jax.evaluate.drift_figures import DriftFigures, PhaseFigures, drift_figures
from oyster_jax.evaluate.section import Clip, Plot, Section, Table, cell
from oyster_jax.evaluate.suite import Suite

#: Ticks of the run: 30 minutes at 15 ticks a second, and with --quick one.
LONG, QUICK = 27_000, 900

_ABOUT = (
    "Worlds go on alone for long under the policy of the recording; one that predicts the end of an episode goes on "
    "with another level that it dreams, as the game does. The first and the last minute are held beside real frames: "
    "sharpness, contrast and entropy, how far two futures part under different actions (control), whether the judge "
    "reads the buttons back, and whether exactly one agent is there. There is no truth in a dream to be compared "
    "with: a world that showed the same sharp level for ever would do well here."
)


def run(suite: Suite) -> Section:
    """Measures drift.

    Raises:
      DatasetError: the recording is not held out, not of this world, or too short.
    """
    config = DriftConfig(ticks=QUICK if suite.quick else LONG, worlds=4, context=suite.context, seed=suite.seed)
    with suite.report("running for long", "ticks") as progress:
        measured = measure_drift(suite.model, suite.params, suite.dataset, suite.judge, config, progress)
    found = drift_figures(measured)
    return Section(
        name="drift",
        title="Drift",
        about=_ABOUT,
        figures=dataclasses.asdict(found),
        tables=(_phases(found), _ratios(found)),
        plots=_plots(found),
        clips=_clips(measured),
    )


def _phases(found: DriftFigures) -> Table:
    rows = tuple(
        (
            name,
            cell(at.sharpness, 4),
            cell(at.entropy),
            "–" if at.one_agent is None else f"{100 * at.one_agent.value:.1f} %",
            cell(at.macro_f1, 3),
            cell(at.effect, 3),
        )
        for name, at in (("first minute", found.early), ("last minute", found.late), ("real frames", found.real))
        if isinstance(at, PhaseFigures)
    )
    return Table(
        title=f"{found.worlds} worlds for {found.ticks:,} ticks, policy {found.policy}",
        columns=("", "sharpness", "entropy", "one agent", "action F1", "effect"),
        rows=rows,
        notes=(
            (
                f"Ends in 1,000 ticks: {found.respawns:.1f}, in the recording {found.real_respawns:.1f}; "
                f"broken ticks: {100 * found.broken:.2f} %."
            ),
        ),
    )


def _ratios(found: DriftFigures) -> Table:
    names = {
        "sharpness_ratio": "sharpness, last minute / real",
        "contrast_ratio": "contrast, last minute / real",
        "entropy_ratio": "entropy, last minute / real",
        "control_loss": "control lost since the first minute",
        "delta_psnr_loss": "ΔPSNR lost since the first minute",
        "f1_loss": "action F1 lost since the first minute",
    }
    rows = tuple((label, cell(getattr(found, name), 3)) for name, label in names.items())
    return Table(title="The last minute beside real frames and beside the first", columns=("", "value"), rows=rows)


def _plots(found: DriftFigures) -> tuple[Plot, ...]:
    real = found.real.sharpness.value

    def draw(axes: Any) -> None:
        curve = np.asarray(found.minutes["sharpness"])
        axes.plot(np.arange(1, len(curve) + 1), curve, color="tab:blue", marker="o", label="model")
        axes.axhline(real, color="tab:gray", linestyle="--", label="real frames")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("minute")
        axes.set_ylabel("sharpness")
        axes.legend()

    return (Plot(name="drift_sharpness", caption="Sharpness in every minute of the run.", draw=draw),)


def _clips(measured: DriftMeasurements) -> tuple[Clip, ...]:
    moments = ", ".join(f"{tick:,}" for tick in measured.moments)
    worlds = measured.frames[:4]
    sides = {f"world {index + 1}": frames for index, frames in enumerate(worlds)}
    return (Clip(name="drift", caption=f"Moments of four runs, at ticks {moments}", sides=sides, rate=1.0),)
