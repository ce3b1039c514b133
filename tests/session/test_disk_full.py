import pytest

from tests.session.torture import tool


def test_a_disk_that_fills_up_takes_nothing_that_was_on_it(stored, tmp_path):
    """As `tools/torture full`."""
    torture = tool("torture_full")
    with torture.small_disk(tmp_path) as disk:
        if disk is None:
            pytest.skip("No file system can be mounted here.")
        found = torture.starve(stored, disk, tmp_path / "noise", seed=1, tell=lambda _: None)
    assert found.losses.fine, found.sentence
    assert min(found.memory, found.ticks) > 0


def test_files_that_may_not_grow_take_nothing_that_was_in_them(stored, tmp_path):
    torture = tool("torture_full")
    (tmp_path / "limited").mkdir()
    disk = torture.ShortFiles(tmp_path / "limited")
    found = torture.starve(stored, disk, tmp_path / "noise", seed=2, tell=lambda _: None)
    assert found.losses.fine, found.sentence
    assert min(found.memory, found.ticks) > 0
