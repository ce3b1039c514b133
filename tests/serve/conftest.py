"""A real server of the tiny world, on a thread of its own."""

import pytest

from oyster_jax.serve.stage import Stage
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.world import World
from tests.serve.serving import serving


@pytest.fixture(scope="session")
def stage() -> Stage:
    """A world whose episodes never end."""
    params = tiny_params()
    bias = params["dynamics"]["readouts"]["summary"]["bias"]
    params["dynamics"]["readouts"]["summary"]["bias"] = bias.at[1].set(-100.0)
    return Stage(world=World(model=tiny_model(), params=params, record={"name": "tiny"}))


@pytest.fixture(scope="session")
def served(stage, tmp_path_factory):
    with serving(stage, tmp_path_factory.mktemp("player")) as found:
        yield found


@pytest.fixture
def client(served):
    return served.client


@pytest.fixture
def session(client):
    return client.create("tiny", seed=3)["id"]
