"""Training the camera by itself."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.models import dynamics
from oyster_jax.models.camera import CameraConfig
from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.testing import tiny_model
from oyster_jax.train.camera import CameraTraining, camera_loss
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.program import train_program

CONFIG = dataclasses.replace(tiny_model().dynamics, camera=CameraConfig(view=2, features=16, depth=2))
TRAINING = TrainConfig(
    steps=150, batch=16, window=8, average_decay=0.9, optimizer=OptimizerConfig(name="adamw", learning_rate=3e-3)
)


def _falls(key: jax.Array) -> dict[str, jax.Array]:
    """Bodies that are thrown up and fall: 0.2 pixels a tick are added to how fast they go down, and to nothing else."""
    speed = jax.random.uniform(key, (16, 2), minval=-3.0, maxval=3.0)
    fall = jnp.stack([jnp.zeros(8), 0.2 * jnp.arange(8.0)], axis=-1)
    motion = speed[:, None] + fall[None]
    latents = jnp.zeros((16, 8, CONFIG.tokens, CONFIG.channels))
    return {"latents": latents, "motion": motion, "actions": jnp.zeros((16, 8), jnp.int32)}


def _drift(alone: float) -> list[float]:
    """Returns how far off the place is, after each step."""
    learning = CameraTraining(training=TRAINING, alone=alone, motion_noise=0.05)
    loss = functools.partial(camera_loss, CONFIG, learning)
    init = functools.partial(dynamics.init_camera, CONFIG)
    program = train_program(init, loss, TRAINING, MeshConfig().build())
    state = program.begin(init(jax.random.key(0)), jax.random.key(1))
    found = []
    for step in range(TRAINING.steps):
        state, metrics = program.step(state, _falls(jax.random.key(step)))
        found.append(float(metrics["drift"]))
    return found


def test_it_learns_to_fall_from_what_it_told_itself() -> None:
    drift = _drift(alone=1.0)
    # Who learns nothing is 0.2 pixels a tick too slow, then 0.4, and so on: 3 pixels in five ticks, on one axis of two.
    assert np.mean(drift[-10:]) < 0.2 < 1.0 < drift[0]


def test_parts_of_the_parameters_can_learn_more_slowly() -> None:
    params = {"camera": {"kernel": jnp.ones((4, 4))}, "trunk": {"kernel": jnp.ones((4, 4))}}
    gradient = jax.tree.map(lambda leaf: 0.01 * leaf, params)
    plain = dataclasses.replace(TRAINING.optimizer, warmup=0, weight_decay=0.0)
    moved = {}
    for name, config in (("plain", plain), ("slower", dataclasses.replace(plain, slower=(("camera", 0.25),)))):
        optimizer = config.build(10)
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            moved[name] = optimizer.update(gradient, optimizer.init(params), params)[0]
    ratio = jax.tree.map(lambda slow, fast: slow / fast, moved["slower"], moved["plain"])
    np.testing.assert_allclose(ratio["camera"]["kernel"], 0.25, rtol=1e-5)
    np.testing.assert_allclose(ratio["trunk"]["kernel"], 1.0, rtol=1e-5)


def test_the_camera_of_a_dynamics_has_the_shapes_of_one_trained_alone() -> None:
    whole = dynamics.init(CONFIG, jax.random.key(0))["camera"]
    alone = dynamics.init_camera(CONFIG, jax.random.key(0))
    assert jax.tree.map(jnp.shape, whole) == jax.tree.map(jnp.shape, alone)
