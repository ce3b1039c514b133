import dataclasses
import json
from html.parser import HTMLParser

import pytest

from oyster_jax.cli.main import main
from tests.cli import tiny

#: Too few for figures, enough for files.
FEW = ("--windows", 4, "--steps", 1, "--only", "fidelity", "control")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return tiny.store(tmp_path_factory.mktemp("worlds") / "tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny.record(tmp_path_factory.mktemp("data") / "held-out")


def run(*arguments):
    return main(["eval", *map(str, arguments)])


class Links(HTMLParser):
    """What a page asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "srcset", "href") and value]


def test_figures_are_printed_and_written(world, data, tmp_path, capsys):
    out = tmp_path / "out"
    asked = ("--world", world, "--data", data, "--out", out, *FEW)
    assert run(*asked) == 0
    printed = capsys.readouterr().out
    for words in ("tiny on held-out levels", "copy-last", "ΔPSNR", "ceiling", "Targets", "report.json", "index.html"):
        assert words in printed
    report = json.loads((out / "report.json").read_text())
    assert report["config"] == {"windows": 4, "context": 8, "seed": 0, "quick": False}
    assert report["world"]["sampler"]["steps"] == 1
    assert list(report["figures"]) == ["fidelity", "control"]
    # The recording's episodes are too short for longer horizons.
    assert set(report["figures"]["fidelity"]["psnr"]["model"]) == {"1", "2", "4", "8", "16", "32"}
    assert report["figures"]["fidelity"]["seen"] is None
    assert {target["section"] for target in report["targets"]} == {"fidelity", "control"}
    assert run(*asked, "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["figures"] == report["figures"]


def test_the_page_needs_nothing_but_its_folder(world, data, tmp_path):
    out = tmp_path / "out"
    assert run("--world", world, "--data", data, "--out", out, *FEW) == 0
    links = Links()
    text = (out / "index.html").read_text()
    links.feed(text)
    files = [link for link in links.found if not link.startswith("#")]
    assert {"plots/psnr.png", "plots/psnr-dark.png", "clips/fidelity_32_0.webp"} <= set(files)
    assert all((out / file).is_file() for file in files)
    assert "://" not in text
    assert "<script" not in text


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
        (("--only", "beauty"), "beauty"),
    ],
)
def test_an_impossible_request_is_refused_in_a_sentence(world, data, tmp_path, capsys, arguments, sentence):
    assert run("--world", world, "--data", data, "--out", tmp_path / "out", *arguments) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_data_the_world_must_say_what_it_learned(world, tmp_path, capsys):
    assert run("--world", world, "--out", tmp_path / "out") == 2
    assert "give a recording of held-out levels with --data" in capsys.readouterr().err
