"""Training steps on meshes: the same losses, and no more exchanged than the table of what is cut says."""

import math
import re

import numpy as np
import pytest

from oyster_jax.parallel.mesh import MeshConfig, MeshError
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.program import check_rows
from tests.parallel.devices import on_eight_devices

#: The largest matrix of a layer, and the activations of one device: rows, ticks, slots, width. These are larger.
MATRIX, ACTIVATIONS = 32 * 7 * 32, 4 * 16 * 8 * 32

_TRAIN = """
import dataclasses
import numpy as np
import jax.numpy as jnp
from oyster_jax.models import dynamics
from oyster_jax.nn.functional import LayersConfig
from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.testing import tiny_model
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import DynamicsLossConfig, dynamics_loss
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.program import train_program

model = tiny_model()
readouts = dataclasses.replace(model.dynamics.readouts, entity_types=())
config = dataclasses.replace(model.dynamics, map=None, features=32, heads=4, registers=4, readouts=readouts)
training = TrainConfig(steps=20, batch=32, window=16, optimizer=OptimizerConfig(learning_rate=3e-3, warmup=2))
generator = np.random.default_rng(0)
batch = {
    "latents": np.tanh(generator.normal(size=(32, 16, 16, 4))).astype(np.float16),
    "actions": generator.integers(15, size=(32, 16)).astype(np.int32),
    "rewards": np.zeros((32, 16), np.float32),
    "terminals": np.zeros((32, 16), bool),
}


def init(key):
    return dynamics.init(config, key)


def loss(params, batch, key):
    return dynamics_loss(config, DynamicsLossConfig(), model.spec, params, batch, key)


def train(training, mesh, steps=6):
    program = train_program(init, loss, training, mesh)
    state = program.begin(init(jax.random.key(0)), jax.random.key(1))
    step = program.step.lower(program.state, program.abstract_batch(batch)).compile()
    placed, losses = jax.device_put(batch, program.batch), []
    for _ in range(steps):
        state, metrics = step(state, placed)
        losses.append(float(metrics["loss"]))
    return losses, step.as_text()


alone = MeshConfig().build(jax.devices()[:1])
"""


@pytest.fixture(scope="module")
def found():
    return on_eight_devices(
        _TRAIN
        + """
meshes = {
    "data 8": MeshConfig(), "fsdp 8": MeshConfig(fsdp=8), "fsdp 2 tensor 4": MeshConfig(fsdp=2, tensor=4),
    "slices 2": MeshConfig(slices=2, fsdp=4),
}
found = {"1": train(training, alone)} | {name: train(training, mesh.build()) for name, mesh in meshes.items()}
"""
    )


MESHES = ["data 8", "fsdp 8", "fsdp 2 tensor 4", "slices 2"]


@pytest.mark.parametrize("mesh", MESHES)
def test_the_losses_are_those_of_one_device(found, mesh):
    expected = found["1"][0]
    assert len(set(expected)) == len(expected)
    np.testing.assert_allclose(found[mesh][0], expected, rtol=2e-4)


@pytest.mark.parametrize("mesh", MESHES)
def test_no_activations_are_gathered_or_moved(found, mesh):
    for kind, largest, _ in exchanges(found[mesh][1]):
        if kind != "all-reduce":
            assert largest <= MATRIX < ACTIVATIONS, (mesh, kind, largest)


@pytest.mark.parametrize("mesh", ["data 8", "fsdp 8", "slices 2"])
def test_only_gradients_and_small_squares_are_summed_up(found, mesh):
    """Without tensor ways, no device waits for another within a layer."""
    for kind, largest, _ in exchanges(found[mesh][1]):
        if kind == "all-reduce":
            assert largest <= MATRIX, (mesh, largest)


def test_whole_copies_exchange_nothing_but_sums(found):
    moved = [(kind, size) for kind, _, size in exchanges(found["data 8"][1]) if kind != "all-reduce"]
    assert moved == []


@pytest.mark.parametrize("mesh", ["fsdp 8", "slices 2"])
def test_parameters_are_gathered_a_layer_at_a_time(found, mesh):
    """Forwards, twice more for bootstrap targets, and backwards; the moments of the optimizer never."""
    gathered = sum(size for kind, _, size in exchanges(found[mesh][1]) if kind == "all-gather")
    matrices = 2 * 3 * 12 * 32 * 32 + 12 * 32 * 32  # of two groups of three layers, and of the head
    assert matrices < gathered < 5 * matrices


def exchanges(text):
    """Yields each collective of a compiled program: its kind, and elements of its largest result and of all."""
    kinds = "all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute"
    for match in re.finditer(rf"= (.*?) ({kinds})(?:-start)?\(", text):
        sizes = [
            math.prod(int(size) for size in shape.split(",") if size)
            for shape in re.findall(r"(?:f|bf|s|u|pred)[0-9]*\[([0-9,]*)\]", match.group(1))
        ]
        yield match.group(2), max(sizes), sum(sizes)


def test_batches_in_parts_and_layers_computed_again_change_little():
    found = on_eight_devices(
        _TRAIN
        + """
again = {
    what: dataclasses.replace(training, layers=LayersConfig(recompute=what, unroll=False))
    for what in ("nothing", "elementwise", "everything")
}
parts = dataclasses.replace(training, accumulate=4)
found = {"1": train(training, alone, 4)[0]} | {what: train(one, alone, 4)[0] for what, one in again.items()}
found["kept in parts"] = train(again["everything"], MeshConfig(fsdp=2, tensor=4).build(), 4)[0]
found |= {"parts": train(parts, alone, 4)[0], "parts on 8": train(parts, MeshConfig(fsdp=8).build(), 4)[0]}
"""
    )
    for what in ("nothing", "elementwise", "everything", "kept in parts"):
        np.testing.assert_allclose(found[what], found["1"], rtol=2e-4)
    np.testing.assert_allclose(found["parts on 8"], found["parts"], rtol=2e-4)
    # Parts draw noise of their own.
    np.testing.assert_allclose(found["parts"], found["1"], rtol=0.1)


def test_rows_that_do_not_come_out_even_are_refused():
    mesh = MeshConfig().build()
    check_rows(TrainConfig(steps=1, batch=12, window=1, accumulate=3), mesh)
    with pytest.raises(ValueError, match="at least one step, but -5"):
        TrainConfig(steps=-5, batch=12, window=1)
    with pytest.raises(ValueError, match="cannot go through the model in 5 equal parts"):
        TrainConfig(steps=1, batch=12, window=1, accumulate=5)
    sentence = on_eight_devices(
        """
        from oyster_jax.parallel.mesh import MeshConfig, MeshError
        from oyster_jax.train.config import TrainConfig
        from oyster_jax.train.program import check_rows
        try:
            check_rows(TrainConfig(steps=1, batch=24, window=1, accumulate=2), MeshConfig(fsdp=4).build())
        except MeshError as error:
            found = str(error)
        """
    )
    assert "12 windows at a time" in sentence
    assert "multiple of 16" in sentence
    assert issubclass(MeshError, ValueError)
