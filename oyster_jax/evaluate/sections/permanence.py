"""Whether a place is still the same when one comes back to it."""

import dataclasses

from oyster_jax.evaluate.permanence import (
    ObjectFigures,
    PermanenceConfig,
    PermanenceFigures,
    measure_permanence,
    permanence_figures,
)
from oyster_jax.evaluate.returns import DEPARTURE, MODEL, RECALL, TURN
from oyster_jax.evaluate.section import Clip, Section, Table, cell, value
from oyster_jax.evaluate.suite import Suite

_ABOUT = (
    "From an exact state of the simulator the agent walks away for some ticks and comes back by the reversed "
    "actions, all of it simulated. At the return the world is compared with the true frame, over places that it was "
    "shown and without things that moved by themselves; hidden are those of them that had left the screen, where "
    "only memory helps. Turn is what a world without any memory could know, recall what a perfect memory would show. "
    "Objects are those that the world reads out, against the simulator's."
)


def run(suite: Suite) -> Section:
    """Measures permanence.

    Raises:
      DatasetError: the simulator is not known or not installed, or its camera is not known.
    """
    config = PermanenceConfig(trials=3 if suite.quick else 8, context=suite.context, seed=suite.seed)
    with suite.report("walking away and back", "trials") as progress:
        measured = measure_permanence(suite.model, suite.params, suite.simulator, config, progress=progress)
    found = permanence_figures(measured)
    clips = [
        Clip(
            name=f"permanence_{absence}_{index}",
            caption=f"Away for {absence} ticks and back, trial {index + 1}",
            sides={"truth": truth, "model": frames},
        )
        for absence, returns in measured.returns.items()
        for index, (truth, frames) in enumerate(zip(returns.truth[:2], returns.frames[:2], strict=True))
    ]
    return Section(
        name="permanence",
        title="Permanence",
        about=_ABOUT,
        figures=dataclasses.asdict(found),
        tables=(_places(found), _objects(found)),
        clips=tuple(clips),
    )


def _places(found: PermanenceFigures) -> Table:
    rows = tuple(
        (
            f"{absence}, {region}",
            f"{100 * share:.0f} %",
            *(
                ("–",) * 4
                if psnr is None
                else (cell(psnr[MODEL]), *(value(psnr[m]) for m in (DEPARTURE, TURN, RECALL)))
            ),
            value(at.place_error),
            str(at.trials),
        )
        for absence, at in found.absences.items()
        for region, share, psnr in (("seen", at.seen_share, at.seen), ("hidden", at.hidden_share, at.hidden))
    )
    return Table(
        title="Back at the same place: PSNR by ticks of absence",
        columns=("ticks away", "share", "model", "departure", "turn", "recall", "place error", "trials"),
        rows=rows,
        notes=("PSNR in dB; place error: tiles between where it is and where it believes to be.",),
    )


def _objects(found: PermanenceFigures) -> Table:
    def cells(objects: ObjectFigures | None) -> tuple[str, str]:
        return ("–", "–") if objects is None else (cell(objects.precision), cell(objects.recall))

    rows = tuple((str(absence), *cells(at.departure), *cells(at.arrival)) for absence, at in found.absences.items())
    return Table(
        title="Objects that the world reads out, against the simulator's",
        columns=("ticks away", "leaving: precision", "recall", "returning: precision", "recall"),
        rows=rows,
    )
