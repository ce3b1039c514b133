"""Programs and what came of compiling them, written down: what a plan says of them follows from these figures alone."""

from collections.abc import Sequence
from typing import Any

from jax.sharding import AbstractMesh

from oyster_jax.nn.functional import LayersConfig
from oyster_jax.parallel.mesh import AXES
from oyster_jax.plan.collectives import Exchange
from oyster_jax.plan.compiling import Compiled
from oyster_jax.plan.peaks import PEAKS
from oyster_jax.plan.programs import Program
from oyster_jax.plan.topology import Topology

GIB = 2**30

#: Of one device.
USABLE = 16 * GIB


def program(name: str = "train", *, rows: int = 32, recompute: Any = "nothing", **given: Any) -> Program:
    """A program of 64 ticks; ways of the mesh are given by the names of its axes and are one unless given."""
    ways = tuple(given.pop(axis, 1) for axis in AXES)
    figures: dict[str, Any] = {"activations": 0, "gradients": 0, "model_flops": 0, "device_flops": 0, "arguments": {}}
    figures["lower"] = lambda: None
    return Program(
        name=name,
        stage="dynamics" if name == "train" else None,
        mesh=AbstractMesh(ways, AXES),
        rows=rows,
        ticks=64,
        layers=LayersConfig(recompute=recompute),
        **figures | given,
    )


def result(of: Program, *, exchanges: Sequence[Exchange] = (), **gib: float) -> Compiled:
    """What came of compiling: so many GiB a device by category, whose names have `_` for spaces."""
    memory = {name.replace("_", " "): round(size * GIB) for name, size in gib.items()}
    return Compiled(
        program=of,
        fits=sum(memory.values()) <= USABLE,
        memory=memory,
        usable=USABLE,
        exchanges=list(exchanges),
        seconds=1.0,
        executable=None,
    )


def exchange(axes: str, sent: float, kind: str = "all-gather") -> Exchange:
    return Exchange(kind=kind, axes=axes, count=2, bytes=round(sent), largest=round(sent / 2))


def slices(name: str = "v5e:2x2", *, chips: int = 4, count: int = 1) -> Topology:
    peaks = PEAKS[name.partition(":")[0]]
    devices = tuple(range(chips * count * peaks.devices))
    return Topology(name=name, slices=count, peaks=peaks, devices=devices, usable=USABLE)
