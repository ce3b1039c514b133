import shutil

import numpy as np
import pytest

from oyster_jax.session.archive import Archive
from oyster_jax.session.errors import SessionError
from oyster_jax.session.log import NAMES
from oyster_jax.session.prompt import PROMPTS
from oyster_jax.session.salvage import salvage
from oyster_jax.session.snapshot import folder_bytes
from oyster_jax.session.snapshots import ASIDE
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.world import World
from tests.tools.modules import tool


@pytest.fixture(scope="module")
def world(stored) -> World:
    return load(stored)


@pytest.fixture(scope="module")
def truth(world, tmp_path_factory):
    """A finished session with branches, snapshots, labels and a prompt, and what was seen in it."""
    return tool("torture_damage").finished(tmp_path_factory.mktemp("truth") / "session", world)


@pytest.fixture
def copy(truth, tmp_path):
    return shutil.copytree(truth.folder, tmp_path / "s")


def test_no_damage_is_silent(truth, stored, tmp_path):
    """As `tools/torture damage`, but shorter."""
    torture = tool("torture_damage")
    outcomes = torture.damage(truth, stored, tmp_path, times=24, seed=5, every=24, tell=lambda _: None)
    assert not outcomes.wrong, outcomes.wrong
    found = {outcome: sum(n for (_, o), n in outcomes.counts.items() if o == outcome) for _, outcome in outcomes.counts}
    assert sum(found.values()) == 24
    assert min(found[torture.MENDED], found[torture.SALVAGED], outcomes.commands.total()) > 0


def cut(path, lost):
    path.write_bytes(path.read_bytes()[:-lost])


@pytest.mark.parametrize("lost", [(500, 300), (10_000, 10_000)])
def test_a_log_that_lost_its_end_copy_and_all_is_refused_and_salvaged(world, truth, copy, lost, tmp_path):
    for name, count in zip(NAMES, lost, strict=True):
        cut(copy / "branches" / "branch-3" / name, count)
    before = [(copy / "branches" / "branch-3" / name).read_bytes() for name in NAMES]
    with pytest.raises(SessionError, match=r"branch-3/log and its copy .* up to tick 45"):
        Session.open(copy, world)
    assert [(copy / "branches" / "branch-3" / name).read_bytes() for name in NAMES] == before
    salvaged = salvage(copy, tmp_path / "new")
    assert salvaged.ends | {"branch-3": 45} == {name: len(frames) - 1 for name, frames in truth.frames.items()}
    assert ["'branch-3' can be read up to tick" in sentence for sentence in salvaged.lost] == [True]
    with Session.open(tmp_path / "new", world) as session:
        end = session._archive.branch("branch-3").end
        assert end == salvaged.ends["branch-3"] < 45
        assert np.array_equal(session.seek(end, branch="branch-3"), truth.frames["branch-3"][end])
        assert session.problems == ()


def test_a_log_that_both_copies_have_damaged_is_refused_and_salvaged_up_to_there(world, truth, copy, tmp_path):
    for path in copy.glob("ends*.json"):
        path.unlink()
    shutil.rmtree(copy / "snapshots")
    logs = [copy / "branches" / "main" / name for name in NAMES]
    for path in logs:
        data = bytearray(path.read_bytes())
        data[300] ^= 1
        path.write_bytes(data)
    before = [path.read_bytes() for path in logs]
    with pytest.raises(SessionError, match=rf"main/log .* both damaged .*`oyster session salvage {copy} NEW`"):
        Session.open(copy, world)
    salvaged = salvage(copy, tmp_path / "new")
    assert [path.read_bytes() for path in logs] == before
    # Those that leave `main` behind the damage have lost their past.
    assert [*salvaged.ends] == ["branch-3", "main"]
    assert 0 < salvaged.ends["main"] < 70
    assert [sentence.split()[0] for sentence in salvaged.lost] == ["'main'", "'branch-1'", "'branch-2'"]
    with Session.open(tmp_path / "new", world) as session:
        assert np.array_equal(session.seek(45, branch="branch-3"), truth.frames["branch-3"][45])
        assert session.problems == ()


def test_what_leaves_the_very_beginning_is_salvaged_without_the_first_branch(world, truth, copy, tmp_path):
    shutil.rmtree(copy / "branches" / "main")
    salvaged = salvage(copy, tmp_path / "new")
    assert salvaged.ends == {"main": 0, "branch-3": 45}
    assert len(salvaged.lost) == 3
    with Session.open(tmp_path / "new", world) as session:
        assert np.array_equal(session.seek(45, branch="branch-3"), truth.frames["branch-3"][45])


def test_what_is_salvaged_overwrites_nothing(world, truth, copy, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").touch()
    with pytest.raises(SessionError, match="new is not empty"):
        salvage(copy, tmp_path / "new")
    with Session.open(copy, world), pytest.raises(SessionError, match="is being lived in"):
        salvage(copy, tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["branches/branch-2", "branches/main"])
def test_a_branch_that_is_gone_is_missed(world, copy, name):
    shutil.rmtree(copy / name)
    with pytest.raises(SessionError, match=f"{name} is missing"):
        Session.open(copy, world)


def test_documents_of_other_branches_are_not_taken_for_a_branchs_own(world, truth, copy):
    one, other = (copy / "branches" / name / "branch.json" for name in ("branch-1", "branch-3"))
    text = one.read_text()
    one.write_text(other.read_text())
    other.write_text(text)
    with Session.open(copy, world) as session:
        assert len(session.problems) == 2
        assert np.array_equal(session.seek(45, branch="branch-3"), truth.frames["branch-3"][45])


@pytest.mark.parametrize(
    ("source", "target"), [("branch-3/00000040", "main/00000040"), ("main/00000020", "main/00000030")]
)
def test_a_snapshot_of_another_branch_or_tick_is_not_believed(world, truth, copy, source, target):
    folder = copy / "snapshots" / target
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(copy / "snapshots" / source, folder)
    tick = int(folder.name)
    with Session.open(copy, world) as session:
        assert np.array_equal(session.seek(tick, branch="main"), truth.frames["main"][tick])
        assert [str(folder) in problem for problem in session.problems] == [True]


def test_a_foreign_snapshot_behind_the_end_is_no_reason_to_refuse(world, truth, copy):
    shutil.copytree(copy / "snapshots" / "main" / "00000020", copy / "snapshots" / "main" / "00000999")
    with Session.open(copy, world) as session:
        assert "00000999" in session.problems[0]
        assert session._archive.branch("main").end == len(truth.frames["main"]) - 1


@pytest.mark.parametrize("name", PROMPTS)
def test_a_damaged_prompt_is_mended_from_its_copy(world, truth, copy, name):
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[:50] + b"x" + whole[51:])
    Archive(copy, write=False)
    assert (copy / name).read_bytes() != whole
    with Session.open(copy, world) as session:
        assert [f"{copy / name} was missing or damaged" in problem for problem in session.problems] == [True]
        assert np.array_equal(session.seek(1, branch="main"), truth.frames["main"][1])
    assert (copy / name).read_bytes() == whole


def test_a_prompt_that_is_lost_is_told_before_it_is_needed(world, copy):
    for name in PROMPTS:
        (copy / name).unlink()
    with Session.open(copy, world) as session:
        assert all(str(copy / name) in session.problems[0] for name in PROMPTS)
        session.seek(125, branch="main")
        with pytest.raises(SessionError, match=r"prompt\.npz.*prompt\.copy\.npz"):
            session.seek(1, branch="main")


def test_of_damaged_snapshots_the_newest_few_are_kept(world, truth, copy):
    kept = sorted(path.name for path in (copy / "snapshots" / "main").iterdir())
    for path in (copy / "snapshots" / "main").rglob("d/*"):
        path.write_bytes(path.read_bytes()[:-20])
    with Session.open(copy, world) as session:
        session.seek(129, branch="main")
        session.flush()
        before = session.disk_bytes
        left = [path.name for path in copy.glob("snapshots/*/damaged-*")]
        assert len(left) == ASIDE < len(kept)
        # All were looked at, the latest first.
        assert sorted(left) == [f"damaged-{name}" for name in kept[:ASIDE]]
    for path in copy.glob("snapshots/*/damaged-*"):
        before -= folder_bytes(path)
        shutil.copytree(path, path.with_name("damaged-00009999"), dirs_exist_ok=True)
    assert before > 0
    with Session.open(copy, world):
        assert len([*copy.glob("snapshots/*/damaged-*")]) == ASIDE


def test_a_damaged_snapshot_is_told_in_one_sentence_and_nothing_else(world, truth, copy, capfd):
    for path in (copy / "snapshots" / "main").rglob("d/*"):
        path.write_bytes(path.read_bytes()[:-20])
    with Session.open(copy, world) as session:
        assert np.array_equal(session.seek(70, branch="main"), truth.frames["main"][70])
        assert len(session.problems) == 3
        assert all("is not what was written" in problem for problem in session.problems)
    assert capfd.readouterr().err == ""


def test_looking_at_a_damaged_session_changes_nothing(copy):
    (copy / "manifest.json").unlink()
    cut(copy / "branches" / "main" / "log", 100)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert len(Archive(copy, write=False).problems) == 2
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_a_frame_that_comes_out_differently_is_told(world, truth, copy):
    """As on a processor whose last bits differ; here it is the log that says something else."""
    with Session.open(copy, world) as session:
        session.seek(50, branch="branch-2")
        assert session.problems == ()
        session._archive.branch("main").note_digest(50, b"another.")
        session.seek(51)
        assert session.problems == ()
        session.seek(50)
        assert ["Tick 50 of 'main'" in problem for problem in session.problems] == [True]
        session._archive.branch("main").note_digest(60, b"another.")
        session._archive.branch("main").note_digest(61, b"another.")
        assert len([*session._replayer.replay("main", 55, 65)]) == 11
        assert ["Tick 60 of 'main'" in problem for problem in session.problems] == [False, True]
