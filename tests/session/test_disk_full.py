from tests.tools.modules import tool


def test_a_disk_that_fills_up_takes_nothing_that_was_on_it(stored, tmp_path):
    """As `tools/torture full`; where no file system can be mounted, with files that may not grow."""
    torture = tool("torture_full")
    (tmp_path / "limited").mkdir()
    with torture.small_disk(tmp_path) as disk:
        disk = disk or torture.ShortFiles(tmp_path / "limited")
        found = torture.starve(stored, disk, tmp_path / "noise", seed=1, tell=lambda _: None)
    assert found.losses.fine, found.sentence
    assert min(found.memory, found.ticks) > 0
