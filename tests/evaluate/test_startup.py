import sys

import pytest

from oyster_jax.evaluate import startup

#: Takes 0.3 s where its cache is empty, and says what the caller's settings would have been.
PROGRAM = """
import os, pathlib, time
assert "JAX_COMPILATION_CACHE_DIR" not in os.environ
kept = pathlib.Path(os.environ["XDG_CACHE_HOME"]) / "kept"
if not kept.exists():
    time.sleep(0.3)
    kept.touch()
print("frame", flush=True)
time.sleep(0.1)
print("tick", flush=True)
print("peak 3145728", flush=True)
"""


def command(program):
    return [sys.executable, "-c", program]


def test_cold_and_warm_starts_differ_by_the_cache(monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/elsewhere")
    told = []
    found = startup.start_figures(
        command(PROGRAM), starts=2, conditions={"world": "toy"}, progress=lambda *done: told.append(done)
    )
    figures = {figure.name: figure for figure in found}
    assert list(figures) == [
        "start.cold.frame", "start.cold.tick", "memory.peak.cold",
        "start.warm.frame", "start.warm.tick", "memory.peak.warm",
    ]  # fmt: skip
    assert figures["start.cold.frame"].value >= 0.3
    assert figures["start.cold.tick"].value >= figures["start.cold.frame"].value + 0.1
    assert figures["start.warm.tick"].value >= figures["start.warm.frame"].value + 0.1
    # The processes alone may take long on a busy machine, so only what they share may be compared.
    assert figures["start.warm.frame"].value < figures["start.cold.frame"].value + 0.3
    assert figures["memory.peak.warm"].value == 3
    assert figures["start.warm.frame"].conditions == {"world": "toy", "starts": 2}
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("raise SystemExit('There is no such world.')", "code 1 and said 'There is no such world.'"),
        ("print('frame')", "code 0 and said 'nothing'"),
    ],
)
def test_a_process_that_fails_is_told(program, sentence, tmp_path):
    with pytest.raises(RuntimeError, match=sentence):
        startup.start_once(command(program), tmp_path)


def test_a_process_that_hangs_is_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(startup, "PATIENCE", 0.2)
    with pytest.raises(RuntimeError, match="code -9"):
        startup.start_once(command("import time; time.sleep(60)"), tmp_path)
