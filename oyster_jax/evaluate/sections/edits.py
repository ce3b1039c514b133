"""Whether an edit of a living world changes what it should, and nothing else."""

import dataclasses

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.editing import EditFigures, edit_figures
from oyster_jax.evaluate.section import Section, Table
from oyster_jax.evaluate.suite import Suite
from oyster_jax.models.world_model import WorldNetwork

_ABOUT = (
    "After some real frames of a held-out level one thing is changed in the world's state: a creature comes or goes, a "
    "tile becomes another, a number is set. The edited world then lives one idle tick beside the same world left "
    "alone, with the same noise. What was meant must be told at once, and still after the tick, when a creature may "
    "have taken a step; tiles elsewhere should be the same in both."
)

_TITLES = {"add": "add a creature", "remove": "remove one", "tile": "another tile", "set": "set a number", "all": "all"}


def run(suite: Suite) -> Section:
    """Measures edits.

    Raises:
      DatasetError: the world tells no structure, or there is no held-out recording of it.
    """
    model = suite.model
    if not isinstance(model, WorldNetwork) or model.tokenizer.structure is None:
        raise DatasetError(f"The world '{suite.name}' does not tell what is in its frames, so it cannot be edited.")
    with suite.report("editing", "moments") as progress:
        found = edit_figures(
            model, suite.params, suite.dataset, moments=128 if suite.quick else 1024, context=suite.context,
            seed=suite.seed, progress=progress,
        )  # fmt: skip
    return Section(
        name="edits",
        title="Edits",
        about=_ABOUT,
        figures={name: dataclasses.asdict(figures) for name, figures in found.items()},
        tables=(_table(found),),
    )


def _table(found: dict[str, EditFigures]) -> Table:
    rows = tuple(
        (
            _TITLES[name],
            f"{100 * one.at_once:.0f} %",
            f"{100 * one.later:.0f} %",
            f"{100 * one.others:.2f} %",
            str(one.moments),
        )
        for name, one in found.items()
    )
    columns = ("edit", "so at once", "so a tick later", "other tiles changed", "moments")
    return Table(title="Edits of a living world", columns=columns, rows=rows)
