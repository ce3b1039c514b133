"""The supervisor, over small programs that die, hang and end as told."""

import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from oyster_jax.parallel.supervisor import LaunchConfig, Supervisor

_BEGIN = """
import os, pathlib, signal, sys, time
me, count = int(os.environ["OYSTER_PROCESS"]), int(os.environ["OYSTER_PROCESSES"])
folder = pathlib.Path(sys.argv[1])
def alive():
    pathlib.Path(os.environ["OYSTER_SIGN"]).touch()
def first(name):
    try:
        (folder / name).touch(exist_ok=False)
        return True
    except FileExistsError:
        return False
(folder / f"start-{me}-of-{count}-{time.time_ns()}").touch()
def together():
    while len(list(folder.glob(f"start-*-of-{count}-*"))) < count:
        time.sleep(0.01)
"""


@pytest.fixture
def run(tmp_path):
    def run(code, **config):
        sentences = []
        command = [sys.executable, "-c", _BEGIN + textwrap.dedent(code), str(tmp_path)]
        config = {"processes": 3, "grace": 5.0} | config
        supervisor = Supervisor(LaunchConfig(**config), command, sentences.append)
        return supervisor.run(), sentences

    return run


def _starts(folder, count):
    return len(list(folder.glob(f"start-*-of-{count}-*")))


def test_processes_that_end_well_are_done(run, tmp_path):
    assert run("alive()") == (0, [])
    assert _starts(tmp_path, 3) == 3


def test_each_has_its_number_and_devices(run, tmp_path):
    code = '(folder / f"{me}").write_text(os.environ["OYSTER_COORDINATOR"] + " " + os.environ["JAX_NUM_CPU_DEVICES"])'
    assert run(code, devices=2)[0] == 0
    told = {(tmp_path / str(number)).read_text() for number in range(3)}
    assert len(told) == 1
    assert told.pop().endswith(" 2")


@pytest.mark.parametrize("victim", [0, 2])
def test_when_one_is_killed_all_start_again(run, tmp_path, victim):
    code = f"""
    alive()
    if me == {victim} and first("killed"):
        together()
        os.kill(os.getpid(), signal.SIGKILL)
    if _waits := not (folder / "again").exists() and len(list(folder.glob("start-*"))) <= 3:
        time.sleep(60)
    """
    code, sentences = run(code)
    assert code == 0
    assert sentences == [
        f"Process {victim} of 3 was killed by SIGKILL. Starting again with 3 from the last checkpoint."
    ]
    assert _starts(tmp_path, 3) == 6


def test_those_that_are_left_go_on_and_a_number_that_does_not_fit_is_passed_over(run, tmp_path):
    code = """
    alive()
    if me == 1 and first("killed"):
        together()
        sys.exit(7)
    if count == 3:
        time.sleep(60)
    if count == 2:
        together()
        sys.exit(2)
    """
    code, sentences = run(code, restart="left")
    assert code == 0
    assert "ended with code 7. Starting again with 2" in sentences[0]
    assert "does not come out even on 2 processes. Starting again with 1" in sentences[1]
    assert [_starts(tmp_path, count) for count in (3, 2, 1)] == [3, 2, 1]


def test_one_that_hangs_is_noticed(run):
    code = """
    alive()
    if me == 1 and first("hung"):
        time.sleep(60)
    until = time.time() + (60 if len(list(folder.glob("start-*"))) <= 3 else 0)
    while time.time() < until:
        alive()
        time.sleep(0.1)
    """
    code, sentences = run(code, silence=1.5)
    assert code == 0
    assert len(sentences) == 1
    assert sentences[0].startswith("Process 1 of 3 is silent for")


def test_a_mistake_is_not_tried_again(run, tmp_path):
    assert run("sys.exit(2)") == (2, [])
    assert _starts(tmp_path, 3) <= 3


def test_what_gets_nowhere_is_given_up(run, tmp_path):
    code, sentences = run("sys.exit(5)", processes=1)
    assert code == 1
    assert "got nowhere 3 times in a row" in sentences[-1]
    assert _starts(tmp_path, 1) == 3


def test_told_to_end_it_lets_all_save(run, tmp_path):
    import os
    import signal

    def tell():
        while _starts(tmp_path, 3) < 3 or len(list(tmp_path.glob("ready-*"))) < 3:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=tell)
    thread.start()
    code = """
    def save(*_):
        (folder / f"saved-{me}").touch()
        sys.exit(143)
    signal.signal(signal.SIGTERM, save)
    alive()
    (folder / f"ready-{me}").touch()
    time.sleep(60)
    """
    assert run(code) == (143, [])
    thread.join()
    assert len(list(tmp_path.glob("saved-*"))) == 3


def test_no_process_is_no_launch():
    with pytest.raises(ValueError, match="At least one process"):
        LaunchConfig(processes=0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
def test_processes_end_with_the_one_that_launched_them(tmp_path):
    code = """
    import subprocess, sys
    from pathlib import Path
    from oyster_jax.parallel.supervisor import LaunchConfig, Supervisor

    child = (
        "import os, time; from pathlib import Path; from oyster_jax.parallel import distributed;"
        "distributed._end_with_launcher(); Path(os.environ['OYSTER_SIGN']).touch();"
        f"Path({str(sys.argv[1])!r}, str(os.getpid())).touch(); time.sleep(60)"
    )
    Supervisor(LaunchConfig(processes=2), [sys.executable, "-c", child], print).run()
    """
    launcher = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)])
    while len(list(tmp_path.iterdir())) < 2:
        assert launcher.poll() is None
        time.sleep(0.05)
    launcher.kill()
    launcher.wait()
    processes = [Path("/proc", entry.name, "stat") for entry in tmp_path.iterdir()]
    for _ in range(100):
        # One that nobody has waited for yet is dead too.
        if all(not stat.exists() or ") Z " in stat.read_text() for stat in processes):
            return
        time.sleep(0.05)
    pytest.fail("a process outlived the one that launched it")
