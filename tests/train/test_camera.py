"""Training the camera by itself."""

import dataclasses
import functools
from collections.abc import Callable
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
from oyster_jax.train.camera import FINE, CameraTraining, camera_loss, camera_stage
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.program import train_program
from oyster_jax.typing import Params

CONFIG = dataclasses.replace(
    tiny_model().dynamics, camera=CameraConfig(tile=4.0, beside=0, above=1, features=16, depth=2, reader=8)
)
#: Of three tiles, four places each.
COLOURS = 3 * 4 * 3
TRAINING = TrainConfig(
    steps=150, batch=16, window=8, average_decay=0.9, optimizer=OptimizerConfig(name="adamw", learning_rate=3e-3)
)
learning_of = functools.partial(CameraTraining, training=TRAINING, reading=TRAINING)


def _falls(key: jax.Array) -> dict[str, jax.Array]:
    """Bodies that are thrown up and fall: 0.2 pixels a tick are added to how fast they go down, and to nothing else."""
    speed = jax.random.uniform(key, (16, 2), minval=-3.0, maxval=3.0)
    fall = jnp.stack([jnp.zeros(8), 0.2 * jnp.arange(8.0)], axis=-1)
    motion = speed[:, None] + fall[None]
    return {
        "colours": jnp.zeros((16, 8, COLOURS), jnp.float16),
        "motion": motion,
        "place": jnp.cumsum(motion, axis=1) / 4.0,
        "actions": jnp.zeros((16, 8), jnp.int32),
    }


def _rests(key: jax.Array) -> dict[str, jax.Array]:
    """Bodies that stand, each on a corner of a tile."""
    falls = _falls(key)
    place = jnp.round(falls["place"][:, :1]) + jnp.zeros_like(falls["place"])
    return falls | {"motion": jnp.zeros_like(falls["motion"]), "place": place}


def _learned(
    learning: CameraTraining, batches: Callable[[jax.Array], dict[str, jax.Array]]
) -> tuple[Params, list[float]]:
    """Returns what is learned, and the drift of each step."""
    loss = functools.partial(camera_loss, CONFIG, learning)
    init = functools.partial(dynamics.init_camera, CONFIG)
    program = train_program(init, loss, learning.training, MeshConfig().build())
    state = program.begin(init(jax.random.key(0)), jax.random.key(1))
    found: list[float] = []
    for step in range(learning.training.steps):
        state, metrics = program.step(state, batches(jax.random.key(step)))
        found.append(float(metrics["drift"]))
    return state.average, found


def test_it_learns_to_fall_from_what_it_told_itself() -> None:
    longer = dataclasses.replace(TRAINING, steps=250)
    _, drift = _learned(learning_of(training=longer, alone=1.0, motion_noise=0.05), _falls)
    # Who learns nothing is 0.2 pixels a tick too slow, then 0.4, and so on: 3 pixels in five ticks, on one axis of two.
    assert np.mean(drift[-10:]) < 0.2 < 1.0 < drift[0]


def test_who_stands_too_deep_comes_up() -> None:
    # What it is told of the first motions is so wrong that it comes to stand too high and too deep.
    longer = dataclasses.replace(TRAINING, steps=300)
    params, _ = _learned(learning_of(training=longer, alone=1.0, motion_noise=1.0), _rests)
    camera = dynamics.bind_camera(CONFIG, params)
    seen = camera.seen(jnp.zeros((2, COLOURS)), jnp.zeros(2, jnp.int32))
    # A body that stands 0.05 tiles of 4 pixels off, which is 0.2 pixels, sideways and upright.
    moves = camera.move(seen, jnp.array([[0.05, 0.0], [0.0, 0.05]]), jnp.zeros((2, 2)))
    np.testing.assert_allclose(moves, [[0.0, 0.0], [0.0, -0.2]], atol=0.06)


def test_tiles_of_another_size_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("procgen_gym", reason="the simulator has no wheel for this Python")
    record(RecordConfig(source=Procgen(game="coinrun", entities=True), frames=64, levels=(0, 4)), tmp_path)
    with pytest.raises(ValueError, match=r"4\.923 pixels wide"):
        camera_stage(CONFIG, learning_of(), EpisodeDataset(tmp_path), 0)


def test_it_is_told_how_it_moved_from_the_first_tick_on() -> None:
    params = dynamics.init_camera(CONFIG, jax.random.key(0))
    steady = _falls(jax.random.key(1)) | {"motion": jnp.full((16, 8, 2), 1.5)}
    wrong: list[float] = []
    for unmoved in (False, True):
        learning = learning_of(alone=0.0, motion_noise=0.0, unmoved=unmoved)
        wrong.append(float(camera_loss(CONFIG, learning, params, steady, jax.random.key(2))[0]))
    # One that learned nothing goes on as it is told that it went: at 1.5 pixels a tick or, told of none, not at all.
    assert wrong[0] < 1e-3
    np.testing.assert_allclose(wrong[1], (1.5 - FINE / 2) / 7, rtol=1e-3)


def test_who_was_mistaken_is_told_the_truth() -> None:
    params = dynamics.init_camera(CONFIG, jax.random.key(0))
    falls = _falls(jax.random.key(1))
    falls["motion"] = falls["motion"].at[:, 4:, 0].add(2.0)  # pushed, which nobody could know
    drift: list[float] = []
    for mistaken in (float("inf"), 0.5):
        learning = learning_of(alone=1.0, motion_noise=0.0, place_noise=0.0, mistaken=mistaken)
        drift.append(float(camera_loss(CONFIG, learning, params, falls, jax.random.key(2))[1]["drift"]))
    # One that learned nothing goes on as it went in the third tick: it loses 2 pixels a tick, or 2 in all.
    told, alone = drift[::-1]
    assert told < 3.0 < alone


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_a_camera_and_its_reader_stay_as_they_are_while_the_rest_learns(name: Literal["muon", "adamw"]) -> None:
    params = {part: {"kernel": jnp.ones((4, 4))} for part in ("camera", "lattice", "trunk")}
    gradient = jax.tree.map(lambda leaf: 0.01 * leaf, params)
    optimizer = OptimizerConfig(name=name, warmup=0).build(10)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        moved: Any = optimizer.update(gradient, optimizer.init(params), params)[0]
    for still in ("camera", "lattice"):
        np.testing.assert_array_equal(moved[still]["kernel"], 0.0)
    assert np.all(np.asarray(moved["trunk"]["kernel"]) < 0)


def test_the_camera_of_a_dynamics_has_the_shapes_of_one_trained_alone() -> None:
    whole = dynamics.init(CONFIG, jax.random.key(0))["camera"]
    alone = dynamics.init_camera(CONFIG, jax.random.key(0))
    assert jax.tree.map(jnp.shape, whole) == jax.tree.map(jnp.shape, alone)
