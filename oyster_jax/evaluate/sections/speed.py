"""How fast a world is, and how much memory it takes."""

import dataclasses

from oyster_jax.evaluate.figure import Figure
from oyster_jax.evaluate.section import Section, Table
from oyster_jax.evaluate.speed import SpeedConfig, measure_speed
from oyster_jax.evaluate.startup import start_figures
from oyster_jax.evaluate.suite import Suite

_ABOUT = (
    "How long one action takes until its frame is on the host, how many ticks a second many worlds make at once, "
    "whether that stays so over half an hour, how long the first frame takes, and how much memory is needed. "
    "Whatever else runs on the machine slows it down; the load is told below."
)


def run(suite: Suite) -> Section:
    """Measures speed."""
    config = SpeedConfig.quick(suite.seed) if suite.quick else SpeedConfig(seed=suite.seed)
    with suite.report("stepping", "ticks") as progress:
        found = measure_speed(suite.model, suite.params, config, conditions=suite.conditions, progress=progress)
    notes = ()
    if suite.start is not None and config.starts:
        try:
            found += start_figures(suite.start, starts=config.starts, conditions=suite.conditions)
        except RuntimeError as error:
            # A machine without room for a second process has no such figures; the others stand.
            notes = (f"Starts were not measured: {error}",)
    table = Table(
        title="Speed and memory",
        columns=("figure", "value", "p10 to p90", "unit"),
        rows=tuple((figure.name, _number(figure.value), _spread(figure), figure.unit) for figure in found),
        notes=notes,
    )
    return Section(
        name="speed",
        title="Speed",
        about=_ABOUT,
        figures={figure.name: dataclasses.asdict(figure) for figure in found},
        tables=(table,),
    )


def _spread(figure: Figure) -> str:
    return "–" if figure.spread is None else f"{_number(figure.spread[0])} to {_number(figure.spread[1])}"


def _number(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"
