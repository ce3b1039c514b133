"""What a device sends in a compiled training step, beside what the sharding table says, from 8 to 512 chips."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "plan" / "tiny_world.py"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="the TPU compiler is not installed; it comes with the extra tpu"
)


@pytest.fixture(scope="module", params=["fsdp 8", "fsdp 4 × tensor 2"])
def found(request):
    """Rows of the table: chips, axes, megabytes sent, forecast and of the largest exchange."""
    fsdp, tensor = {"fsdp 8": (8, 1), "fsdp 4 × tensor 2": (4, 2)}[request.param]
    command = [sys.executable, ROOT / "tools" / "weak_scaling.py", TINY, "--fsdp", str(fsdp), "--tensor", str(tensor)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()[2:]]
    return [(int(chips), axes, *(float(size.replace(",", "")) for size in sizes)) for chips, _, axes, *sizes in rows]


def test_all_topologies_were_compiled(found):
    assert sorted({chips for chips, *_ in found}) == [8, 16, 64, 256, 512]


def test_a_device_sends_no_more_than_the_table_says(found):
    for chips in (8, 16, 64, 256, 512):
        sent = sum(row[2] for row in found if row[0] == chips)
        forecast = sum(row[3] for row in found if row[0] == chips)
        assert 0.5 * forecast < sent < 1.15 * forecast, (chips, sent, forecast)


def test_a_device_sends_hardly_more_on_512_chips_than_on_16(found):
    sent = {chips: sum(row[2] for row in found if row[0] == chips) for chips, *_ in found}
    assert sent[512] < 1.2 * sent[16]


def test_nothing_as_large_as_the_optimizer_or_all_rows_is_exchanged_at_once(found):
    smallest = {axes: min(row[4] for row in found if row[1] == axes) for _, axes, *_ in found}
    for chips, axes, _, _, largest in found:
        assert largest <= 1.5 * smallest[axes], (chips, axes, largest)
