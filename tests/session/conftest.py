"""The tiny world, and a life in it that later lives are compared with."""

from pathlib import Path

import numpy as np
import pytest

from oyster_jax.session import keeper
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.storage import save_world
from oyster_jax.worlds.world import World

ACTIONS = np.random.default_rng(0).integers(15, size=120).tolist()


@pytest.fixture(scope="session")
def world() -> World:
    return World(model=tiny_model(), params=tiny_params(), record={"name": "tiny"})


@pytest.fixture(scope="session")
def truth(world) -> list[np.ndarray]:
    """The frames of an uninterrupted life with seed 3, without any session."""
    state = world.reset(3)
    frames = [world.render(state)]
    for action in ACTIONS:
        state, frame = world.tick(state, action)
        frames.append(np.asarray(frame))
    return frames


@pytest.fixture(scope="session")
def stored(tmp_path_factory) -> Path:
    """The folder of the tiny world, for other processes."""
    folder = tmp_path_factory.mktemp("worlds") / "tiny"
    save_world(folder, tiny_model(), tiny_params(), {"name": "tiny", "licence": "", "training": {}, "figures": {}})
    return folder


@pytest.fixture
def often(monkeypatch):
    """Takes a snapshot every twenty ticks or so."""
    monkeypatch.setattr(keeper, "SNAPSHOT_SECONDS", 0.0)
    monkeypatch.setattr(keeper, "SNAPSHOT_TICKS", 20)
