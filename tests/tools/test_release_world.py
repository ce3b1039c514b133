import dataclasses
import functools
import importlib.util
import json
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.manifest import FIRST_HELD_OUT_LEVEL
from oyster_jax.data.record import RecordConfig, record
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.evaluate.judge import load_judge
from oyster_jax.models import inverse_dynamics
from oyster_jax.models.inverse_dynamics import JudgeConfig
from oyster_jax.serve.stage import Stage
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.train.judge import judge_accuracy
from oyster_jax.worlds.registry import load
from tests.cli import tiny

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "coinrun_nano.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("release_world", ROOT / "tools" / "release_world.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look their annotations up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path):
    """A run's folder: 100 steps of each stage at 1,000 frames/s, and what stands for checkpoints."""
    for stage in ("tokenizer", "dynamics"):
        (tmp_path / "run" / stage / "checkpoints" / "100").mkdir(parents=True)
        lines = [{"step": step, "frames_per_second": 1000.0} for step in (50, 100)]
        (tmp_path / "run" / stage / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path / "run"


@pytest.fixture
def released(tool, run, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "finished", lambda *_: (tiny_model(), tiny_params()))
    out = tmp_path / "world"
    out.mkdir()
    (out / "CARD.md").write_text("A card.")
    return tool.release(tool.Weights(config=CONFIG, run=run, name="mine", out=out, earlier=(run,)))


def test_a_run_becomes_a_world(tool, released, run):
    world = load(released)
    assert world.name == "mine"
    assert (released / "CARD.md").read_text() == "A card."
    config = tool.load_experiment(CONFIG)
    stages = (config.tokenizer_training, config.dynamics_training)
    # Two runs of 100 steps a stage.
    hours = sum(200 * stage.batch * stage.window / 1000 / 3600 for stage in stages)
    cost = world.record["training"]["cost"]
    assert cost["hours"] == pytest.approx(hours, abs=0.011)
    assert (cost["tokenizer_steps"], cost["dynamics_steps"]) == (200, 200)
    assert world.record["training"]["config"]["recording"]["source"]["game"] == "coinrun"


def test_what_a_world_cost_counts_for_those_that_began_from_it(tool, released, run, tmp_path):
    paid = load(released).record["training"]["cost"]
    command = tool.Weights(config=CONFIG, run=run, name="next", out=tmp_path / "next", earlier=(released,))
    cost = load(tool.release(command)).record["training"]["cost"]
    assert cost["hours"] == pytest.approx(1.5 * paid["hours"], abs=0.011)
    assert (cost["tokenizer_steps"], cost["dynamics_steps"]) == (300, 300)


def test_figures_are_those_of_the_same_weights(tool, released, tmp_path):
    estimate = {"value": 21.987, "low": 21.0, "high": 22.0}
    at = {"1": estimate, "4": estimate, "8": estimate}
    report = {
        "world": {"digest": load(released).record["digest"]},
        "figures": {
            "fidelity": {
                "psnr": {"model": at},
                "gain": at,
                "ceiling_psnr": estimate,
                "windows": {"1": 3},
                "episodes": {"1": 2},
            },
            "control": {"effect": {"pooled": estimate}},
        },
        "targets": [{"label": "tokenizer PSNR", "found": 21.98765, "met": False}],
        "command": "oyster eval",
        "time": "2030-01-01T00:00:00Z",
    }
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    tool.add_figures(tool.Figures(world=released, report=path))
    figures = load(released).record["figures"]
    assert (figures["psnr_1"], figures["gain_8"], figures["tokenizer_psnr"]) == (21.99, 21.99, 21.99)
    assert figures["targets"] == {"tokenizer PSNR": 21.988}
    assert figures["measured"]["episodes"] == 2
    path.write_text(json.dumps(report | {"world": {"digest": "sha256:other"}}))
    with pytest.raises(ValueError, match="other weights"):
        tool.add_figures(tool.Figures(world=released, report=path))


def test_a_judge_is_put_into_the_world_with_what_it_reads_of_unseen_levels(tool, run, tmp_path, monkeypatch):
    network = JudgeConfig(press_features=8, motion_features=8, detector_features=8)
    params = inverse_dynamics.init(network, jax.random.key(0))
    monkeypatch.setattr(tool, "finished_judge", lambda *_: (network, params))
    for name, first in (("held_out", FIRST_HELD_OUT_LEVEL), ("train", 0)):
        source = Procgen(entities=True)
        config = RecordConfig(source=source, frames=400, levels=(first, first + 20), environments=4)
        record(config, tmp_path / name)
    monkeypatch.setattr(tool, "judge_accuracy", functools.partial(judge_accuracy, batches=1, batch=16))
    command = tool.JudgeOf(config=CONFIG, run=run, world=tmp_path / "world", data=tmp_path / "held_out")
    judge = load_judge(tool.release_judge(command))
    assert judge.buttons == network.buttons
    assert judge.record["held_out"]["frames"] == 16
    assert judge.record["training"]["recording"]["levels"] == [0, 200_000]
    with pytest.raises(ValueError, match="training levels"):
        tool.release_judge(dataclasses.replace(command, data=tmp_path / "train"))


def test_moments_are_those_of_the_recording_and_play_begins_at_the_last_frame(tool, released, tmp_path):
    recording = tiny.record(tmp_path / "recording")
    command = tool.Moments(world=released, data=recording, at=("1:9:Some noise", "0:44:More of it!"), ticks=4)
    tool.add_moments(command)
    tool.add_moments(command)
    found = Stage(world=load(released), folder=released).moments
    assert {name: moment.title for name, moment in found.items()} == {
        "1-some-noise": "Some noise",
        "2-more-of-it": "More of it!",
    }
    episode, moment = EpisodeDataset(recording)[1], found["1-some-noise"]
    assert episode.frames is not None
    np.testing.assert_array_equal(moment.frames, episode.frames[6:10])
    np.testing.assert_array_equal(moment.actions, episode.actions[6:9])


def test_a_moment_that_is_not_there_is_refused(tool, tmp_path):
    recording = tiny.record(tmp_path / "recording")
    for text in ("0:44", "9:9:No such episode", "0:2:Too early", "0:45:Too late"):
        with pytest.raises(ValueError, match=r"no moment|no 4 frames"):
            tool.add_moments(tool.Moments(world=tmp_path, data=recording, at=(text,), ticks=4))


def test_a_run_without_checkpoints_is_refused(tool, tmp_path):
    with pytest.raises(tool.CheckpointError, match="tokenizer"):
        tool.release(tool.Weights(config=CONFIG, run=tmp_path, name="mine", out=tmp_path / "world"))
