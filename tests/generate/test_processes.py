"""Generations of several processes, some of which are killed: every byte is as one process would have written it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oyster_jax.cli.main import main
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.generate.journal import finished
from tests.cli import tiny
from tests.generate.conftest import contents
from tests.tools.modules import TOOLS, tool

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found under /proc")

#: The last block is not full.
EPISODES, BLOCKS = 119, 40
#: Seconds until something must have happened.
PATIENCE = 300.0


def request(folder: Path, name: str, *more: str) -> list[str]:
    size = ("--episodes", str(EPISODES), "--ticks", "512", "--block", "3", "--no-states")
    return ["generate", "--world", str(folder / "world"), "--out", str(folder / name), "--latents", *size, *more]


@contextlib.contextmanager
def launched(count: int, arguments: list[str]) -> "Iterator[subprocess.Popen[bytes]]":
    path = os.pathsep.join(filter(None, [str(TOOLS.parent), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "oyster_jax.cli.main", "launch", "-n", str(count), "--", *arguments]
    process = subprocess.Popen(command, stdout=-1, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": path})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait(process: "subprocess.Popen[bytes]", until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert process.poll() is None, process.communicate()[0].decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def done(folder: Path) -> int:
    return len(finished(folder))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A folder with a world and with what one process generated in it, `whole`."""
    folder = tmp_path_factory.mktemp("processes")
    tiny.store(folder / "world")
    assert main(request(folder, "whole")) == 0
    return folder


def test_a_killed_process_changes_no_byte(whole):
    children = tool("torture_runs").children
    out = whole / "two"
    with launched(2, request(whole, "two")) as process:
        wait(process, lambda: min(done_by(out, number) for number in range(2)) >= 2)
        assert done(out) < BLOCKS
        os.kill(children(process)[1], signal.SIGKILL)
        said = process.communicate(timeout=PATIENCE)[0].decode()
    assert process.returncode == 0, said
    assert "Process 1 of 2 was killed by SIGKILL. Starting again with 2" in said
    # One of them speaks.
    assert said.count(f"of {EPISODES} episodes in") == 1
    assert contents(out) == contents(whole / "whole")
    EpisodeDataset(out).verify()


def test_another_number_of_processes_goes_on(whole):
    out = whole / "three"
    with launched(3, request(whole, "three")) as process:
        wait(process, lambda: min(done_by(out, number) for number in range(3)) >= 1)
        process.terminate()
        said = process.communicate(timeout=PATIENCE)[0].decode()
    assert process.returncode == 143, said
    assert "the same command goes on" in said
    assert 3 <= done(out) < BLOCKS
    assert main(request(whole, "three")) == 0
    assert contents(out) == contents(whole / "whole")


def test_several_processes_draw_the_frames(whole):
    for name in ("one", "many"):
        shutil.copytree(whole / "whole", whole / name)
    assert main([*request(whole, "one"), "--render"]) == 0
    with launched(2, request(whole, "many", "--render")) as process:
        said = process.communicate(timeout=PATIENCE)[0].decode()
    assert process.returncode == 0, said
    assert contents(whole / "many") == contents(whole / "one")


def done_by(folder: Path, process: int) -> int:
    journal = folder / f".progress-{process}.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0
