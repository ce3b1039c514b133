import importlib.util
import json
import sys
from pathlib import Path

import pytest

from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.registry import load

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
    config = tool._experiment(CONFIG)
    stages = (config.tokenizer_training, config.dynamics_training)
    # Two runs of 100 steps a stage.
    hours = sum(200 * stage.batch * stage.window / 1000 / 3600 for stage in stages)
    cost = world.record["training"]["cost"]
    assert cost["hours"] == pytest.approx(hours, abs=0.011)
    assert (cost["tokenizer_steps"], cost["dynamics_steps"]) == (200, 200)
    assert world.record["training"]["config"]["recording"]["source"]["game"] == "coinrun"


def test_figures_are_those_of_the_same_weights(tool, released, tmp_path):
    estimate = {"value": 21.987, "low": 21.0, "high": 22.0}
    at = {"1": estimate, "4": estimate, "8": estimate}
    report = {
        "world": {"digest": load(released).record["digest"]},
        "figures": {
            "psnr": {"model": at},
            "gain": at,
            "ceiling_psnr": estimate,
            "effect": {"pooled": estimate},
        },
        "measured": {"windows": 3, "episodes": 2, "chosen": [[0, 1]]},
        "command": "oyster eval",
        "time": "2030-01-01T00:00:00Z",
    }
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    tool.add_figures(tool.Figures(world=released, report=path))
    figures = load(released).record["figures"]
    assert (figures["psnr_1"], figures["gain_8"], figures["tokenizer_psnr"]) == (21.99, 21.99, 21.99)
    path.write_text(json.dumps(report | {"world": {"digest": "sha256:other"}}))
    with pytest.raises(ValueError, match="other weights"):
        tool.add_figures(tool.Figures(world=released, report=path))


def test_a_run_without_checkpoints_is_refused(tool, tmp_path):
    with pytest.raises(tool.CheckpointError, match="tokenizer"):
        tool.release(tool.Weights(config=CONFIG, run=tmp_path, name="mine", out=tmp_path / "world"))
