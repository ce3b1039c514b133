"""`tools/plan_table`: every size on every topology."""

import json

import pytest

from tests.tools import modules


@pytest.fixture(scope="module")
def tool():
    return modules.tool("plan_table")


def test_what_is_not_planned_yet_is_said_to_be_so(tool, tmp_path, capsys):
    assert tool.main(tool.Config(out=tmp_path, print=True)) == 1
    head, rule, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 3 * 4 * 2
    assert {row.count("|") for row in (head, rule, *rows)} == {9}
    assert rows[1].startswith("| base | 2 × v5e:16x16 | not planned |")


def test_what_is_planned_is_a_row(tool, tmp_path, capsys):
    """A plan as `oyster plan` writes it, of which the table takes these."""
    train = {
        "mesh": {"slice": 2, "data": 4, "fsdp": 32, "tensor": 1}, "rows": 1024,
        "share": 0.25, "usable": 2**34, "fits": True,
        "roofline": {"seconds": 1.2345, "bound": "compute", "utilization": 0.786},
    }  # fmt: skip
    cell = tool.Cell(size="large", topology="v5p:4x4x8", slices=2)
    (tmp_path / cell.folder).mkdir()
    written = {"programs": [train], "command": f"oyster plan {' '.join(cell.options)} --out somewhere"}
    (tmp_path / cell.folder / "plan.json").write_text(json.dumps(written))
    assert tool.main(tool.Config(out=tmp_path, only=("large",), slices=(2,), print=True)) == 1, "others are not planned"
    rows = capsys.readouterr().out.splitlines()[2:]
    planned = "slice 2 × data 4 × fsdp 32 | 1,024 | 25 % of 16.0 GiB | 1,234 ms | compute | 79 %"
    assert f"| large | 2 × v5p:4x4x8 | {planned} |" in rows
    assert sum("not planned" in row for row in rows) == 3


def test_two_slices_are_copies_of_the_one_that_a_sweep_found(tool, tmp_path):
    train = {"mesh": {"slice": 1, "data": 1, "fsdp": 64, "tensor": 4}, "rows": 256}
    one = tool.Cell(size="xl", topology="v5e:16x16", slices=1)
    assert one.options[-1] == "--sweep"
    (tmp_path / one.folder).mkdir()
    written = {"programs": [train], "command": f"oyster plan {' '.join(one.options)} --out somewhere"}
    (tmp_path / one.folder / "plan.json").write_text(json.dumps(written))
    two = tool.Cell(size="xl", topology="v5e:16x16", slices=2, copied=tool._found(tmp_path, one))
    assert two.options[-5:] == ["--batch", "512", "--mesh.data=1", "--mesh.fsdp=64", "--mesh.tensor=4"]
