"""Compiles one experiment for ever more chips, each with as many windows: what a device sends, beside a forecast.

    tools/weak_scaling                              # configs/small.py on 8 to 512 chips of v5e
    tools/weak_scaling configs/base.py --fsdp 16

What a device sends must not grow with the chips, but as (n − 1)/n does; see `oyster_jax/plan/forecast.py`.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import tyro

from oyster_jax.plan.topology import compile_only

#: Slices and chips of each, in growing order.
GROWING = (("v5e:2x4", 1), ("v5e:4x4", 1), ("v5e:8x8", 1), ("v5e:16x16", 1), ("v5e:16x16", 2))

HEAD = ("| chips | mesh | along | sent, MB | forecast, MB | largest, MB |", "|---|---|---|---|---|---|")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Compiles one experiment for ever more chips and prints what a device sends, beside a forecast."""

    config: tyro.conf.Positional[Path] = Path("configs/small.py")
    """The experiment."""
    fsdp: int | None = 8
    """Ways of fsdp; the other chips hold copies."""
    tensor: int = 1
    """Ways of tensor."""
    windows: int = 4
    """Windows of a group of devices."""
    effort: Literal["O0", "O1", "O2", "O3"] = "O0"
    """How hard the compiler tries."""


def main(config: Config) -> int:
    """Prints the table."""
    compile_only(config.effort)
    print("\n".join(HEAD), flush=True)
    for name, slices in GROWING:
        for row in rows(measured(config, name, slices)):
            print(row, flush=True)
    return 0


def measured(config: Config, name: str, slices: int) -> dict[str, Any]:
    """Returns what one device sends and what it should, by axes, compiled for one topology; JSON-ready."""
    from oyster_jax.cli.train import load_experiment
    from oyster_jax.parallel.mesh import MeshConfig, batch_ways
    from oyster_jax.plan.collectives import sent_by_axes
    from oyster_jax.plan.compiling import compiled
    from oyster_jax.plan.forecast import forecast
    from oyster_jax.plan.programs import training
    from oyster_jax.plan.topology import topology

    chips = topology(name, slices)
    experiment = load_experiment(config.config)
    fsdp = config.fsdp or len(chips.devices) // slices // config.tensor
    mesh = MeshConfig(fsdp=fsdp, tensor=config.tensor, slices=slices).build(chips.devices)
    batch = dataclasses.replace(experiment.dynamics_training, batch=config.windows * batch_ways(mesh))
    program = training(experiment, batch, mesh)
    found = compiled(program, chips)
    return {
        "chips": chips.chips,
        "mesh": dict(mesh.shape),
        "sent": sent_by_axes(found.exchanges),
        "forecast": forecast(program, experiment),
        "largest": {axes: max(one.largest for one in found.exchanges if one.axes == axes) for axes in
                    {one.axes for one in found.exchanges}},
        "needed": found.needed,
    }  # fmt: skip


def rows(found: dict[str, Any]) -> Iterator[str]:
    """Yields the lines of one topology in Markdown."""
    mesh = " × ".join(f"{axis} {ways}" for axis, ways in found["mesh"].items() if ways > 1)
    for axes in sorted(set(found["sent"]) | set(found["forecast"])):
        figures = (found[what].get(axes, 0) / 1e6 for what in ("sent", "forecast", "largest"))
        yield f"| {found['chips']} | {mesh} | {axes} | {' | '.join(f'{size:,.1f}' for size in figures)} |"


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Config, prog="weak_scaling", description=__doc__)))
