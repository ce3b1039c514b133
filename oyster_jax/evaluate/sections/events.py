"""Whether what is made to happen in a world comes about, and nothing else changes."""

import dataclasses

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.happening import TICKS, EventFigures, event_figures
from oyster_jax.evaluate.section import Section, Table
from oyster_jax.evaluate.suite import Suite
from oyster_jax.models.world_model import WorldNetwork

_ABOUT = (
    "From moments of held-out levels at which an event truly happened the world goes on with the same noise and the "
    f"recorded actions, told of the event and not told. Came about: within {TICKS} ticks the world tells of what the "
    "event brings; creatures also come and go by themselves, so that what is seen untold stands beside it. Collateral: "
    "tiles that the two tell differently a tick later, beyond the event's own."
)


def run(suite: Suite) -> Section:
    """Measures events.

    Raises:
      DatasetError: the world has no events or tells no structure, or no recording with events can be made.
    """
    model = suite.model
    if not isinstance(model, WorldNetwork) or model.spec.events is None or model.tokenizer.structure is None:
        raise DatasetError(f"The world '{suite.name}' has no events, or does not tell what is in its frames.")
    with suite.report("making things happen", "moments") as progress:
        found = event_figures(
            model, suite.params, suite.eventful, moments=12 if suite.quick else 48, context=suite.context,
            seed=suite.seed, progress=progress,
        )  # fmt: skip
    return Section(
        name="events",
        title="Events",
        about=_ABOUT,
        figures={name: dataclasses.asdict(figures) for name, figures in found.items()},
        tables=(_table(found),),
    )


def _table(found: dict[str, EventFigures]) -> Table:
    rows = tuple(
        (
            name.replace("_", " "),
            f"{100 * one.success:.0f} %",
            f"{100 * one.untold:.0f} %",
            f"{100 * one.real:.0f} %",
            f"{100 * one.collateral:.1f} %",
            str(one.moments),
        )
        for name, one in found.items()
    )
    columns = ("event", "came about", "untold", "in the game", "collateral", "moments")
    return Table(title=f"What is made to happen, within {TICKS} ticks", columns=columns, rows=rows)
