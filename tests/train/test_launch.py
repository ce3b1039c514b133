"""Training in several processes, which die: as `tools/torture launch`, with fewer processes and kills."""

import re
import sys

import pytest

from tests.parallel.devices import QUICKLY
from tests.tools.modules import tool

pytest.importorskip("procgen_gym", reason="the simulator has no wheel for this Python")


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found under /proc")
def test_a_run_that_is_killed_and_stopped_gives_the_losses_of_one_that_is_not(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", QUICKLY)
    torture = tool("torture_launch")
    # How soon it trains again is for the tool to tell, on a quiet machine.
    monkeypatch.setattr(torture, "LIMIT", 600.0)
    steps = ("--tokenizer-training.steps", "40", "--dynamics-training.steps", "12")
    fine = torture.torture(
        tmp_path, kinds=[torture.COORDINATOR, torture.KILL, torture.STOP], processes=2, seed=1, options=steps
    )
    said = capsys.readouterr().out
    assert fine, said
    assert re.search(r"2 kills; training again after \d+ s in the median and \d+ s at most \(600 allowed\)", said)
