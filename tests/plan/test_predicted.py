"""What devices say to each other in a compiled training step, beside what the sharding table says."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parallel.devices import on_devices, on_eight_devices
from tests.plan.compiler import compiler

ROOT = Path(__file__).resolve().parents[2]

#: By how much sent and predicted may differ, of all that is predicted: what is small is not predicted exactly.
TOLERANCE = 0.02


@pytest.fixture(scope="module", params=[4, 8])
def found(request):
    """A training step of a tiny world, compiled for two copies of a state that is cut four ways, and for one cut eight.

    In float32: a processor's compiler would make it of bfloat16.
    """
    return on_eight_devices(
        """
        import dataclasses
        from pathlib import Path
        from oyster_jax.parallel.mesh import MeshConfig
        from oyster_jax.plan.collectives import exchanges, sent_by_axes
        from oyster_jax.plan.predicted import activations, moments, predicted
        from oyster_jax.plan.programs import training
        from oyster_jax.train.optimizer import OptimizerConfig
        from tests.plan.tiny_world import get_config

        one = get_config()
        config = dataclasses.replace(one.dynamics_training, batch=32, window=16, optimizer=OptimizerConfig())
        network = dataclasses.replace(one.dynamics, features=64, memory_heads=0, dtype="float32")
        one = dataclasses.replace(one, dynamics=network, dynamics_training=config)
        mesh = MeshConfig(fsdp=WAYS).build()
        program = training(one, config, mesh)
        read = exchanges(program.lower().compile().as_text(), mesh)
        found = {
            "sent": sent_by_axes(read),
            "predicted": predicted(program, one, scatters=False),
            "exchanges": [dataclasses.asdict(exchange) for exchange in read],
            "activations": activations(program, one),
            "moments": moments(program),
            "mesh": dict(mesh.shape),
        }
        """.replace("WAYS", str(request.param))
    )


def test_along_each_axis_a_device_sends_what_the_sharding_table_says(found):
    sent, predicted = found["sent"], found["predicted"]
    copies = found["mesh"]["data"] > 1
    assert set(sent) == set(predicted) == ({"data", "fsdp", "data+fsdp"} if copies else {"fsdp"})
    for axes, expected in predicted.items():
        assert sent[axes] == pytest.approx(expected, abs=TOLERANCE * sum(predicted.values())), axes
    # Whole copies send each other only their parts of gradients.
    assert sent.get("data", 0) == pytest.approx(predicted.get("data", 0), rel=TOLERANCE)


def test_neither_the_optimizer_nor_activations_are_ever_put_together(found):
    gathered = [one for one in found["exchanges"] if one["kind"] in ("all-gather", "all-to-all")]
    assert gathered
    for one in gathered:
        assert one["largest"] < found["moments"] / 8, one
        # Of a device's own rows alone.
        assert one["largest"] < found["activations"] / math.prod(found["mesh"].values()), one


@compiler
def test_no_chip_of_a_slice_sums_up_what_it_could_gather():
    found = on_devices(
        1,
        """
        from oyster_jax.plan.topology import compile_only, topology
        compile_only("O0")
        import jax.numpy as jnp
        from oyster_jax.nn.dense import Dense
        from oyster_jax.nn.functional import LayersConfig, Stack, bind, init, layered
        from oyster_jax.parallel import rules
        from oyster_jax.parallel.mesh import MeshConfig
        from oyster_jax.plan.collectives import exchanges

        def build(size, rngs):
            return Stack(lambda rngs: Dense(size, size, rngs=rngs), 4, rngs=rngs)

        mesh = MeshConfig(fsdp=64).build(topology("v5p:4x4x4").devices)
        params = jax.eval_shape(lambda key: init(build, 2048, key), jax.random.key(0))
        lie = lambda x, sharding: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)
        params = jax.tree.map(lie, params, rules.param_shardings(mesh, params))
        rows = lie(jax.ShapeDtypeStruct((8192, 2048), jnp.bfloat16), rules.batch_sharding(mesh))

        def loss(params, rows):
            rows, _ = bind(build, 2048, params)(rows, lambda layer, rows, _: (jax.nn.relu(layer(rows)), None))
            return jnp.mean(rows.astype(jnp.float32) ** 2)

        gradient = jax.jit(jax.grad(loss), out_shardings=rules.update_shardings(mesh, params))
        with rules.on(mesh), layered(LayersConfig(recompute="everything", unroll=False)):
            program = gradient.lower(params, rows)
        read = exchanges(program.compile().as_text(), mesh)
        found = {kind: sum(one.bytes for one in read if one.kind == kind) for kind in {one.kind for one in read}}
        """,
    )
    kernels = 4 * 2048**2 * 2 * 63 / 64
    assert found["all-gather"] == pytest.approx(2 * kernels, rel=0.01)
    # Of sums, all but the last eighth is summed up into parts.
    assert found["reduce-scatter"] + found["all-reduce"] == pytest.approx(kernels, rel=0.15)


@compiler
def test_devices_that_share_layers_say_no_more_than_the_sharding_table_says():
    command = [sys.executable, "tools/weak_scaling.py", "--tensor", "2", "--chips", "16"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("| 16 | fsdp 8 × tensor 2 |") == 3
