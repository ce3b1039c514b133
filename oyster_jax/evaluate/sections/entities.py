"""Whether a world's structure survives its latents, and whether it counts."""

import dataclasses

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.arithmetic import CountFigures, count_figures
from oyster_jax.evaluate.section import Section, Table
from oyster_jax.evaluate.structure import StructureFigures, structure_figures
from oyster_jax.evaluate.suite import Suite
from oyster_jax.models.world_model import WorldNetwork

_ABOUT = (
    "Frames drawn from structure alone are read by a probe, a small network trained on real frames only, which knows "
    "of no world model; what it reads of real frames is its ceiling. Read-out is what the latent of a frame tells; "
    "kept, what the latent of structure alone tells. Creatures: F1 over pairs of tile and type of all that is seen "
    "beside the agent; place: how far from a creature the nearest that was told of its type stands. Counting: a tick "
    "at which a number on the screen truly changes is lived by the world, and all that changed must be told as it then "
    "was."
)

_TITLES = {
    "real": "real frames, probe",
    "spawned": "frames drawn from structure, probe",
    "read": "frames, read-out",
    "kept": "structure, read-out",
}


def run(suite: Suite) -> Section:
    """Measures structure.

    Raises:
      DatasetError: the world tells no structure, or its recording holds none.
    """
    model = suite.model
    if not isinstance(model, WorldNetwork) or model.tokenizer.structure is None:
        raise DatasetError(f"The world '{suite.name}' does not tell what is in its frames.")
    probe, read = suite.probe()
    found = structure_figures(
        model.tokenizer, suite.params["tokenizer"], probe, read, suite.dataset,
        moments=512 if suite.quick else 4096, seed=suite.seed,
    )  # fmt: skip
    with suite.report("counting", "moments") as progress:
        counted = count_figures(
            model, suite.params, suite.dataset, moments=32 if suite.quick else 256, context=suite.context,
            seed=suite.seed, progress=progress,
        )  # fmt: skip
    figures = {
        "structure": {name: dataclasses.asdict(one) for name, one in found.items()},
        "counting": {name: dataclasses.asdict(one) for name, one in counted.items()},
    }
    tables = (_structure(found), _counting(counted))
    return Section(name="entities", title="Structure", about=_ABOUT, figures=figures, tables=tables)


def _structure(found: dict[str, StructureFigures]) -> Table:
    rows = tuple(
        (
            _TITLES[name],
            f"{100 * one.tiles:.1f} %",
            f"{100 * one.f1:.1f} %",
            f"{100 * one.creatures:.1f} %",
            f"{one.place:.2f}",
            f"{100 * one.quantities:.1f} %",
        )
        for name, one in found.items()
    )
    columns = ("what is read", "tiles", "creatures, F1", "found", "place, tiles", "quantities shown")
    return Table(title="Structure to frame and back", columns=columns, rows=rows)


def _counting(counted: dict[str, CountFigures]) -> Table:
    rows = tuple(
        (kind, f"{100 * one.right:.0f} %", f"{100 * one.others:.1f} %", str(one.moments))
        for kind, one in counted.items()
    )
    return Table(
        title="Counting: quantities right after a tick at which some change",
        columns=("change", "what changed", "what did not", "moments"),
        rows=rows,
        notes=("A world that changes nothing has 0 % in the first column and 100 % in the second.",),
    )
