"""The camera's motion."""

import dataclasses
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.core.rollout import rollout
from oyster_jax.models import dynamics
from oyster_jax.models.camera import Camera, CameraConfig, around, motion_features, told
from oyster_jax.models.description import network_from_json, network_to_json
from oyster_jax.models.spatial_map import MapConfig
from oyster_jax.testing import noisy, tiny_model

CONFIG = dataclasses.replace(
    tiny_model().dynamics, camera=CameraConfig(tile=4.0, beside=0, above=1, samples=2, features=16, depth=2, reader=8)
)
FRAMES = jax.random.randint(jax.random.key(1), (2, 3, 16, 16, 3), 0, 256).astype(jnp.uint8)
PLACE = jnp.array([[[0.1, 0.4]] * 3, [[-0.5, 0.25]] * 3])
MOTION = jnp.array([[[1.0, -2.0]] * 3, [[0.5, 0.0]] * 3])
ACTIONS = jnp.array([[0, 1, 2], [3, 4, 5]], jnp.int32)


def _camera(scale: float = 0.1) -> Camera:
    params = dynamics.init_camera(CONFIG, jax.random.key(0))
    return dynamics.bind_camera(CONFIG, noisy(params, jax.random.key(2), scale))


def test_a_camera_that_learned_nothing_goes_on_as_before() -> None:
    camera = dynamics.bind_camera(CONFIG, dynamics.init_camera(CONFIG, jax.random.key(0)))
    np.testing.assert_array_equal(camera(FRAMES, PLACE, MOTION, ACTIONS), MOTION)


def test_it_reads_what_is_around_the_middle_its_place_the_motion_and_the_action() -> None:
    camera = _camera()
    plain = camera(FRAMES, PLACE, MOTION, ACTIONS)
    np.testing.assert_array_equal(camera(FRAMES.at[:, :, 0, 0].set(0), PLACE, MOTION, ACTIONS), plain)
    for changed in (
        camera(FRAMES.at[:, :, 4, 7].set(0), PLACE, MOTION, ACTIONS),
        camera(FRAMES, PLACE + 0.1, MOTION, ACTIONS),
        camera(FRAMES, PLACE, MOTION + 0.1, ACTIONS),
        camera(FRAMES, PLACE, MOTION, ACTIONS + 1),
    ):
        assert jnp.all(jnp.any(changed != plain, axis=-1))
    # Whole tiles are no other place between tiles.
    np.testing.assert_allclose(camera(FRAMES, PLACE + 3.0, MOTION, ACTIONS), plain, atol=1e-3)


def test_a_chain_of_moves_equals_calls() -> None:
    camera = _camera()
    seen = camera.seen(around(camera.config, FRAMES, PLACE), ACTIONS)
    called = camera(FRAMES, PLACE, MOTION, ACTIONS)
    np.testing.assert_allclose(camera.move(seen, PLACE, MOTION), called, rtol=1e-6)


@pytest.mark.parametrize("shape", [(2,), (5, 2), (4, 3, 2)])
def test_motions_are_told_to_fractions_of_a_pixel(shape: tuple[int, ...]) -> None:
    motion = jax.random.uniform(jax.random.key(3), shape, minval=-4.0, maxval=4.0)
    features = told(motion)
    assert features.shape == (*shape[:-1], motion_features())
    assert float(jnp.min(jnp.max(jnp.abs(told(motion + 0.05) - features), axis=-1))) > 0.05


def test_a_world_with_a_camera_steps_as_it_rolls_out_and_is_described_whole() -> None:
    canvas = MapConfig(rows=40, columns=48, changed=96, given_trust=0.3, drawn_trust=0.1)
    model = dataclasses.replace(tiny_model(), dynamics=dataclasses.replace(CONFIG, map=canvas))
    assert network_from_json(json.loads(json.dumps(network_to_json(model))), model.spec) == model
    params = noisy(model.init(jax.random.key(0)), jax.random.key(1))
    frames = jax.random.randint(jax.random.key(2), (3, 16, 16, 3), 0, 256).astype(jnp.uint8)
    state = jax.jit(model.encode)(params, frames, jnp.array([7, 8], jnp.int32), jax.random.key(3))
    actions = jnp.array([7, 8, 1, 4, 5, 7], jnp.int32)
    last, rolled = jax.jit(functools.partial(rollout, model))(params, state, actions)
    advance = jax.jit(model.advance)
    for action, frame in zip(actions, rolled, strict=True):
        state = advance(params, state, action)
        np.testing.assert_array_equal(model.render(params, state), frame)
    np.testing.assert_array_equal(state.memory["motion"], last.memory["motion"])
    assert jnp.any(state.memory["motion"] != 0)
    assert jnp.any(state.memory["lattice"] != 0)


def test_what_was_drawn_lies_where_it_was_drawn_for() -> None:
    model = dataclasses.replace(tiny_model(), dynamics=CONFIG)
    params = noisy(model.init(jax.random.key(0)), jax.random.key(1))
    state = jax.jit(model.encode)(params, FRAMES[0], ACTIONS[0, :2], jax.random.key(3))
    advance = jax.jit(model.advance)
    for action in (7, 8):
        expected = state.memory["position"] + state.memory["motion"]
        state = advance(params, state, jnp.int32(action))
        np.testing.assert_array_equal(state.memory["position"], expected)
