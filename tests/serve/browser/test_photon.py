"""`oyster bench photon`, in a process of its own: its browser cannot share the one of the other tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

COMMAND = [sys.executable, "-m", "oyster_jax.cli.main", "bench", "photon"]
PARTS = ("sending", "waiting", "stepping", "encoding", "serving", "link", "drawing")


def test_parts_of_press_to_photon_make_up_the_whole(browser: Browser, world: Path):
    ran = subprocess.run(
        [*COMMAND, "--world", str(world), "--presses", "1", "--speed", "1"], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    found = {figure["name"]: figure for figure in map(json.loads, ran.stdout.splitlines())}
    value = {name: figure["value"] for name, figure in found.items()}
    assert found["photon.drawn.p50"]["conditions"]["presses"] >= 1
    assert 0 < value["photon.drawn.p50"] <= value["photon.shown.p50"]
    # With one press the median of the whole is the sum of the medians of its parts.
    assert sum(value[f"photon.part.{part}.p50"] for part in PARTS) == pytest.approx(value["photon.drawn.p50"], abs=0.1)
    assert value["photon.frames"] > 1


def test_a_speed_that_the_page_does_not_have_is_refused(world: Path):
    ran = subprocess.run([*COMMAND, "--world", str(world), "--speed", "3"], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 2
    assert "0.25, 0.5, 1, 2, 4" in ran.stderr
