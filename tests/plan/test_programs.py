"""What a plan says before anything is compiled, against figures worked out by hand."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from oyster_jax.cli.train import load_experiment
from oyster_jax.core.tick import COMPILER_OPTIONS
from oyster_jax.generate.devices import Blocks
from oyster_jax.generate.episodes import Kept
from oyster_jax.generate.policies import make_policy
from oyster_jax.generate.starts import Dreams
from oyster_jax.parallel.mesh import MeshConfig, MeshError
from oyster_jax.parallel.rules import batch_sharding
from oyster_jax.plan.by_hand import rollout as rollout_bytes
from oyster_jax.plan.by_hand import tokenizer as tokenizer_numbers
from oyster_jax.plan.by_hand import training as training_bytes
from oyster_jax.plan.programs import Program, bytes_on_device, rolling, training
from oyster_jax.train.experiment import ExperimentConfig
from tests.parallel.devices import on_eight_devices
from tests.plan import tiny_world

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


def test_a_step_of_the_tokenizer_against_figures_by_hand():
    one = experiment("small")
    config = dataclasses.replace(one.tokenizer_training, batch=BATCH)
    program = training(one, config, MeshConfig().build(jax.devices()[:1]), "tokenizer")
    assert bytes_on_device(program.arguments["parameters"]) == pytest.approx(4 * tokenizer_numbers(one.tokenizer))
    frames, width, tokens = program.frames, one.tokenizer.features, one.tokenizer.tokens
    assert frames == BATCH * one.tokenizer_training.window
    assert bytes_on_device(program.arguments["batch"]) == frames * 64 * 64 * 3
    # A layer's matrices, and what tokens of a frame have to do with each other.
    depth = one.tokenizer.encoder_depth + one.tokenizer.renderer_depth
    ends = 2 * (3 * one.tokenizer.patch**2 + one.tokenizer.channels) * width
    token = depth * (2 * 12 * width**2 + 4 * tokens * width) + 2 * ends
    assert program.model_flops == pytest.approx(3 * frames * tokens * token, rel=0.05)


@pytest.mark.parametrize("size", SIZES)
def test_worlds_against_figures_by_hand(size):
    one = experiment(size)
    program = rolling(one, MeshConfig().build(jax.devices()[:1]), worlds=4, ticks=8)
    found = {name: bytes_on_device(tree) for name, tree in program.arguments.items()}
    by_hand = rollout_bytes(one, worlds=4)
    assert {name: found[name] for name in by_hand} == by_hand


def test_a_planned_rollout_is_the_program_that_generates():
    """To the letter: with its policy, with what it keeps, and with the state that it uses up."""
    one = tiny_world.get_config()
    network, devices = one.network, jax.devices()[:1]
    params = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(network.init, jax.random.key(0)))
    policy = make_policy("sticky", network.spec.action)
    blocks = Blocks(network, params, policy, Dreams(), seed=0, kept=Kept(), devices=devices)
    playing, _ = blocks.shapes(4)
    row = batch_sharding(MeshConfig().build(devices))
    given = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=row), playing)
    planned = rolling(one, MeshConfig().build(devices), worlds=4, ticks=8)
    text = blocks.lowered(8, given).as_text()
    assert planned.lower().as_text() == text
    assert planned.options == COMPILER_OPTIONS
    assert "tf.aliasing_output" in text or "jax.buffer_donor" in text


def test_what_a_rollout_is_given_is_all_there():
    """Every array lies in one category."""
    planned = rolling(tiny_world.get_config(), MeshConfig().build(jax.devices()[:1]), worlds=4, ticks=8)
    given = jax.tree.leaves(planned.lower().in_avals)
    named = jax.tree.leaves(planned.arguments)
    assert sorted(str(x.shape) for x in given) == sorted(str(x.shape) for x in named)


def test_worlds_of_all_devices_count():
    found = on_eight_devices(
        """
        from oyster_jax.parallel.mesh import MeshConfig
        from oyster_jax.plan.programs import bytes_on_device, rolling
        from tests.plan.tiny_world import get_config

        found = []
        for mesh in (MeshConfig().build(jax.devices()[:1]), MeshConfig(fsdp=2, tensor=2).build()):
            program = rolling(get_config(), mesh, worlds=8, ticks=4)
            found.append([program.model_flops, bytes_on_device(program.arguments["ring"]), program.frames])
        """
    )
    one, eight = found
    # What parameters need before they are used, each device that has them does for itself.
    assert eight == [pytest.approx(one[0], rel=1e-3), one[1] / 4, one[2]]


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
