import functools
import json
from pathlib import Path

import jax
import pytest

from oyster_jax.cli import bench_training
from oyster_jax.cli.main import main
from oyster_jax.evaluate import training_speed
from tests.cli import tiny

#: The smallest experiment whose two stages take a CoinRun frame.
EXPERIMENT = """
from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.train.dynamics import DynamicsLossConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.tokenizer import TokenizerLossConfig

def get_config():
    training = TrainConfig(steps=10, batch=2, window=6, optimizer=OptimizerConfig(name="adamw"))
    return ExperimentConfig(
        name="small",
        seed=0,
        recording=RecordConfig(source=Procgen(), frames=1, levels=(0, 10), environments=8),
        tokenizer=TokenizerConfig(features=16, heads=2, encoder_depth=1, renderer_depth=1, dtype="float32"),
        tokenizer_loss=TokenizerLossConfig(),
        tokenizer_training=training,
        dynamics=DynamicsConfig(
            features=16, heads=2, groups=1, head_depth=1, window=4, memory_features=4, dtype="float32"
        ),
        dynamics_loss=DynamicsLossConfig(),
        dynamics_training=training,
    )
"""


def run(*arguments):
    return main(["bench", *map(str, arguments)])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return tiny.store(tmp_path_factory.mktemp("worlds") / "tiny")


def lines_of(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_stepping_is_measured_and_two_runs_compare(world, tmp_path, capsys):
    assert run("interactive", "--world", world, "--ticks", 30, "--steps", 1) == 0
    printed = capsys.readouterr().out
    lines = [json.loads(line) for line in printed.splitlines()]
    names = ["interactive.tick.p50", "interactive.tick.p99", "interactive.rate", "state.bytes", "state.leaves"]
    assert [line["name"] for line in lines][:5] == names
    for line in lines:
        assert line["value"] >= 0
        assert line["conditions"]["steps"] == 1
        assert line["machine"]["cores"] >= 1
    assert lines[0]["conditions"]["ticks"] == 30
    (tmp_path / "lines").write_text(printed)
    assert run("compare", tmp_path / "lines", tmp_path / "lines") == 0
    assert "1.000" in capsys.readouterr().out


def test_batches_are_measured(world, capsys):
    assert run("batch", "--world", world, "--sizes", 1, 3, "--ticks", 2, "--rounds", 1) == 0
    lines = lines_of(capsys)
    assert [line["name"] for line in lines] == ["batch.1.rate", "batch.3.rate"]
    assert all(line["value"] > 0 for line in lines)


def test_starts_are_measured_in_processes_of_their_own(world, capsys):
    assert run("start", "--world", world, "--starts", 1) == 0
    values = {line["name"]: line["value"] for line in lines_of(capsys)}
    assert 0 < values["start.cold.frame"] < values["start.cold.tick"]
    assert 0 < values["start.warm.frame"] < values["start.warm.tick"]
    assert values["memory.peak.warm"] > 50


def test_levers_and_products_are_measured(world, capsys):
    assert run("levers", "--world", world, "--ticks", 5, "--rounds", 1) == 0
    assert {"lever.arguments.tick", "lever.apart.donated.ratio"} <= {line["name"] for line in lines_of(capsys)}
    assert run("products", "--world", world, "--rounds", 1) == 0
    lines = lines_of(capsys)
    assert lines[-1]["name"].startswith("product.tick.")
    # The widest layer of the tiny world: features of 16 to queries, keys, values and a hidden layer.
    assert any("x16x" in line["name"] for line in lines)


def test_generating_is_measured_beside_the_same_without_storage(world, tmp_path, capsys):
    options = ("--episodes", 4, "--ticks", 20, "--block", 2, "--rounds", 2, "--out", tmp_path)
    assert run("generate", "--world", world, *options) == 0
    lines = lines_of(capsys)
    value = {line["name"]: line["value"] for line in lines}
    assert list(value) == [f"generate.{name}" for name in ("plain.rate", "stored.rate", "share", "bytes", "memory")]
    assert value["generate.bytes"] > 100
    assert lines[0]["conditions"]["episodes"] == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("part", ["tokenizer", "dynamics"])
def test_training_is_measured_beside_the_peak(part, tmp_path, capsys, monkeypatch):
    pytest.importorskip("procgen_gym")
    monkeypatch.setattr(bench_training, "_RECORDED", 1_000)
    monkeypatch.setattr(training_speed, "matmul_peak", functools.partial(training_speed.matmul_peak, size=64))
    (tmp_path / "small.py").write_text(EXPERIMENT)
    with jax.numpy_dtype_promotion("standard"):  # Optax's schedules mix integers and floats.
        assert run(f"train-{part}", tmp_path / "small.py", "--updates", 2) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    value = {line["name"]: line["value"] for line in lines}
    assert list(value) == ["matmul.peak", f"train.{part}.frames", f"train.{part}.matmul", f"train.{part}.share"]
    about = lines[-1]["conditions"]
    assert about["frames"] == 2 * 6
    assert value[f"train.{part}.share"] == pytest.approx(value[f"train.{part}.matmul"] / value["matmul.peak"])
    # Both are taken from the same steps.
    per_frame = value[f"train.{part}.matmul"] / value[f"train.{part}.frames"]
    assert per_frame == pytest.approx(about["gflop"] / about["frames"], rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("interactive", "--world", "nowhere"), "There is no world 'nowhere'"),
        (("interactive", "--ticks", 20), "longer than its 20 ticks"),
        (("batch", "--sizes", 0), "at least one world"),
        (("start", "--starts", 0), "--starts must be at least one"),
        (("levers", "--rounds", 0), "--rounds must be at least one"),
        (("generate", "--rounds", 0), "--rounds must be at least one"),
        (("compare", "no-file", "no-file"), "no-file"),
        (("train-dynamics", "no-file.py"), f"There is no configuration file {Path('no-file.py').absolute()}"),
        (("train-tokenizer", "--updates", 0), "At least one update"),
    ],
)
def test_an_impossible_request_is_refused_in_a_sentence(capsys, arguments, sentence):
    assert run(*arguments) == 2
    assert sentence in capsys.readouterr().err


def test_files_without_a_common_figure_are_refused(tmp_path, capsys):
    (tmp_path / "empty").write_text("")
    assert run("compare", tmp_path / "empty", tmp_path / "empty") == 2
    assert "share no figure" in capsys.readouterr().err
