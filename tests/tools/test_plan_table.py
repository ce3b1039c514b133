"""`tools/plan_table`: every size on every topology."""

import importlib
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module("plan_table")
    finally:
        sys.path.remove(str(TOOLS))


def test_what_is_not_planned_yet_is_said_to_be_so(tool, tmp_path, capsys):
    assert tool.main(tool.Config(out=tmp_path, print=True)) == 1
    head, rule, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 3 * 4 * 2
    assert {row.count("|") for row in (head, rule, *rows)} == {9}
    assert rows[1].startswith("| base | 2 × v5e:16x16 | not planned |")


def test_every_chosen_mesh_uses_all_chips_and_shares_the_windows_evenly(tool):
    for chosen in tool.CHOSEN.values():
        assert tuple(chosen) == tool.TOPOLOGIES
        for topology, (fsdp, tensor, windows) in chosen.items():
            devices = {"v5e:16x16": 256, "v6e:16x16": 256}.get(topology, 128)
            assert devices % (fsdp * tensor) == 0
            assert windows % (4 * devices // tensor) == 0
