"""Compiles a training step for 8 to 512 chips, each with as many windows: what a device sends, beside what it should.

    tools/weak_scaling                         # configs/small.py on v5p; fsdp is 8, copies grow in number
    tools/weak_scaling --growing fsdp          # the state is cut up ever further instead
    tools/weak_scaling --tensor 2 --chips 16   # layers are shared by two devices, on one topology

Read from the compiled program, loops counted, along each axis of the mesh; beside it what the sharding table says by
hand (`oyster_jax/plan/predicted.py`). Axes that carry less than a hundredth are left out. Ends with 1 where they are
further apart than a tenth, or where one exchange is as large as the optimizer or as the residual stream of a batch.
"""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import tyro

from oyster_jax.plan.topology import compile_only

#: Chips → a slice of them.
SLICES = {8: "v5p:2x2x2", 16: "v5p:2x2x4", 64: "v5p:4x4x4", 128: "v5p:4x4x8", 512: "v5p:8x8x8"}

#: By how much sent and predicted may differ, along axes that carry more than a hundredth of all.
TOLERANCE, SMALL = 0.1, 0.01

HEAD = ("| chips | mesh | along | sent, MB | predicted, MB | largest exchange, MB |", "|---|---|---|---|---|---|")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Compiles a training step for ever more chips and prints what a device sends, beside what it should."""

    config: tyro.conf.Positional[Path] = Path("configs/small.py")
    """The experiment."""
    growing: Literal["data", "fsdp"] = "data"
    """The axis that grows with the chips."""
    fsdp: int = 8
    """Ways of fsdp, where it does not grow."""
    tensor: int = 1
    """Ways of tensor."""
    windows: int = 4
    """Windows of each group of devices that share rows; a group is as many as `tensor`."""
    chips: tuple[Literal[8, 16, 64, 128, 512], ...] = ()
    """How many; all that the mesh goes into unless given."""
    effort: Literal["O0", "O1", "O2", "O3"] = "O0"
    """How hard the compiler tries."""


def main(config: Config) -> int:
    """Prints the table; returns 1 where something is exchanged that should not be, 2 for a mesh that cannot be."""
    from oyster_jax.cli.errors import UsageError
    from oyster_jax.parallel.mesh import MeshError

    compile_only(config.effort)
    sound, head = True, HEAD
    least = config.tensor * (config.fsdp if config.growing == "data" else 1)
    for chips in config.chips or [chips for chips in SLICES if chips % least == 0]:
        try:
            found = measured(config, chips)
        except (MeshError, UsageError) as error:
            print(error, file=sys.stderr)
            return 2
        print("\n".join([*head, *rows(found)]), flush=True)
        head = ()
        for fault in faults(found):
            sound = False
            print(f"{chips} chips: {fault}", flush=True)
    return 0 if sound else 1


def measured(config: Config, chips: int) -> dict[str, Any]:
    """Returns what one device sends and what it should, by axes, compiled for so many chips; bytes, JSON-ready."""
    from oyster_jax.cli.train import load_experiment
    from oyster_jax.parallel.mesh import MeshConfig, batch_ways
    from oyster_jax.plan.collectives import sent_by_axes
    from oyster_jax.plan.compiling import compiled
    from oyster_jax.plan.predicted import activations, moments, predicted
    from oyster_jax.plan.programs import training
    from oyster_jax.plan.topology import topology

    slices = topology(SLICES[chips])
    experiment = load_experiment(config.config)
    fsdp = chips // config.tensor if config.growing == "fsdp" else config.fsdp
    mesh = MeshConfig(fsdp=fsdp, tensor=config.tensor).build(slices.devices)
    batch = dataclasses.replace(experiment.dynamics_training, batch=config.windows * batch_ways(mesh))
    program = training(experiment, batch, mesh)
    found = compiled(program, slices).exchanges
    return {
        "chips": chips,
        "mesh": {axis: ways for axis, ways in mesh.shape.items() if ways > 1},
        "sent": sent_by_axes(found),
        "predicted": predicted(program, experiment),
        "largest": {one.axes: max(other.largest for other in found if other.axes == one.axes) for one in found},
        "activations": activations(program, experiment),
        "optimizer": moments(program),
    }


def rows(found: dict[str, Any]) -> Iterator[str]:
    """Yields the lines of one topology in Markdown; what is less than a hundredth of all is left out."""
    mesh = " × ".join(f"{axis} {ways}" for axis, ways in found["mesh"].items())
    for axes in _told(found):
        figures = (found[what].get(axes, 0) / 1e6 for what in ("sent", "predicted", "largest"))
        yield f"| {found['chips']} | {mesh} | {axes} | {' | '.join(f'{size:,.1f}' for size in figures)} |"


def faults(found: dict[str, Any]) -> Iterator[str]:
    """Yields a sentence for all that should not be."""
    for axes in _told(found):
        sent, expected = (found[what].get(axes, 0) for what in ("sent", "predicted"))
        if abs(sent - expected) > TOLERANCE * expected:
            yield f"along {axes} {sent / 1e6:,.1f} MB are sent, but {expected / 1e6:,.1f} were predicted."
    for axes, size in found["largest"].items():
        for what in ("activations", "optimizer"):
            if size >= found[what]:
                yield f"one exchange along {axes} is as large as all {what}: {size / 1e6:,.1f} MB."


def _told(found: dict[str, Any]) -> list[str]:
    least = SMALL * sum(found["sent"].values())
    return sorted(
        axes for axes in {*found["sent"], *found["predicted"]}
        if max(found["sent"].get(axes, 0), found["predicted"].get(axes, 0)) > least
    )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Config, prog="weak_scaling", description=__doc__)))
