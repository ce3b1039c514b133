"""Machines with and without a TPU."""

import importlib.util
import os
import subprocess
import sys

import pytest

from oyster_jax.parallel.tpu import answer_libtpu, quiet_without_tpu

with_libtpu = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="libtpu is not installed; it comes with the extra tpu"
)


def on_bus(root, vendor, device):
    folder = root / "sys" / "bus" / "pci" / "devices" / "0000:00:04.0"
    folder.mkdir(parents=True)
    (folder / "vendor").write_text(f"{vendor}\n")
    (folder / "device").write_text(f"{device}\n")


def test_what_the_user_says_stays():
    environment = {"TPU_MIN_LOG_LEVEL": "0"}
    answer_libtpu(environment)
    assert environment["TPU_MIN_LOG_LEVEL"] == "0"
    assert environment["TPU_SKIP_MDS_QUERY"] == "1"


@with_libtpu
@pytest.mark.parametrize(("vendor", "device"), [("0x1af4", "0x1041"), ("0x1ae0", "0x0042")])
def test_libtpu_is_told_that_nobody_misses_a_tpu(vendor, device, tmp_path):
    """On machines whose network card is the maker's of TPUs, too."""
    on_bus(tmp_path, vendor, device)
    environment = {}
    quiet_without_tpu(environment, tmp_path)
    assert environment["TPU_SKIP_MDS_QUERY"] == "1"


def test_a_tpu_on_the_bus_is_left_alone(tmp_path):
    on_bus(tmp_path, "0x1ae0", "0x0063")
    environment = {}
    quiet_without_tpu(environment, tmp_path)
    assert environment == {}


@pytest.mark.parametrize("name", ["accel0", "vfio/0"])
def test_a_device_file_of_a_tpu_is_enough(name, tmp_path):
    device = tmp_path / "dev" / name
    device.parent.mkdir(parents=True)
    device.touch()
    environment = {}
    quiet_without_tpu(environment, tmp_path)
    assert environment == {}


@with_libtpu
def test_verbs_are_silent_about_a_tpu_that_is_not_there():
    """A verb prepares the process, and JAX then looks for devices: libtpu has nothing to say about it."""
    code = "from oyster_jax.cli.main import main; main(['worlds', '--help']); import jax; print(jax.devices())"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TPU_", "JAX_PLATFORMS"))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "Device" in done.stdout.splitlines()[-1]
