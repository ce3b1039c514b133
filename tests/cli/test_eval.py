import dataclasses
import json

import numpy as np
import pytest
import tyro

from oyster_jax.cli.eval import Config, main
from oyster_jax.data.episode import Episode
from oyster_jax.data.manifest import FIRST_HELD_OUT_LEVEL, Provenance, split_of
from oyster_jax.data.writer import DatasetWriter
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.storage import save_world

SPEC = tiny_model().spec


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worlds") / "tiny"
    save_world(
        folder, tiny_model(), tiny_params(), {"name": "tiny", "licence": "Apache-2.0", "training": {}, "figures": {}}
    )
    return folder


def recording(folder, level=FIRST_HELD_OUT_LEVEL, spec=SPEC):
    generator = np.random.default_rng(0)
    levels = (level, level + 1)
    about = Provenance(
        spec=spec, split=split_of(*levels), levels=levels, source="noise", options={}, policy="random", seed=0,
        licence="Apache-2.0",
    )  # fmt: skip
    with DatasetWriter(folder, about) as writer:
        for ticks in (45, 50):
            writer.add(
                Episode(
                    frames=generator.integers(256, size=(ticks, *spec.frame.shape), dtype=np.uint8),
                    actions=generator.integers(spec.action.count, size=ticks).astype(np.int32),
                    rewards=np.zeros(ticks, np.float32),
                    terminals=np.zeros(ticks, bool),
                )
            )
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return recording(tmp_path_factory.mktemp("data") / "held-out")


def run(*arguments):
    return main(tyro.cli(Config, args=[str(argument) for argument in arguments]))


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
    assert run("--world", world, "--data", recording(tmp_path / "data", level=0), "--out", tmp_path / "out") == 2
    assert "holds training levels" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_another_spec_is_refused_in_a_sentence(world, tmp_path, capsys):
    wide = dataclasses.replace(SPEC, frame=dataclasses.replace(SPEC.frame, width=32))
    assert run("--world", world, "--data", recording(tmp_path / "data", spec=wide), "--out", tmp_path / "out") == 2
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
