"""How a world that paints begins from a description."""

import dataclasses

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.painting import painting_figures
from oyster_jax.evaluate.section import Section, Table, cell
from oyster_jax.evaluate.suite import Suite
from oyster_jax.evaluate.windows import choose_windows
from oyster_jax.models.world_model import WorldNetwork

#: Ticks after which what began from a description is compared with the truth.
TICKS = 8

_ABOUT = (
    "The tiles and things of a held-out moment are told to the world, and no picture. What it paints of them, and what "
    "it has become under the recorded actions, stands beside the real game; and beside it a world that was shown the "
    "real frame instead."
)

_TITLES = {
    "painted": "the picture that it paints",
    "shown": "what it then shows",
    "described": f"after {TICKS} ticks, begun from the description",
    "pictured": f"after {TICKS} ticks, begun from the frame",
    "copied": f"after {TICKS} ticks, the frame held still",
}


def run(suite: Suite) -> Section:
    """Measures descriptions.

    Raises:
      DatasetError: the world paints nothing, or there is no recording that says what is in its frames.
    """
    model = suite.model
    if not isinstance(model, WorldNetwork) or model.painter is None:
        raise DatasetError(f"The world '{suite.name}' paints no pictures of descriptions.")
    dataset = suite.scenic
    windows = choose_windows(dataset.lengths, TICKS + 1, suite.windows, suite.seed)
    found = painting_figures(model, suite.params, dataset, windows, TICKS, suite.seed)
    rows = tuple((title, cell(found[name])) for name, title in _TITLES.items())
    table = Table(title="From a description", columns=("", "PSNR, dB"), rows=rows)
    figures = {name: dataclasses.asdict(one) for name, one in found.items()}
    return Section(name="painting", title="Descriptions", about=_ABOUT, figures=figures, tables=(table,))
