"""Holds what a plan says of memory, and what the compiler then takes, against figures by hand, for three sizes.

    tools/memory_table                 # small, base and large
    tools/memory_table --only small

State (parameters, average, moments) and cache (ring and memory of 8 worlds, with parameters) are what the compiled
program is given; activations are the residual streams that its loops carry for the way back, read from its text. The
figures by hand are those of `oyster_jax/plan/by_hand.py`. Ends with 1 where one is off by more than a tenth.
"""

import dataclasses
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import tyro

from oyster_jax.plan.topology import compile_only

ROOT = Path(__file__).resolve().parents[1]

#: Size → a slice, whose chips all cut the state, so that what is kept of a batch is the device's own.
SLICES = {"small": "v5e:2x2", "base": "v5e:4x4", "large": "v5p:2x2x4"}

#: Windows of a device, and worlds of a rollout on one.
WINDOWS, WORLDS = 4, 8

TOLERANCE = 0.1

HEAD = ("| size | chips | of a device | by hand, MB | plan, MB | compiled, MB |", "|---|---|---|---|---|---|")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Holds what a plan says of memory, and what the compiler then takes, against figures by hand."""

    only: tuple[Literal["small", "base", "large"], ...] = ("small", "base", "large")
    """Sizes that are compiled."""
    effort: Literal["O0", "O1", "O2", "O3"] = "O0"
    """How hard the compiler tries."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """Bytes of a device, found in three ways."""

    size: str
    chips: str
    what: str
    by_hand: int
    plan: int
    compiled: int

    @property
    def sound(self) -> bool:
        """Whether plan and compiler are as near to the figure by hand as they should be."""
        return all(abs(found - self.by_hand) <= TOLERANCE * self.by_hand for found in (self.plan, self.compiled))


def main(config: Config) -> int:
    """Prints the table; returns 1 where two figures are too far apart."""
    compile_only(config.effort)
    print("\n".join(HEAD), flush=True)
    sound = True
    for size in config.only:
        for row in rows(size, SLICES[size]):
            sound &= row.sound
            figures = " | ".join(f"{found / 1e6:,.1f}" for found in (row.by_hand, row.plan, row.compiled))
            print(f"| {row.size} | {row.chips} | {row.what} | {figures} |", flush=True)
    return 0 if sound else 1


def rows(size: str, slices: str) -> Iterator[Row]:
    """Compiles training and rollout of one size and yields what they hold."""
    from oyster_jax.cli.train import load_experiment
    from oyster_jax.parallel.mesh import MeshConfig
    from oyster_jax.plan import by_hand
    from oyster_jax.plan.compiling import compiled
    from oyster_jax.plan.programs import bytes_on_device, rolling, training
    from oyster_jax.plan.topology import topology

    def given(program: Any, *names: str) -> int:
        return sum(bytes_on_device(program.arguments[name]) for name in names)

    experiment, chips = load_experiment(ROOT / "configs" / f"{size}.py"), topology(slices)
    mesh = MeshConfig(fsdp=chips.chips).build(chips.devices)
    batch = dataclasses.replace(experiment.dynamics_training, batch=WINDOWS * chips.chips)
    program = training(experiment, batch, mesh)
    hand = by_hand.training(experiment, ways=chips.chips, rows=WINDOWS, ticks=program.ticks)
    executable = compiled(program, chips).executable
    state = ("parameters", "average", "optimizer")
    yield Row(
        size=size, chips=slices, what="state",
        by_hand=sum(hand[name] for name in state),
        plan=given(program, *state),
        compiled=executable.memory_analysis().argument_size_in_bytes - given(program, "batch"),
    )  # fmt: skip
    config = experiment.dynamics
    last = hand["activations"] - by_hand.streams(config, rows=WINDOWS, ticks=program.ticks)
    yield Row(
        size=size, chips=slices, what="activations",
        by_hand=hand["activations"],
        plan=program.activations,
        compiled=carried(executable.as_text(), config.coarse + config.registers, config.features) + last,
    )  # fmt: skip
    one = topology(slices.partition(":")[0] + ":" + ("1x1" if slices.count("x") == 1 else "2x2x1"))
    mesh = MeshConfig().build(one.devices)
    program = rolling(experiment, mesh, WORLDS * one.chips, ticks=4)
    hand = by_hand.rollout(experiment, worlds=WORLDS)
    found = compiled(program, one)
    rest = given(program, "rest of the worlds", "policy", "episodes")
    yield Row(
        size=size, chips=one.name, what=f"parameters and cache of {WORLDS} worlds",
        by_hand=sum(hand.values()),
        plan=given(program, *hand) + found.memory.get("padding of these", 0),
        compiled=found.executable.memory_analysis().argument_size_in_bytes - rest,
    )  # fmt: skip


def carried(program: str, slots: int, width: int) -> int:
    """Returns the bytes of residual streams that the loops of the way forward write, a part a layer, for the way back.

    Args:
      program: the text of the optimized HLO of a training step whose layers are computed again.
      slots: tokens of a tick.
      width: features of a token.
    """
    forward = [
        line.partition(" while(")[0] for line in program.splitlines()
        if " while(" in line and re.search(r'op_name="jit\(step\)/jvp\(\)/while"', line)
    ]  # fmt: skip
    stacks = re.findall(rf"f32\[(\d+,\d+,\d+,{slots},{width})\]", "\n".join(forward))
    return sum(4 * math.prod(map(int, stack.split(","))) for stack in stacks)


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Config, prog="memory_table", description=__doc__)))
