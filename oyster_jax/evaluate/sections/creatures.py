"""Whether creatures last."""

import dataclasses
from typing import Any

import numpy as np

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.bootstrap import Bootstrap, Estimate
from oyster_jax.evaluate.creatures import CreatureCounts, creature_counts
from oyster_jax.evaluate.section import Section, Table, cell
from oyster_jax.evaluate.suite import Suite
from oyster_jax.evaluate.windows import choose_windows
from oyster_jax.models.world_model import WorldNetwork

#: Ticks that are told apart: the first, those up to the fourth, and all up to the sixteenth.
SPANS = ((1, 1), (2, 4), (5, 16))

_ABOUT = (
    "After some real frames a world lives sixteen ticks alone, under the recorded actions. Where a creature walks is "
    "chance, but it cannot vanish, nor come out of nothing in the midst of the frame. Told: creatures of all frames "
    "over those of the recording. Lasting: of creatures off the frame's edge, those of which one of their type is "
    "within two steps a tick later; from nowhere: those of which none was within two steps a tick before. In the game "
    "some truly die, are born or despawn: that is what the recording's columns are for."
)


def run(suite: Suite) -> Section:
    """Measures how creatures last.

    Raises:
      DatasetError: the world tells of no creatures, or there is no held-out recording of it that does.
    """
    model = suite.model
    if not isinstance(model, WorldNetwork) or model.tokenizer.structure is None:
        raise DatasetError(f"The world '{suite.name}' does not tell of creatures.")
    ticks = SPANS[-1][1]
    windows = choose_windows(suite.dataset.lengths, suite.context + ticks, 2 * suite.windows, suite.seed)
    with suite.report("creatures", "windows") as progress:
        counted = creature_counts(
            model, suite.params, suite.dataset, windows, context=suite.context, ticks=ticks, seed=suite.seed,
            progress=progress,
        )  # fmt: skip
    bootstrap = Bootstrap(windows.episodes, seed=suite.seed)
    found = {f"{first}-{last}": _figures(bootstrap, *counted, first, last) for first, last in SPANS}
    figures: dict[str, Any] = {
        span: {name: dataclasses.asdict(one) for name, one in figure.items()} for span, figure in found.items()
    }
    return Section(
        name="creatures", title="Creatures", about=_ABOUT, figures={"windows": len(windows), **figures},
        tables=(_table(found),),
    )  # fmt: skip


def _figures(
    bootstrap: Bootstrap, world: CreatureCounts, recorded: CreatureCounts, first: int, last: int
) -> dict[str, Estimate]:
    """Returns the figures of ticks `first` to `last`, both included."""

    def share(some: np.ndarray, every: np.ndarray, since: int) -> Estimate:
        part = slice(first - since, last + 1 - since)
        return bootstrap.estimate(np.divide, some[:, part].sum(axis=1), every[:, part].sum(axis=1))

    return {
        "told": share(world.told, recorded.told, 0),
        "lasting": share(world.lasted, world.asked, 1),
        "lasting_recorded": share(recorded.lasted, recorded.asked, 1),
        "new": share(world.new, world.found, 1),
        "new_recorded": share(recorded.new, recorded.found, 1),
    }


def _table(found: dict[str, dict[str, Estimate]]) -> Table:
    columns = ("ticks", "told over recorded", "lasting", "in the recording", "from nowhere", "in the recording")
    rows = tuple(
        (span.replace("-", " to "), *(cell(one, 2) for one in figure.values())) for span, figure in found.items()
    )
    return Table(title="Creatures of a world that goes on alone", columns=columns, rows=rows)
