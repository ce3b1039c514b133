"""What devices say to each other in a compiled training step, beside what the sharding table says."""

import pytest

from tests.parallel.devices import on_eight_devices

#: By how much sent and predicted may differ, of all that is predicted: what is small is not predicted exactly.
TOLERANCE = 0.02


@pytest.fixture(scope="module")
def found():
    """A training step of a tiny world, compiled for two copies of a state that is cut four ways.

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
        mesh = MeshConfig(fsdp=4).build()
        program = training(one, config, mesh)
        read = exchanges(program.lower().compile().as_text(), mesh)
        found = {
            "sent": sent_by_axes(read),
            "predicted": predicted(program, one, scatters=False),
            "exchanges": [dataclasses.asdict(exchange) for exchange in read],
            "activations": activations(program, one),
            "moments": moments(program),
            "devices": mesh.size,
        }
        """
    )


def test_along_each_axis_a_device_sends_what_the_sharding_table_says(found):
    sent, predicted = found["sent"], found["predicted"]
    assert set(sent) == set(predicted) == {"data", "fsdp", "data+fsdp"}
    for axes, expected in predicted.items():
        assert sent[axes] == pytest.approx(expected, abs=TOLERANCE * sum(predicted.values())), axes
    # Whole copies send each other only their parts of gradients.
    assert sent["data"] == pytest.approx(predicted["data"], rel=TOLERANCE)


def test_neither_the_optimizer_nor_activations_are_ever_put_together(found):
    gathered = [one for one in found["exchanges"] if one["kind"] in ("all-gather", "all-to-all")]
    assert gathered
    for one in gathered:
        assert one["largest"] < found["moments"] / 8, one
        # Of a device's own rows alone.
        assert one["largest"] < found["activations"] / found["devices"], one
