"""What devices must say to each other in a training step: bytes by axis of the mesh, from the sharding table alone.

Nothing is compiled for it. A compiled program that sends much more along an axis exchanges something by accident, as
activations, or moments of the optimizer, that were put together whole.
"""

import collections
from collections.abc import Iterator
from typing import Any

import jax

from oyster_jax.parallel.mesh import batch_ways
from oyster_jax.plan.programs import Program
from oyster_jax.train.experiment import ExperimentConfig

#: Numbers travel as bfloat16 where layers compute with them, as float32 where they are summed up.
_COMPUTED, _SUMMED = 2, 4

#: How often a step runs through the layers of a stack, forwards and backwards: the trunk for the loss and for its
#: dream, the head once forwards more for each of the two half steps that larger steps learn from.
_PASSES = {"trunk": 4, "head": 6}

#: How often it does so on the way back: each makes a gradient.
_GRADIENTS = 2

#: Iterations of Newton and Schulz in Muon; each sums up a square of the shorter side (Jordan et al., 2024).
_ITERATIONS = 5


def forecast(program: Program, experiment: ExperimentConfig) -> dict[str, float]:
    """Returns the bytes that a device sends in one step along each set of axes, named as in `Exchange`.

    Kernels of stacks are put together along `fsdp` for every pass; their gradients are summed along `fsdp`, `data` and
    `slice`; squares of updates along `fsdp` and `tensor` together; and the sums of blocks cross `tensor`.
    """
    shape = program.mesh.shape
    fsdp, tensor, copies = shape["fsdp"], shape["tensor"], shape["data"] * shape["slice"]
    sent: collections.Counter[str] = collections.Counter()
    for stack, kernel in _kernels(program.arguments["parameters"]):
        share = kernel.size / tensor
        sent["fsdp"] += _PASSES[stack] * _COMPUTED * share * _left(fsdp)
        sent["fsdp"] += _GRADIENTS * _SUMMED * share * _left(fsdp)
        sent[_joined(program, "slice", "data")] += _GRADIENTS * _SUMMED * share / fsdp * 2 * _left(copies)
        depth, *sides = kernel.shape
        squares = depth * min(sides) ** 2
        sent[_joined(program, "fsdp", "tensor")] += _ITERATIONS * _SUMMED * squares * 2 * _left(fsdp * tensor)
    sent["tensor"] += _crossed(program, experiment)
    return {axes: size for axes, size in sent.items() if size > 0}


def _crossed(program: Program, experiment: ExperimentConfig) -> float:
    """Bytes of the sums of blocks: of each once forwards, once as it is computed again and once backwards."""
    config, tensor = experiment.dynamics, program.mesh.shape["tensor"]
    trunk = config.groups * (1 + config.space_layers)
    rows = program.rows / batch_ways(program.mesh)
    # The two half steps take every fourth row, forwards only; a dream is one tick of each row.
    ticks = rows * (program.ticks + 1)
    times = 3 if program.layers.recompute == "everything" else 2
    blocks = times * (trunk + config.head_depth) * ticks + config.head_depth * ticks / 2
    tokens = blocks * (config.coarse + config.registers)
    return tokens * config.features * _COMPUTED * 2 * _left(tensor)


def _kernels(params: Any) -> Iterator[tuple[str, jax.ShapeDtypeStruct]]:
    """Yields the kernels of stacks, each with the name of its stack."""
    for stack in _PASSES:
        for path, leaf in jax.tree_util.tree_leaves_with_path(params[stack]):
            if jax.tree_util.keystr(path[-1:], simple=True) == "kernel":
                yield stack, leaf


def _left(ways: int) -> float:
    """The share of an array that lies on other devices."""
    return (ways - 1) / ways


def _joined(program: Program, *axes: str) -> str:
    return "+".join(axis for axis in axes if program.mesh.shape[axis] > 1)
