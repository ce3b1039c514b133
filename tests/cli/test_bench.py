import json

import pytest
import tyro

from oyster_jax.cli.bench import Config, main
from tests.cli import tiny


def run(*arguments):
    return main(tyro.cli(Config, args=[str(argument) for argument in arguments]))  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return tiny.store(tmp_path_factory.mktemp("worlds") / "tiny")


def test_stepping_is_measured_and_two_runs_compare(world, tmp_path, capsys):
    assert run("interactive", "--world", world, "--ticks", 30, "--steps", 1) == 0
    printed = capsys.readouterr().out
    lines = [json.loads(line) for line in printed.splitlines()]
    assert [line["name"] for line in lines] == ["interactive.tick.p50", "interactive.tick.p99", "interactive.rate"]
    for line in lines:
        assert line["value"] > 0
        assert line["conditions"]["steps"] == 1
        assert line["conditions"]["ticks"] == 30
        assert line["machine"]["cores"] >= 1
    (tmp_path / "lines").write_text(printed)
    assert run("compare", tmp_path / "lines", tmp_path / "lines") == 0
    assert "1.000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("interactive", "--world", "nowhere"), "There is no world 'nowhere'"),
        (("interactive", "--ticks", 20), "longer than its 20 ticks"),
        (("compare", "no-file", "no-file"), "no-file"),
    ],
)
def test_an_impossible_request_is_refused_in_a_sentence(capsys, arguments, sentence):
    assert run(*arguments) == 2
    assert sentence in capsys.readouterr().err


def test_files_without_a_common_figure_are_refused(tmp_path, capsys):
    (tmp_path / "empty").write_text("")
    assert run("compare", tmp_path / "empty", tmp_path / "empty") == 2
    assert "share no figure" in capsys.readouterr().err
