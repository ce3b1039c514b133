"""Compiling a program, and what the compiler then knows: bytes by category, exchanges, or how much was too much."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import jax

from oyster_jax.plan.collectives import Exchange, exchanges
from oyster_jax.plan.programs import Program, bytes_on_device
from oyster_jax.plan.topology import Topology, exceeded

#: Share of the usable memory above which a program fits only just: the runtime, and what fragments, take some too.
SAFE = 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compiled:
    """What came of compiling one program.

    Attributes:
      program: what was compiled.
      fits: whether the compiler found room.
      memory: bytes a device by category; where it did not fit, of what is known without the compiler, and the rest.
      usable: bytes a device that programs may use.
      exchanges: what devices say to each other; nothing where it did not fit.
      seconds: that compiling took.
      executable: JAX's, where it fits.
    """

    program: Program
    fits: bool
    memory: Mapping[str, int]
    usable: int
    exchanges: list[Exchange]
    seconds: float
    executable: Any

    @property
    def needed(self) -> int:
        """Bytes a device that the program needs."""
        return sum(self.memory.values())

    @property
    def share(self) -> float:
        """The part of the usable memory that it needs."""
        return self.needed / self.usable


def compiled(program: Program, topology: Topology) -> Compiled:
    """Compiles a program for the devices of its mesh.

    Raises:
      jax.errors.JaxRuntimeError: the compiler failed for another reason than memory.
    """
    since = time.perf_counter()
    try:
        executable = program.lower().compile(dict(program.options))
    except jax.errors.JaxRuntimeError as error:
        if (refused := too_large(program, str(error), seconds=time.perf_counter() - since)) is None:
            raise
        return refused
    return Compiled(
        program=program,
        fits=True,
        memory=_used(program, executable.memory_analysis()),
        usable=topology.usable,
        exchanges=exchanges(executable.as_text(), program.mesh),
        seconds=time.perf_counter() - since,
        executable=executable,
    )


def too_large(program: Program, message: str, *, seconds: float) -> Compiled | None:
    """Returns what is known of a program for which the compiler found no room.

    Args:
      program: that was to be compiled.
      message: the compiler's; None is returned where it tells of another error.
      seconds: that it took to say so.
    """
    if (said := exceeded(message)) is None:
        return None
    needed, usable = said
    memory = _asked(program, needed)
    return Compiled(
        program=program, fits=False, memory=memory, usable=usable, exchanges=[], seconds=seconds, executable=None
    )


def _used(program: Program, analysis: Any) -> dict[str, int]:
    given = {name: bytes_on_device(tree) for name, tree in program.arguments.items()}
    padding = analysis.argument_size_in_bytes - sum(given.values())
    made = analysis.output_size_in_bytes - analysis.alias_size_in_bytes
    kept = {"gradients": program.gradients, "activations": program.activations}
    work = analysis.temp_size_in_bytes - sum(kept.values())
    if work < 0:
        # The compiler shared their room or cut them up further than the sharding table says.
        kept, work = {"gradients and activations": analysis.temp_size_in_bytes}, 0
    memory = given | {"padding of these": padding} | kept
    memory |= {"working memory": work, "results": made, "code": analysis.generated_code_size_in_bytes}
    return {name: size for name, size in memory.items() if size > 0}


def _asked(program: Program, needed: int) -> dict[str, int]:
    """Returns what is known of a program that did not fit; the compiler told only how much it needs in all."""
    given = {name: bytes_on_device(tree) for name, tree in program.arguments.items()}
    kept = {"gradients": program.gradients, "activations": program.activations}
    work = needed - sum(given.values()) - sum(kept.values())
    if work < 0:
        kept, work = {"gradients and activations": needed - sum(given.values())}, 0
    known = given | kept | {"working memory": work}
    return {name: size for name, size in known.items() if size > 0}
