"""How a world begins from one picture, and whether it knows which pictures are none of its own."""

import dataclasses
from typing import Any

import numpy as np

from oyster_jax.evaluate.bootstrap import Bootstrap
from oyster_jax.evaluate.familiarity import MISSED, MISTAKEN, FamiliarityFigures, familiarity_figures, foreign_frames
from oyster_jax.evaluate.fidelity import psnr
from oyster_jax.evaluate.open_loop import CEILING, COPY_LAST, MODEL, OpenLoopConfig
from oyster_jax.evaluate.section import Section, Table, cell
from oyster_jax.evaluate.suite import Suite
from oyster_jax.evaluate.windows import choose_windows, read_windows

#: Ticks after a picture at which a world is compared with the truth.
TICKS = 8

#: Frames of its own game that a world is asked to show.
OWN = 512

_ABOUT = (
    "A world is shown a single frame of a held-out level and goes on under the recorded actions. How well it shows a "
    "picture tells whether it knows such: frames of its own game stand beside frames of other games, which no world of "
    "this one has seen. Between the two bounds below it says that it knows little of what it was shown."
)


def run(suite: Suite) -> Section:
    """Measures pictures.

    Raises:
      DatasetError: the recording is not held out or not of this world, or the simulator of other games is missing.
    """
    measured = suite.measure(
        OpenLoopConfig(windows=suite.windows, context=1, horizons=(1, TICKS), random=False, seed=suite.seed, shown=2)
    )
    bootstrap = Bootstrap(measured.windows.episodes, seed=suite.seed)
    errors = {method: measured.error(method, TICKS) for method in (MODEL, COPY_LAST)}
    found = {
        "reconstruction": bootstrap.estimate(psnr, measured.error(CEILING, 1)),
        "psnr": bootstrap.estimate(psnr, errors[MODEL]),
        "gain": bootstrap.estimate(lambda own, copied: psnr(own) - psnr(copied), errors[MODEL], errors[COPY_LAST]),
    }
    places = choose_windows(suite.dataset.lengths, 1, OWN, suite.seed + 1)
    own = read_windows(suite.dataset, places, np.arange(len(places)), 1, ("frames",))["frames"][:, 0]
    others = foreign_frames(suite.simulator, suite.model.spec.frame.shape)
    known = familiarity_figures(suite.model, suite.params, own, others)
    figures: dict[str, Any] = {name: dataclasses.asdict(one) for name, one in found.items()}
    figures["familiarity"] = dataclasses.asdict(known)
    rows = (
        ("the picture, encoded and rendered", cell(found["reconstruction"])),
        (f"after {TICKS} ticks", cell(found["psnr"])),
        (f"after {TICKS} ticks, over the picture held still", cell(found["gain"], sign="+")),
    )
    table = Table(title="From one picture", columns=("", "PSNR, dB"), rows=rows)
    return Section(
        name="pictures", title="Pictures", about=_ABOUT, figures=figures, tables=(table, _familiarity(known))
    )


def _familiarity(known: FamiliarityFigures) -> Table:
    rows = (
        ("its own game, median", f"{known.usual:.1f}"),
        (f"its own game, all but {100 * MISSED:g} %", f"above {known.known:.1f}"),
        (f"other games, all but {100 * MISTAKEN:g} %", f"below {known.foreign:.1f}"),
        *((game, f"{median:.1f}") for game, median in known.games.items()),
    )
    note = f"A frame of its own is shown better than a foreign one in {100 * known.told_apart:.1f} % of pairs."
    return Table(title="Does it know the picture?", columns=("pictures", "PSNR, dB"), rows=rows, notes=(note,))
