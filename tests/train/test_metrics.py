"""What training tells of itself where no terminal shows a bar."""

import json
import math

import pytest

from oyster_jax.train import metrics
from oyster_jax.train.metrics import MetricsLog


@pytest.mark.parametrize(("seconds", "told"), [(math.inf, [1, 20]), (0.0, [*range(1, 21)])])
def test_a_line_is_told_now_and_then_and_at_the_end(seconds, told, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(metrics, "LINE_SECONDS", seconds)
    with MetricsLog(tmp_path, "probe", 20) as log:
        for step in range(1, 21):
            log.write(step, {"loss": 1.0, "frames_per_second": 2.0})
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("probe ") and "━" not in line]
    assert [line.split()[1] for line in lines] == [f"{step}/20" for step in told]
    kept = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert kept == [*range(1, 21)]
