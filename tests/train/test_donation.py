"""A training step uses its state up: parameters, average and moments are never held twice."""

import jax
import jax.numpy as jnp
import pytest

from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.plan.programs import bytes_on_device
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.program import train_program

BATCH = {"x": jax.ShapeDtypeStruct((8, 4, 64), jnp.float32)}


def init(key):
    return {"first": {"kernel": jax.random.normal(key, (64, 128))}, "second": {"kernel": jnp.ones((128, 64))}}


def loss(params, batch, key):
    del key
    hidden = jnp.tanh(batch["x"] @ params["first"]["kernel"])
    error = jnp.mean(jnp.square(hidden @ params["second"]["kernel"] - batch["x"]))
    return error, {"error": error}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_state_is_held_once(optimizer, accumulate):
    config = TrainConfig(
        steps=10, batch=8, window=4, accumulate=accumulate, optimizer=OptimizerConfig(name=optimizer)
    )  # fmt: skip
    program = train_program(init, loss, config, MeshConfig().build(jax.devices()[:1]))
    memory = program.step.lower(program.state, program.abstract_batch(BATCH)).compile().memory_analysis()
    assert memory.alias_size_in_bytes >= bytes_on_device(program.state)
    state = program.begin(init(jax.random.key(0)), jax.random.key(1))
    later, _ = program.step(state, {"x": jnp.ones((8, 4, 64))})
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves((state.params, state.average, state.optimizer)))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(later))
