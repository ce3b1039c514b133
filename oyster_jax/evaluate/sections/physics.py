"""Whether a world knows gravity, and what would have happened."""

import dataclasses

from oyster_jax.evaluate.counterfactual import (
    CounterfactualConfig,
    CounterfactualFigures,
    CounterfactualMeasurements,
    counterfactual_figures,
    measure_counterfactual,
)
from oyster_jax.evaluate.physics import (
    FlightFigures,
    PhysicsConfig,
    PhysicsFigures,
    PhysicsMeasurements,
    measure_physics,
    physics_figures,
)
from oyster_jax.evaluate.section import Clip, Section, Table, cell, value
from oyster_jax.evaluate.suite import Suite

_ABOUT = (
    "From exact states of the simulator the agent jumps or walks off an edge, and the world goes on alone. Its "
    "vertical speed is compared with the simulator's, as told by its own read-outs (position, entities) and by a "
    "probe that sees camera motion in frames; floor is the same probe on true frames, its own error. Counterfactual "
    "pairs are two futures of one exact state under different actions: a world that knows what its actions do is "
    "nearer to its own truth than to the other one's, and the difference that it shows is the true one."
)


def run(suite: Suite) -> Section:
    """Measures physics.

    Raises:
      DatasetError: the simulator is not known or not installed, or its camera is not known.
    """
    source, trials = suite.simulator, 6 if suite.quick else 24
    flights = PhysicsConfig(trials=trials, context=suite.context, seed=suite.seed)
    motion = None if suite.judge is None else suite.judge.motion
    with suite.report("jumping and falling", "trials") as progress:
        measured = measure_physics(suite.model, suite.params, source, flights, motion=motion, progress=progress)
    pairs = CounterfactualConfig(trials=trials, context=suite.context, seed=suite.seed)
    with suite.report("simulating counterfactual pairs", "pairs") as progress:
        branches = measure_counterfactual(suite.model, suite.params, source, pairs, progress=progress)
    found, other = physics_figures(measured), counterfactual_figures(branches)
    return Section(
        name="physics",
        title="Physics",
        about=_ABOUT,
        figures={"flights": dataclasses.asdict(found), "counterfactual": dataclasses.asdict(other)},
        tables=(_flights(found), _pairs(other)),
        clips=(*_flight_clips(measured), *_pair_clips(branches)),
    )


def _flights(found: PhysicsFigures) -> Table:
    rows = tuple(
        (f"{group}, {source}", *_cells(figures))
        for group, sources in found.sources.items()
        for source, figures in sources.items()
        if figures is not None
    )
    trials = ", ".join(f"{count} {kind}s" for kind, count in found.trials.items())
    gravity = ", ".join(f"{group} {slope:.3f}" for group, slope in found.true_gravity.items() if slope is not None)
    return Table(
        title="Jumps and falls from exact states",
        columns=("who tells", "apex error", "landing ±1", "landing error", "gravity", "gravity error"),
        rows=rows,
        notes=(
            f"Trials: {trials}. Apex in tiles, landing in ticks, gravity in tiles a tick²; true gravity: {gravity}.",
        ),
    )


def _cells(figures: FlightFigures) -> tuple[str, ...]:
    return (
        cell(figures.apex_error),
        f"{100 * figures.landing_within_one.value:.0f} %",
        cell(figures.landing_error),
        cell(figures.gravity, 3),
        f"{cell(figures.gravity_error, 1)} %",
    )


def _pairs(found: CounterfactualFigures) -> Table:
    rows = tuple(
        (
            str(h),
            cell(at.own_psnr),
            value(at.other_psnr),
            cell(at.gain, sign="+"),
            f"{100 * at.nearer.value:.0f} %",
            cell(at.effect_error),
            value(at.displacement_error),
        )
        for h, at in found.horizons.items()
    )
    return Table(
        title="Counterfactual pairs: one state, two action sequences",
        columns=("ticks", "PSNR, own", "other", "gain", "nearer to own", "effect error", "displacement"),
        rows=rows,
        notes=("Effect error: 0 shows the true difference, 1 none. Displacement in tiles.",),
    )


def _flight_clips(measured: PhysicsMeasurements) -> list[Clip]:
    return [
        Clip(name=f"physics_{index}", caption=f"Flight {index + 1}", sides={"truth": truth, "model": frames})
        for index, (truth, frames) in enumerate(zip(measured.truth, measured.frames, strict=True))
    ]


def _pair_clips(measured: CounterfactualMeasurements) -> list[Clip]:
    return [
        Clip(
            name=f"counterfactual_{index}_{branch}",
            caption=f"Pair {index + 1}, {'first' if branch == 0 else 'second'} actions",
            sides={"truth": truth[branch], "model": frames[branch]},
        )
        for index, (truth, frames) in enumerate(zip(measured.truth[:2], measured.frames[:2], strict=True))
        for branch in range(2)
    ]
