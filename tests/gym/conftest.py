"""The tiny world, installed for the user that the tests are."""

import pytest

from oyster_jax.gym import register_worlds
from oyster_jax.worlds.registry import load
from tests.cli import tiny


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The name under which Gymnasium knows the tiny world."""
    home = tmp_path_factory.mktemp("home")
    tiny.store(home / "oyster" / "worlds" / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(home))
        register_worlds()
        yield "oyster/tiny-v0"


@pytest.fixture(scope="session")
def world(installed):
    del installed
    return load("tiny")
