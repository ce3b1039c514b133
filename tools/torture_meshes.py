"""The same training on different meshes and numbers of processes: how far are their losses apart?"""

from collections.abc import Sequence
from pathlib import Path

import torture_runs
from torture_runs import Losses

#: Name, options of training, virtual devices a process, options of the launcher.
MESHES: dict[str, tuple[Sequence[str], int, Sequence[str]]] = {
    "1 device": ((), 1, ()),
    "8 devices, data 8": ((), 8, ()),
    "8 devices, fsdp 8": (("--mesh.fsdp", "8"), 8, ()),
    "8 devices, fsdp 2 × tensor 4": (("--mesh.fsdp", "2", "--mesh.tensor", "4"), 8, ()),
    "4 processes × 2 devices, fsdp 4": (("--mesh.fsdp", "4"), 2, ("-n", "4")),
}

#: Largest relative difference of a loss that the order of sums may make over 200 steps. Each run's dynamics learns from
#: latents of its own tokenizer, in float16, and Muon makes small differences of a gradient large.
TOLERANCE = 0.02


def compare(folder: Path, *, steps: int) -> bool:
    """Trains on every mesh, one after the other; returns whether all losses agree."""
    data, reference, fine = folder / "data", None, True
    for number, (name, (options, devices, launch)) in enumerate(MESHES.items()):
        run = folder / f"run-{number}"
        lengths = ("--tokenizer-training.steps", str(steps), "--dynamics-training.steps", str(steps))
        torture_runs.finish(torture_runs.start(run, data, (*options, *lengths), devices=devices, launch=launch), run)
        found = torture_runs.losses(run)
        reference = reference or found
        apart = differences(reference, found)
        fine &= max(apart.values()) <= TOLERANCE
        figures = ", ".join(f"{stage} {difference:.1e}" for stage, difference in apart.items())
        print(f"{name}: largest relative difference of a loss: {figures}", flush=True)
    print(f"All losses of {steps} steps agree to {TOLERANCE}." if fine else f"Losses differ by more than {TOLERANCE}.")
    return fine


def differences(one: Losses, other: Losses) -> dict[str, float]:
    """Returns the largest relative difference of a loss in each stage; infinite where steps are missing."""
    found = {}
    for stage, expected in one.items():
        alike = expected.keys() == other[stage].keys()
        apart = (abs(other[stage][step] / loss - 1) for step, loss in expected.items()) if alike else [float("inf")]
        found[stage] = max(apart)
    return found
