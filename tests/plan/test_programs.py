"""What a plan says before anything is compiled, against figures worked out by hand."""

import dataclasses
from pathlib import Path

import jax
import pytest

from oyster_jax.cli.train import load_experiment
from oyster_jax.parallel.mesh import MeshConfig, MeshError
from oyster_jax.plan.by_hand import rollout as rollout_bytes
from oyster_jax.plan.by_hand import training as training_bytes
from oyster_jax.plan.programs import Program, bytes_on_device, rolling, training
from oyster_jax.train.experiment import ExperimentConfig
from tests.parallel.devices import on_eight_devices

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
BATCH = 8


def experiment(size: str) -> ExperimentConfig:
    return load_experiment(CONFIGS / f"{size}.py")


def on_one_device(size: str) -> tuple[ExperimentConfig, Program]:
    one = experiment(size)
    config = dataclasses.replace(one.dynamics_training, batch=BATCH)
    return one, training(one, config, MeshConfig().build(jax.devices()[:1]))


SIZES = ("small", "base", "large")


@pytest.mark.parametrize("size", SIZES)
def test_state_against_figures_by_hand(size):
    one, program = on_one_device(size)
    found = {name: bytes_on_device(tree) for name, tree in program.arguments.items()}
    by_hand = training_bytes(one, ways=1, rows=BATCH, ticks=program.ticks)
    assert found["parameters"] == found["average"] == program.gradients
    for name in ("parameters", "average", "optimizer"):
        assert found[name] == pytest.approx(by_hand[name], rel=0.001)


@pytest.mark.parametrize("size", SIZES)
def test_activations_against_figures_by_hand(size):
    one, program = on_one_device(size)
    by_hand = training_bytes(one, ways=1, rows=BATCH, ticks=program.ticks)
    assert program.activations == pytest.approx(by_hand["activations"], rel=0.1)


@pytest.mark.parametrize("size", SIZES)
def test_operations_against_figures_by_hand(size):
    one, program = on_one_device(size)
    config, ticks = one.dynamics, one.dynamics_training.window
    slots, width = config.coarse + config.registers, config.features
    block = 2 * 12 * width**2
    space, time = 4 * slots * width, 4 * ticks * width
    trunk = config.groups * ((1 + config.space_layers) * block + config.space_layers * space + time)
    head = config.head_depth * (block + space)
    # Three times for a loss and its gradient; one row in four goes through the head twice more, without one.
    tokens = BATCH * slots * ((ticks + 1) * 3 * trunk + ticks * head * 3.5)
    assert program.model_flops == pytest.approx(tokens, rel=0.1)
    assert 1.2 < program.device_flops / program.model_flops < 1.5


@pytest.mark.parametrize("size", SIZES)
def test_worlds_against_figures_by_hand(size):
    one = experiment(size)
    program = rolling(one, MeshConfig().build(jax.devices()[:1]), worlds=4, ticks=8)
    found = {name: bytes_on_device(tree) for name, tree in program.arguments.items()}
    by_hand = rollout_bytes(one, worlds=4)
    assert {name: found[name] for name in by_hand} == by_hand


def test_a_mesh_divides_what_it_cuts():
    found = on_eight_devices(
        """
        import dataclasses
        from pathlib import Path
        from oyster_jax.cli.train import load_experiment
        from oyster_jax.parallel.mesh import MeshConfig
        from oyster_jax.plan.programs import bytes_on_device, training

        one = load_experiment(Path("configs/small.py"))
        found = []
        for fsdp, tensor in ((1, 1), (8, 1), (4, 2)):
            mesh = MeshConfig(fsdp=fsdp, tensor=tensor).build()
            program = training(one, dataclasses.replace(one.dynamics_training, batch=32), mesh)
            sizes = {name: bytes_on_device(tree) for name, tree in program.arguments.items()}
            found.append(sizes | {"gradients": program.gradients, "activations": program.activations})
        """
    )
    whole, cut, shared = found
    for name in ("parameters", "average", "optimizer", "gradients"):
        assert cut[name] == pytest.approx(whole[name] / 8, rel=0.05)
        assert shared[name] == pytest.approx(whole[name] / 8, rel=0.05)
    assert cut["batch"] == whole["batch"] == shared["batch"] / 2
    assert cut["activations"] == whole["activations"]
    # Two devices share twice as many windows: of each of them one half of the streams, and all of the last norm.
    one = experiment("small")
    last = (4 + 4 + 2) * one.dynamics_training.window * one.dynamics.coarse * one.dynamics.features
    assert shared["activations"] == pytest.approx(whole["activations"] + 4 * last, rel=0.03)


def test_a_batch_that_does_not_come_out_even_is_refused():
    one = experiment("small")
    mesh = MeshConfig().build(jax.devices()[:1])
    config = dataclasses.replace(one.dynamics_training, batch=9, accumulate=3)
    training(one, config, mesh)
    with pytest.raises((MeshError, ValueError), match="equal parts"):
        dataclasses.replace(config, batch=10)
