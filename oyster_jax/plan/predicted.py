"""What devices say to each other in a training step of the dynamics, from the sharding table by hand: bytes by axis.

With n numbers in a kernel, f ways of `fsdp`, t of `tensor`, d of `data`, and a ring's share of (w − 1)/w for w ways;
a kernel that devices share (of a layer's products) has n/t numbers for each of them, every other all n:

- Along `fsdp`, a kernel is put together in the dtype of the products whenever a stack runs through its layers:
  (f − 1)/f of its numbers for each pass. Its gradient is summed up into parts: as much once more, for each gradient.
  One that is not shared is put together along `fsdp` and `tensor` at once, or in two steps (`mesh.in_steps`).
- Along `data`, these parts are summed up over copies: 2 (d − 1)/d · n/(f t) for each gradient.
- Along `fsdp` and `tensor` together, w = f t, Muon sums up a square of the shorter side, in float32, in each of its
  iterations: 2 (w − 1)/w · side². Parameters go to where updates are made and back: twice (w − 1)/w · n/w.
  A side that does not come out even over both is cut over `fsdp` alone.
- Along all of a batch's axes, what is whole everywhere is summed up in float32.
- Along `tensor`, a device's pieces of each kernel are exchanged before they are put together, and what blocks add to
  the residual stream is summed up into rows that are put together for the next block: as much as one sum of the whole.

What is small, as one side of a kernel that is not cut evenly or is too narrow to be summed up into parts, is not told
apart: programs sent up to 8 % more, and 3 % less, than this (see BUILD.md).

No term grows with the chips, but as (w − 1)/w does. A compiled program that sends much more along an axis exchanges
something by accident, as activations, or moments of the optimizer, that were put together whole.
"""

import collections
import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from oyster_jax.parallel.mesh import batch_ways, in_steps
from oyster_jax.plan.by_hand import layers
from oyster_jax.plan.programs import Program
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.tree import named_leaves

#: Bytes of a master, and of what is summed up for updates.
_WHOLE = 4

#: Gradients of a step: of the loss of all windows, and of that of a dream; each is summed up by itself.
_GRADIENTS = 2

#: Half steps that larger steps learn from; they run through the head forwards only.
_HALF_STEPS = 2

#: Iterations of Newton and Schulz in Muon (Jordan et al., 2024).
_ITERATIONS = 5


def predicted(program: Program, experiment: ExperimentConfig, *, scatters: bool = True) -> dict[str, float]:
    """Returns the bytes that a device sends in one step along each set of axes, named as in `Exchange`.

    Args:
      program: of a training step.
      experiment: what it trains.
      scatters: whether the compiler sums up into parts; XLA's for a CPU sums up the whole, which is twice as much, and
        takes a part of it.
    """
    shape = program.mesh.shape
    fsdp, tensor, data = shape["fsdp"], shape["tensor"], shape["slice"] * shape["data"]
    cut, half = fsdp * tensor, jnp.dtype(experiment.dynamics.dtype).itemsize
    passes = _passes(program, experiment)
    muon = experiment.dynamics_training.optimizer.name == "muon"
    sent: dict[str, float] = collections.defaultdict(float)
    for name, leaf in named_leaves(program.arguments["parameters"]).items():
        if not name.endswith("kernel"):
            every = _joined(program, "slice", "data", "fsdp")
            sent[every] += _WHOLE * leaf.size * 2 * _left(data * fsdp)
            continue
        stack, split = name.split(".")[0], ".inward." in name or ".outward." in name
        numbers = leaf.size / tensor if split else leaf.size
        times = passes.get(stack, 1) * half
        if split or in_steps(program.mesh) is not None:
            sent["fsdp"] += times * numbers * _left(fsdp)
            sent["tensor"] += 0 if split else times * numbers / fsdp * _left(tensor)
        else:
            sent[_joined(program, "fsdp", "tensor")] += times * numbers * _left(cut)
        sent["fsdp"] += _GRADIENTS * half * numbers * _left(fsdp) * (1 if scatters else 2)
        sent[_joined(program, "slice", "data")] += _GRADIENTS * half * leaf.size / cut * 2 * _left(data)
        both = _joined(program, "fsdp", "tensor")
        if not _lies_as_updated(name, leaf):
            sent[both] += 2 * _WHOLE * leaf.size / cut * _left(cut)
        if muon:
            squares = math.prod(leaf.shape[:-2]) * min(leaf.shape[-2:]) ** 2
            axes, ways = (both, cut) if max(leaf.shape[-2:]) % cut == 0 else ("fsdp", fsdp)
            sent[axes] += _ITERATIONS * _WHOLE * squares * 2 * _left(ways)
        if split:
            sent["tensor"] += (passes[stack] + _GRADIENTS) * half * leaf.size / cut * _left(tensor)
    sent["tensor"] += _crossed(program, experiment) * half
    return {axes: size for axes, size in sent.items() if size > 0}


def activations(program: Program, experiment: ExperimentConfig) -> int:
    """Returns the bytes of one residual stream of all windows, which no exchange may come near."""
    config = experiment.dynamics
    return _WHOLE * program.frames * (config.coarse + config.registers) * config.features


def moments(program: Program) -> int:
    """Returns the bytes of the whole optimizer, which no exchange may come near."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(program.arguments["optimizer"]))


def _passes(program: Program, experiment: ExperimentConfig) -> Mapping[str, int]:
    """Returns how often a step runs through the layers of each stack and needs its kernels."""
    # The way back takes what was put together for the layer that is computed again.
    each = 1 if program.layers.recompute == "nothing" else 2
    ahead = _HALF_STEPS if experiment.dynamics_loss.objective.bootstrap else 0
    head = _GRADIENTS * each + ahead
    return {"trunk": _GRADIENTS * each, "head": head, "fine": head}


def _crossed(program: Program, experiment: ExperimentConfig) -> float:
    """Numbers of the sums of blocks that cross `tensor`: once forwards, once computed again, once on the way back."""
    config, tensor = experiment.dynamics, program.mesh.shape["tensor"]
    rows = program.rows / batch_ways(program.mesh)
    times = 2 if program.layers.recompute == "nothing" else 3
    # A dream is one tick of each row; half steps take a share of the rows.
    blocks = times * layers(config) * (program.ticks + 1)
    blocks += _HALF_STEPS * config.head_depth * program.ticks * experiment.dynamics_loss.objective.bootstrap
    tokens = rows * blocks * (config.coarse + config.registers)
    return tokens * config.features * 2 * _left(tensor)


def _lies_as_updated(name: str, leaf: jax.ShapeDtypeStruct) -> bool:
    """Whether a matrix is cut along the same side at rest and while it is updated."""
    rows_at_rest = not f".{name}".endswith(".outward.kernel")
    return rows_at_rest == (leaf.shape[-2] > leaf.shape[-1])


def _left(ways: int) -> float:
    """The share of an array that lies on other devices."""
    return (ways - 1) / ways


def _joined(program: Program, *axes: str) -> str:
    return "+".join(axis for axis in axes if program.mesh.shape[axis] > 1)
