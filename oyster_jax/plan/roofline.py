"""The roofline: how long a step takes at the least, given what it computes, moves and exchanges.

Each of four parts (matrix products, memory, links within a slice, network between slices) works at its peak, and all of
them at the same time. Real steps take longer; none takes less.
"""

import dataclasses
from collections.abc import Iterable

from oyster_jax.plan.compiling import Compiled
from oyster_jax.plan.peaks import Peaks
from oyster_jax.plan.programs import Program

#: What a training step reads once and writes once, and what a rollout reads at every tick.
_TWICE = ("parameters", "average", "optimizer", "gradients", "activations", "gradients and activations")
_EVERY_TICK = ("parameters", "ring", "memory")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Roofline:
    """Seconds that a step's parts take at the least.

    Attributes:
      compute: matrix products.
      memory: HBM, counting only what must pass through it.
      interconnect: links within slices.
      network: between slices.
      frames: of one step.
      model_flops: of one step, without what is computed twice.
      peak_flops: of all chips in a second.
    """

    compute: float
    memory: float
    interconnect: float
    network: float
    frames: int
    model_flops: int
    peak_flops: float

    @property
    def seconds(self) -> float:
        """No step takes less."""
        return max(self.compute, self.memory, self.interconnect, self.network)

    @property
    def bound(self) -> str:
        """What limits it."""
        parts = {name: getattr(self, name) for name in ("compute", "memory", "interconnect", "network")}
        return max(parts, key=lambda name: parts[name])

    @property
    def utilization(self) -> float:
        """Model FLOPs utilization (MFU, arXiv 2204.02311) that no run exceeds."""
        return self.model_flops / (self.seconds * self.peak_flops)

    @property
    def frames_per_second(self) -> float:
        """No run is faster."""
        return self.frames / self.seconds


def roofline(compiled: Compiled, peaks: Peaks, chips: int) -> Roofline:
    """Returns the roofline of a program that was compiled.

    Args:
      compiled: the program.
      peaks: of one chip.
      chips: how many.
    """
    program, memory = compiled.program, compiled.memory
    if program.name == "rollout":
        moved = program.ticks * sum(memory.get(name, 0) for name in _EVERY_TICK) + memory.get("results", 0)
    else:
        moved = 2 * sum(memory.get(name, 0) for name in _TWICE)
    interconnect, network = exchanging(((exchange.axes, exchange.bytes) for exchange in compiled.exchanges), peaks)
    return Roofline(
        compute=computing(program, peaks, chips),
        memory=moved * peaks.devices / peaks.memory,
        interconnect=interconnect,
        network=network,
        frames=program.frames,
        model_flops=program.model_flops,
        peak_flops=peaks.flops * chips,
    )


def computing(program: Program, peaks: Peaks, chips: int) -> float:
    """Returns the seconds that the matrix products of a program take at the least, on so many chips."""
    return program.device_flops / (peaks.flops * chips)


def exchanging(sent: Iterable[tuple[str, float]], peaks: Peaks) -> tuple[float, float]:
    """Returns the seconds that exchanges take at the least: over the links within slices, and between slices.

    Args:
      sent: axes, named as in `Exchange`, and the bytes that a device sends along them.
      peaks: of one chip.
    """
    within = across = 0.0
    for axes, size in sent:
        if "slice" in axes.split("+"):
            across += size
        else:
            within += size
    return within * peaks.devices / peaks.interconnect, across * peaks.devices / peaks.network
