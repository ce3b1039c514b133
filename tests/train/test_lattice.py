"""Training what reads where tiles lie."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.models import dynamics, tokenizer
from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.lattice import lattice_stage
from oyster_jax.train.loop import Stage
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.program import train_program
from oyster_jax.train.stages import cached, recorded
from oyster_jax.train.step import Batch
from tests.train.tiny_coinrun import get_config

EXPERIMENT = get_config()
CONFIG = EXPERIMENT.dynamics
TILE = 64 / 13
TRAINING = TrainConfig(
    steps=150, batch=16, window=2, average_decay=0.9, optimizer=OptimizerConfig(name="adamw", learning_rate=2e-2)
)


@pytest.fixture(scope="module")
def latents(tmp_path_factory: pytest.TempPathFactory) -> EpisodeDataset:
    pytest.importorskip("procgen_gym", reason="the simulator has no wheel for this Python")
    folder: Path = tmp_path_factory.mktemp("coinrun")
    params = tokenizer.init(EXPERIMENT.tokenizer, jax.random.key(0))
    return cached(EXPERIMENT, params, recorded(EXPERIMENT, folder / "data"), folder / "latents")


@pytest.fixture(scope="module")
def stage(latents: EpisodeDataset) -> Stage:
    return lattice_stage(CONFIG, TRAINING, latents, 0)


def _telling(key: jax.Array) -> Batch:
    """Frames of which each token of 16 pixels tells how far its own middle lies between two tiles."""
    place = np.asarray(jax.random.uniform(key, (16, 2, 1, 2), minval=-3.0, maxval=3.0))
    row, column = np.divmod(np.arange(CONFIG.tokens), CONFIG.columns)
    turns = 2 * np.pi * (place + (np.stack([column, row], axis=-1) - 1.5) * 16 / TILE)
    told = np.concatenate([np.cos(turns), np.sin(turns)], axis=-1)
    return {"latents": jnp.asarray(told, jnp.float32), "place": jnp.asarray(place[:, :, 0])}


def test_it_learns_where_tiles_lie(stage: Stage) -> None:
    program = train_program(stage.init, stage.loss, TRAINING, MeshConfig().build())
    state = program.begin(stage.init(jax.random.key(0)), jax.random.key(1))
    found: list[float] = []
    for step in range(TRAINING.steps):
        state, metrics = program.step(state, _telling(jax.random.key(step)))
        found.append(float(metrics["reading"]))
    # To say nothing is off by 1 on each axis, of whose two numbers one is then right: 0.5.
    assert np.mean(found[-10:]) < 0.1 < 0.4 < found[0]


def test_batches_say_where_the_camera_stands(stage: Stage) -> None:
    batch = next(stage.batches())
    assert batch["latents"].shape == (16, 2, CONFIG.tokens, CONFIG.channels)
    moved = np.diff(batch["place"], axis=1) * TILE
    assert np.all(np.abs(moved) < 8), "no camera goes two tiles a tick"
    assert np.ptp(batch["place"]) > 1


def test_its_shapes_are_those_of_a_camera_s(stage: Stage) -> None:
    whole = dynamics.init(CONFIG, jax.random.key(0))["camera"]["lattice"]
    assert jax.tree.map(jnp.shape, whole) == jax.tree.map(jnp.shape, stage.init(jax.random.key(0)))
