"""A run that is killed again and again gives the losses of one that is not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.parallel.devices import QUICKLY

pytest.importorskip("procgen_gym", reason="the simulator has no wheel for this Python")

CONFIG = Path(__file__).with_name("tiny_coinrun.py")


def _start(run: Path, data: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "oyster_jax.cli.main",
        "train",
        str(CONFIG),
        "--run",
        str(run),
        "--data",
        str(data),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _finish(process: subprocess.Popen[str]) -> None:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output


def _kill_after(process: subprocess.Popen[str], metrics: Path, lines: int) -> None:
    while len(_lines(metrics)) < lines:
        if process.poll() is not None:
            pytest.fail(f"training ended before it could be killed: {process.stdout and process.stdout.read()}")
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def _losses(metrics: Path) -> dict[int, tuple[float, float]]:
    records = [json.loads(line) for line in _lines(metrics)]
    assert len({record["step"] for record in records}) == len(records), "a step was recorded twice"
    return {record["step"]: (record["loss"], record["gradient_norm"]) for record in records}


def test_a_killed_run_gives_the_losses_of_an_undisturbed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", QUICKLY)
    data, calm, disturbed = tmp_path / "data", tmp_path / "calm", tmp_path / "disturbed"
    _finish(_start(calm, data))
    for stage, lines in (("tokenizer", 6), ("tokenizer", 11), ("dynamics", 3), ("dynamics", 10)):
        _kill_after(_start(disturbed, data), disturbed / stage / "metrics.jsonl", lines)
    _finish(_start(disturbed, data))
    for stage in ("tokenizer", "dynamics"):
        expected = _losses(calm / stage / "metrics.jsonl")
        assert list(expected) == list(range(1, 15))
        assert len({loss for loss, _ in expected.values()}) == 14, "the losses do not move"
        assert _losses(disturbed / stage / "metrics.jsonl") == expected
