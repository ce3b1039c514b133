"""The same command on 8 devices, on fewer, and on what is left of them after a process has died."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.cli import tiny
from tests.parallel.devices import QUICKLY
from tests.tools.modules import tool
from tests.train.tiny_meshes import get_config

CONFIG = Path(__file__).with_name("tiny_meshes.py")

STEPS = get_config().dynamics_training.steps


def start(run: Path, *mesh: str, devices: int = 1, launch: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Starts `oyster train`, or `oyster launch` with it, on so many virtual devices a process."""
    data = run.parent / "data"
    train = ["train", str(CONFIG), "--run", str(run), "--data", str(data), *mesh]
    return subprocess.Popen(
        [sys.executable, "-m", "oyster_jax.cli.main", *launch, *train],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"XLA_FLAGS": QUICKLY, "JAX_NUM_CPU_DEVICES": str(devices)},
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> str:
    """Returns what a program has said by its end, which must come within an hour, however busy the machine is."""
    try:
        return process.communicate(timeout=3600)[0]
    finally:
        process.kill()


def losses(run: Path) -> dict[int, float]:
    """Returns the losses of the dynamics, as far as it is."""
    path, found = run / "dynamics" / "metrics.jsonl", {}
    for line in path.read_text().splitlines(keepends=True) if path.exists() else ():
        if line.endswith("\n"):
            record = json.loads(line)
            assert record["step"] not in found
            found[record["step"]] = record["loss"]
    return found


def assert_alike(found: dict[int, float], expected: dict[int, float]) -> None:
    """The data and the noise are the same; sums are made in another order."""
    assert sorted(found) == sorted(expected) == list(range(1, STEPS + 1))
    np.testing.assert_allclose([found[step] for step in expected], list(expected.values()), rtol=1e-4)


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """The folder of a run on eight devices, cut four ways by two; its recording is noise, and lies beside it."""
    folder = tmp_path_factory.mktemp("meshes")
    tiny.record(folder / "data", level=0, spec=get_config().network.spec)
    process = start(folder / "eight", "--mesh.fsdp", "4", "--mesh.tensor", "2", devices=8)
    said = ended(process)
    assert process.returncode == 0, said
    assert "takes 8 devices" not in said
    return folder / "eight"


def test_on_one_device_the_same_command_goes_on_uncut(eight):
    run = eight.with_name("one")
    shutil.copytree(eight, run)
    shutil.rmtree(run / "dynamics" / "checkpoints" / str(STEPS))
    process = start(run, "--mesh.fsdp", "4", "--mesh.tensor", "2")
    said = ended(process)
    assert process.returncode == 0, said
    assert "The mesh fsdp 4, tensor 2 takes 8 devices; there is 1, so nothing is cut." in said
    assert_alike(losses(run), losses(eight))


def test_devices_that_do_not_come_out_even_are_refused_before_anything_is_done(tmp_path):
    process = start(tmp_path / "six", "--mesh.fsdp", "4", "--mesh.tensor", "2", devices=6)
    said = ended(process)
    assert process.returncode == 2
    assert "There are 6 devices, to which fsdp 4, tensor 2 cannot shrink" in said
    assert "Traceback" not in said
    assert not (tmp_path / "six").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found under /proc")
def test_those_that_are_left_go_on_with_a_smaller_mesh(eight):
    run = eight.with_name("left")
    for part in ("tokenizer", "latents"):
        shutil.copytree(eight / part, run / part)
    process = start(run, "--mesh.fsdp", "2", launch=("launch", "-n", "2", "--restart", "left", "--"))
    while not (run / "dynamics" / "checkpoints" / "20").exists():
        assert process.poll() is None, ended(process)
        time.sleep(0.02)
    os.kill(tool("torture_runs").children(process)[1], signal.SIGKILL)
    said = ended(process)
    assert process.returncode == 0, said
    assert "Process 1 of 2 was killed by SIGKILL. Starting again with 1 from the last checkpoint." in said
    assert "The mesh fsdp 2 takes 2 devices; there is 1, so nothing is cut." in said
    assert_alike(losses(run), losses(eight))
