"""The scaling study, with networks of next to no size."""

import importlib
import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("procgen_gym", reason="the simulator has no wheel for this Python")
TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def scaling(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    yield importlib.import_module("scaling")
    sys.modules.pop("scaling", None)


def test_sizes_are_trained_measured_and_predicted_and_not_trained_again(scaling, tmp_path, capsys):
    config = scaling.Config(
        sizes=(32, 64), held_out=96, frames=1500, steps=8, points=4, batch=4, window=5, folder=tmp_path / "runs",
        out=tmp_path / "found.jsonl", plot=tmp_path / "found.png",
    )  # fmt: skip
    assert scaling.main(config) == 0
    first = (tmp_path / "found.jsonl").read_text()
    assert capsys.readouterr().out == first
    *points, summary = [json.loads(line) for line in first.splitlines()]
    assert [point["width"] for point in points] == [32] * 4 + [64] * 4 + [96] * 4
    assert [point["frames"] for point in points[:4]] == [40, 80, 120, 160]
    assert all(0 < point["loss"] < 2 for point in points)
    assert summary["held_out"] == points[-1]
    assert summary["error"] == pytest.approx(summary["predicted"] / points[-1]["loss"] - 1)
    assert (tmp_path / "found.png").stat().st_size > 1000
    assert scaling.main(config) == 0
    assert (tmp_path / "found.jsonl").read_text() == first
