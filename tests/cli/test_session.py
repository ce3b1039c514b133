import json
import shutil

import av
import numpy as np
import pytest
from PIL import Image

from oyster_jax.cli.main import main
from oyster_jax.worlds.registry import load
from tests.cli.tiny import record, store


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(store(tmp_path_factory.mktemp("world") / "tiny"))


@pytest.fixture
def lived(tiny, tmp_path, capsys):
    path = str(tmp_path / "sessions" / "one")
    assert main(["session", "live", path, "--world", tiny, "--seed", "4", "--actions", "right*20,jump*10"]) == 0
    assert "Lived 30 ticks" in capsys.readouterr().out
    return path


def test_a_session_is_lived_gone_on_with_listed_and_shown(lived, tiny, capsys):
    assert main(["session", "live", lived, "--world", tiny, "--actions", "left*5"]) == 0
    assert "at tick 35 of 35" in capsys.readouterr().out
    assert main(["session", "list", lived.rsplit("/", 1)[0]]) == 0
    assert f"{lived}: tiny, 35 ticks, 1 branches" in capsys.readouterr().out
    assert main(["session", "list", lived]) == 0
    assert f"{lived}: tiny, 35 ticks, 1 branches" in capsys.readouterr().out
    assert main(["session", "live", lived, "--world", tiny, "--actions", "left", "--extend", "60"]) == 0
    assert "1857.6 s left" in capsys.readouterr().out
    assert main(["session", "show", lived]) == 0
    out = capsys.readouterr().out
    assert "seed 4" in out
    assert "main: ticks to 36, lived at" in out


def test_a_dataset_is_no_session(lived, tmp_path, capsys):
    record(tmp_path / "sessions" / "noise")
    assert main(["session", "list", str(tmp_path / "sessions")]) == 0
    said = capsys.readouterr()
    assert lived in said.out
    assert "noise" not in said.out + said.err


def test_own_sessions_and_those_of_players_are_listed_unless_told_otherwise(lived, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert main(["session", "list"]) == 0
    own, players = (tmp_path / "oyster" / part for part in ("sessions", "player/sessions"))
    assert f"There is no session in {own} or {players}." in capsys.readouterr().out
    for place in (own / "a", players / "b"):
        shutil.copytree(lived, place)
    assert main(["session", "list"]) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        str(own / "a"),
        str(players / "b"),
    ]


def test_a_session_is_branched_and_verified(lived, tiny, capsys):
    assert main(["session", "branch", lived, "--world", tiny, "--at", "12", "--name", "other"]) == 0
    assert main(["session", "live", lived, "--world", tiny, "--branch", "other", "--actions", "left*4"]) == 0
    capsys.readouterr()
    assert main(["session", "verify", lived, "--world", tiny]) == 0
    out = capsys.readouterr().out
    assert "main: bit for bit; 30 frames" in out
    assert "other: bit for bit; 4 frames" in out
    assert main(["session", "replay", lived, "--world", tiny, "--branch", "other"]) == 0
    assert "Lived 16 ticks of 'other' again" in capsys.readouterr().out


def test_a_session_is_exported(lived, tiny, tmp_path):
    out = tmp_path / "out"
    for name in ("clip.mp4", "clip.webp", "exact.npz", "events.jsonl"):
        assert main(["session", "export", lived, "--world", tiny, "--stop", "25", "--out", str(out / name)]) == 0
    with av.open(str(out / "clip.mp4")) as clip:
        assert len(list(clip.decode(video=0))) == 26
        told = clip.metadata["comment"]
    about = json.loads(told)
    assert about.pop("digest") == load(tiny).digest
    assert len(about.pop("session")) > 8
    assert about == {"world": "tiny", "seed": 4, "prompt": None, "branch": "main", "start": 0, "stop": 25}
    with Image.open(out / "clip.webp") as clip:
        assert clip.getexif()[0x010E] == told
    exact = np.load(out / "exact.npz")
    assert str(exact["about"]) == told
    assert exact["frames"].shape == (26, 16, 16, 3)
    assert exact["actions"].tolist() == [7] * 20 + [5] * 5
    lines = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert [line["name"] for line in lines[:21]] == ["right"] * 20 + ["jump"]
    assert lines[-1]["kind"] == "closed"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "nowhere"], "There is no session in"),
        (["verify", "nowhere"], "There is no session in"),
        (["salvage", "nowhere", "new"], "There is no folder nowhere"),
        (["export", "SESSION", "--out", "clip.gif"], ".jsonl"),
        (["export", "SESSION", "--out", "clip.mp4", "--stop", "99"], "never lived"),
        (["export", "SESSION", "--out", "clip.mp4", "--start", "9", "--stop", "3"], "--start 9"),
        (["branch", "SESSION", "--at", "31"], "never lived"),
        (["live", "SESSION", "--actions", "fly*3"], "no action 'fly'"),
        (["live", "SESSION", "--actions", "left", "--extend", "-1"], "positive number of seconds"),
    ],
)
def test_mistakes_are_told(lived, tiny, arguments, sentence, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    world = ["--world", tiny] if arguments[0] not in ("show", "salvage") else []
    assert main(["session", *(lived if part == "SESSION" else part for part in arguments), *world]) == 2
    assert sentence in capsys.readouterr().err
