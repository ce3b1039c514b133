"""A tiny world in a folder, stored once."""

import shutil
from pathlib import Path

import jax
import pytest

from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.typing import Params
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.storage import save_world
from oyster_jax.worlds.world import World

RECORD = {"name": "tiny", "licence": "Apache-2.0", "training": {"seed": 3}, "figures": {"psnr": 21.5}}


@pytest.fixture(scope="session")
def params() -> Params:
    return tiny_params()


@pytest.fixture(scope="session")
def other_params(params) -> Params:
    return jax.tree.map(lambda leaf: leaf + 0.5, params)


@pytest.fixture(scope="session")
def stored_world(tmp_path_factory, params) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "tiny"
    save_world(folder, tiny_model(), params, RECORD)
    return folder


@pytest.fixture(scope="session")
def world(stored_world) -> World:
    return load(stored_world)


@pytest.fixture
def copied_world(stored_world, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(stored_world, tmp_path / "copied"))
