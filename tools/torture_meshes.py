"""The same training on different meshes and numbers of processes: how far are their losses apart?"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torture_runs
from torture_runs import Losses

#: Options of training, virtual devices a process, options of the launcher.
type Mesh = tuple[Sequence[str], int, Sequence[str]]

#: By name; the first is what the others are compared with.
MESHES: dict[str, Mesh] = {
    "1 device": ((), 1, ()),
    "8 devices, data 8": ((), 8, ()),
    "8 devices, fsdp 8": (("--mesh.fsdp", "8"), 8, ()),
    "8 devices, fsdp 2 × tensor 4": (("--mesh.fsdp", "2", "--mesh.tensor", "4"), 8, ()),
    "4 processes × 2 devices, fsdp 4": (("--mesh.fsdp", "4"), 2, ("-n", "4")),
    "4 processes × 2 devices, fsdp 4 × tensor 2": (("--mesh.fsdp", "4", "--mesh.tensor", "2"), 2, ("-n", "4")),
}

#: Largest relative difference of a loss that the order of sums may make.
TOLERANCE = 0.02


def compare(folder: Path, *, steps: int) -> bool:
    """Trains on every mesh, one after the other; returns whether all losses agree."""
    reference, fine = None, True
    for number, (name, mesh) in enumerate(MESHES.items()):
        first = None if reference is None else folder / "run-0"
        found = _trained(folder / f"run-{number}", folder / "data", mesh, steps, first)
        reference = reference or found
        apart = differences(reference, found)
        fine &= max(apart.values()) <= TOLERANCE
        figures = ", ".join(f"{stage} {difference:.1e}" for stage, difference in apart.items())
        print(f"{name}: largest relative difference of a loss: {figures}", flush=True)
    print(f"All losses of {steps} steps agree to {TOLERANCE}." if fine else f"Losses differ by more than {TOLERANCE}.")
    return fine


def _trained(run: Path, data: Path, mesh: Mesh, steps: int, first: Path | None) -> Losses:
    """Trains on one mesh; returns the losses.

    Latents are kept in float16, so two tokenizers that are all but the same make latents that are not. Once a run has
    trained its own tokenizer, it goes on with the tokenizer and the latents of the `first` run, if there is one.
    """
    options, devices, launch = mesh

    def start() -> Any:
        return torture_runs.start(run, data, (*options, *torture_runs.lengths(steps)), devices=devices, launch=launch)

    process, own = start(), {}
    if first is not None:
        torture_runs.wait_for(run / "tokenizer" / "checkpoints" / str(steps), process)
        torture_runs.kill(process)
        own["tokenizer"] = torture_runs.losses(run)["tokenizer"]
        for part in ("tokenizer", "latents"):
            shutil.rmtree(run / part, ignore_errors=True)
            shutil.copytree(first / part, run / part)
        process = start()
    torture_runs.finish(process, run)
    return torture_runs.losses(run) | own


def differences(one: Losses, other: Losses) -> dict[str, float]:
    """Returns the largest relative difference of a loss in each stage; infinite where steps are missing."""
    found = {}
    for stage, expected in one.items():
        alike = expected.keys() == other[stage].keys()
        apart = (abs(other[stage][step] / loss - 1) for step, loss in expected.items()) if alike else [float("inf")]
        found[stage] = max(apart)
    return found
