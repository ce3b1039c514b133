"""Memory: of this process, of a world's state, and of a compiled tick."""

import sys
from pathlib import Path
from typing import Any

import jax

from oyster_jax.core.state import WorldState
from oyster_jax.core.tick import Tick
from oyster_jax.evaluate.figure import Figure
from oyster_jax.tree import tree_bytes


def peak_bytes() -> int | None:
    """Returns the most memory that this process ever held at once, in bytes (resident; of accelerators nothing).

    None where the system does not tell.
    """
    # Not `ru_maxrss` where this can be read: that of a fresh process counts the one that started it.
    if (peak := _said_by_linux("VmHWM")) is not None:
        return peak
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def resident_bytes(process: int | None = None) -> int | None:
    """Returns the memory that a process, this one unless given, holds now; None where the system does not tell."""
    return _said_by_linux("VmRSS", "self" if process is None else str(process))


def _said_by_linux(name: str, process: str = "self") -> int | None:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    lines = (line.partition(":") for line in status.splitlines())
    return next((1024 * int(value.split()[0]) for key, _, value in lines if key == name), None)


def state_figures(state: WorldState, tick: Tick, conditions: dict[str, Any]) -> list[Figure]:
    """Returns what a state weighs and what a tick moves: bytes, leaves, and the compiler's own account of its memory.

    `tick.temporary` is what a tick writes beside its results. `tick.reused` is the share of the state that the next
    one takes over in place; it is 1 where the state is donated and nothing of it is copied.
    """
    size = tree_bytes(state)

    def figure(name: str, value: int | float, unit: str) -> Figure:
        return Figure(name=name, value=float(value), unit=unit, spread=None, conditions=conditions)

    figures = [
        figure("state.bytes", size, "bytes"),
        figure("state.leaves", len(jax.tree.leaves(state)), "leaves"),
    ]
    if (memory := tick.memory) is not None:
        figures += [
            figure("tick.temporary", memory.temp_size_in_bytes, "bytes"),
            figure("tick.reused", memory.alias_size_in_bytes / size, "of the state"),
        ]
    return figures
