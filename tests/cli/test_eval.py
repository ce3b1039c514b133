import dataclasses
import json

import pytest

from oyster_jax.cli.main import main
from tests.cli import tiny


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return tiny.store(tmp_path_factory.mktemp("worlds") / "tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny.record(tmp_path_factory.mktemp("data") / "held-out")


def run(*arguments):
    return main(["eval", *map(str, arguments)])


def test_figures_are_printed_and_written(world, data, tmp_path, capsys):
    out = tmp_path / "out"
    asked = ("--world", world, "--data", data, "--windows", 4, "--steps", 1, "--out", out)
    assert run(*asked) == 0
    printed = capsys.readouterr().out
    for words in ("tiny on held-out levels", "copy-last", "ΔPSNR", "ceiling", "report.json"):
        assert words in printed
    assert sorted(path.name for path in out.iterdir()) == ["frames.png", "psnr.png", "report.json"]
    report = json.loads((out / "report.json").read_text())
    assert report["config"]["windows"] == report["measured"]["windows"] == 4
    assert report["world"]["sampler"]["steps"] == 1
    assert set(report["figures"]["psnr"]["model"]) == {"1", "4", "8", "16", "32"}
    assert run(*asked, "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["figures"] == report["figures"]


def test_training_levels_are_refused_in_a_sentence(world, tmp_path, capsys):
    assert run("--world", world, "--data", tiny.record(tmp_path / "data", level=0), "--out", tmp_path / "out") == 2
    assert "holds training levels" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_another_spec_is_refused_in_a_sentence(world, tmp_path, capsys):
    wide = dataclasses.replace(tiny.SPEC, frame=dataclasses.replace(tiny.SPEC.frame, width=32))
    assert run("--world", world, "--data", tiny.record(tmp_path / "data", spec=wide), "--out", tmp_path / "out") == 2
    assert "frames unlike those of the world 'tiny'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--steps", 3), "must divide the 8 steps"),
        (("--windows", 0), "at least 1 of its windows"),
        (("--context", 40), "A window takes 72 ticks"),
        (("--data", "nowhere"), "nowhere is not a dataset"),
        (("--world", "nowhere"), "There is no world 'nowhere'"),
    ],
)
def test_an_impossible_request_is_refused_in_a_sentence(world, data, tmp_path, capsys, arguments, sentence):
    assert run("--world", world, "--data", data, "--out", tmp_path / "out", *arguments) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_data_the_world_must_say_what_it_learned(world, tmp_path, capsys):
    assert run("--world", world, "--out", tmp_path / "out") == 2
    assert "give a recording of held-out levels with --data" in capsys.readouterr().err
