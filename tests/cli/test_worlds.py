import shutil

import pytest

from oyster_jax.cli.main import main
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.storage import save_world

RECORD = {
    "name": "tiny",
    "licence": "Apache-2.0",
    "training": {"cost": {"hours": 2.25, "machine": "2 cores"}},
    "figures": {"psnr_1": 28.125, "deep": {"left": "out"}},
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    folder = tmp_path / "oyster" / "worlds" / "tiny"
    save_world(folder, tiny_model(), tiny_params(), RECORD)
    return folder


def test_installed_worlds_are_listed(home, capsys):
    shutil.copytree(home, home.with_name("broken"))
    (home.with_name("broken") / "world.json").write_text("[]")
    assert main(["worlds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    parameters = load("tiny").record["weights"]["parameters"]
    [tiny] = [line for line in lines if "tiny" in line.split()]
    for told in ("Apache-2.0", "hours 2.25, machine 2 cores", "psnr 1 28.12", f"{parameters:,}"):
        assert told in tiny
    assert "out" not in tiny
    assert any(line.split()[:2] == ["broken", "damaged,"] for line in lines)
    assert any(str(home.with_name("broken") / "world.json") in line and "no JSON object" in line for line in lines)


def test_a_card_is_shown(home, capsys):
    (home / "CARD.md").write_text("# Tiny\n\nA world of noise.\n")
    assert main(["worlds", "tiny"]) == 0
    out = capsys.readouterr().out
    assert "A world of noise." in out
    assert "sha256:" in out


def test_an_unknown_world_is_a_mistake(home, capsys):
    assert main(["worlds", "atlantis"]) == 2
    assert "tiny" in capsys.readouterr().err
