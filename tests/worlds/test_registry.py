import shutil
from pathlib import Path

import pytest

import oyster_jax
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.registry import find, installed


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The folder of the user's own worlds."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = tmp_path / "oyster" / "worlds"
    folder.mkdir(parents=True)
    return folder


def test_a_users_world_is_found_by_name_and_by_path(home, stored_world, monkeypatch):
    assert "mine" not in [summary.name for summary in installed()]
    shutil.copytree(stored_world, home / "mine")
    [mine] = [summary for summary in installed() if summary.name == "mine"]
    assert mine.folder == home / "mine"
    assert mine.problem is None
    assert mine.record["licence"] == "Apache-2.0"
    assert find("mine") == find(home / "mine") == home / "mine"
    monkeypatch.chdir(home)
    assert find("./mine").resolve() == home / "mine"
    assert oyster_jax.load("mine").spec.name == "tiny"


def test_a_damaged_world_is_listed_with_its_problem(home, stored_world):
    shutil.copytree(stored_world, home / "mine")
    (home / "mine" / "world.json").write_text("{")
    [mine] = [summary for summary in installed() if summary.name == "mine"]
    assert mine.record == {}
    assert str(home / "mine" / "world.json") in (mine.problem or "")


@pytest.mark.parametrize("name", ["atlantis", "./atlantis", "..", ""])
def test_an_unknown_world_is_refused_with_the_known_ones(home, stored_world, name):
    shutil.copytree(stored_world, home / "mine")
    with pytest.raises(WorldError, match=r"There is no world.*mine"):
        find(name)
