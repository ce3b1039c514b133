"""Training the camera by itself."""

import dataclasses
import functools
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.record import RecordConfig, record
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.models import dynamics
from oyster_jax.models.camera import CameraConfig
from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.testing import tiny_model
from oyster_jax.train.camera import CameraTraining, camera_loss, camera_stage
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.program import train_program

CONFIG = dataclasses.replace(
    tiny_model().dynamics, camera=CameraConfig(tile=4.0, beside=0, above=1, features=16, depth=2, reader=8)
)
TRAINING = TrainConfig(
    steps=150, batch=16, window=8, average_decay=0.9, optimizer=OptimizerConfig(name="adamw", learning_rate=3e-3)
)


def _falls(key: jax.Array) -> dict[str, jax.Array]:
    """Bodies that are thrown up and fall: 0.2 pixels a tick are added to how fast they go down, and to nothing else."""
    speed = jax.random.uniform(key, (16, 2), minval=-3.0, maxval=3.0)
    fall = jnp.stack([jnp.zeros(8), 0.2 * jnp.arange(8.0)], axis=-1)
    motion = speed[:, None] + fall[None]
    place = jnp.cumsum(motion, axis=1) / 4.0
    # Of how far it lies between two tiles, every token of a frame tells.
    waves = 2 * jnp.pi * place
    told = jnp.concatenate([jnp.cos(waves), jnp.sin(waves)], axis=-1)
    return {
        "frames": jnp.zeros((16, 8, 16, 16, 3), jnp.uint8),
        "latents": jnp.broadcast_to(told[:, :, None], (16, 8, CONFIG.tokens, CONFIG.channels)),
        "motion": motion, "place": place, "actions": jnp.zeros((16, 8), jnp.int32),
    }  # fmt: skip


def _learned(alone: float, rate: float = 3e-3) -> list[dict[str, float]]:
    """Returns the metrics of each step."""
    training = dataclasses.replace(TRAINING, optimizer=dataclasses.replace(TRAINING.optimizer, learning_rate=rate))
    learning = CameraTraining(training=training, alone=alone, motion_noise=0.05)
    loss = functools.partial(camera_loss, CONFIG, learning)
    init = functools.partial(dynamics.init_camera, CONFIG)
    program = train_program(init, loss, training, MeshConfig().build())
    state = program.begin(init(jax.random.key(0)), jax.random.key(1))
    found: list[dict[str, float]] = []
    for step in range(TRAINING.steps):
        state, metrics = program.step(state, _falls(jax.random.key(step)))
        found.append({name: float(metrics[name]) for name in ("drift", "reading")})
    return found


def test_it_learns_to_fall_from_what_it_told_itself() -> None:
    drift = [metrics["drift"] for metrics in _learned(alone=1.0)]
    # Who learns nothing is 0.2 pixels a tick too slow, then 0.4, and so on: 3 pixels in five ticks, on one axis of two.
    assert np.mean(drift[-10:]) < 0.2 < 1.0 < drift[0]


def test_it_learns_where_tiles_lie() -> None:
    reading = [metrics["reading"] for metrics in _learned(alone=0.0, rate=2e-2)]
    # To say nothing is off by 1 on each axis, of whose two numbers one is then right: 0.5.
    assert np.mean(reading[-10:]) < 0.1 < 0.4 < reading[0]


def test_tiles_of_another_size_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("procgen_gym", reason="the simulator has no wheel for this Python")
    record(RecordConfig(source=Procgen(game="coinrun", entities=True), frames=64, levels=(0, 4)), tmp_path)
    learning = CameraTraining(training=TRAINING)
    with pytest.raises(ValueError, match=r"4\.923 pixels wide"):
        camera_stage(CONFIG, learning, EpisodeDataset(tmp_path), 0)


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_a_camera_stays_as_it_is_while_the_rest_learns(name: Literal["muon", "adamw"]) -> None:
    params = {"camera": {"kernel": jnp.ones((4, 4))}, "trunk": {"kernel": jnp.ones((4, 4))}}
    gradient = jax.tree.map(lambda leaf: 0.01 * leaf, params)
    optimizer = OptimizerConfig(name=name, warmup=0).build(10)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        moved: Any = optimizer.update(gradient, optimizer.init(params), params)[0]
    np.testing.assert_array_equal(moved["camera"]["kernel"], 0.0)
    assert np.all(np.asarray(moved["trunk"]["kernel"]) < 0)


def test_the_camera_of_a_dynamics_has_the_shapes_of_one_trained_alone() -> None:
    whole = dynamics.init(CONFIG, jax.random.key(0))["camera"]
    alone = dynamics.init_camera(CONFIG, jax.random.key(0))
    assert jax.tree.map(jnp.shape, whole) == jax.tree.map(jnp.shape, alone)
