import shutil

import numpy as np
import pytest

from oyster_jax.session import keeper, snapshots
from oyster_jax.session.snapshot_writer import SnapshotWriter
from oyster_jax.worlds.session import Session
from tests.session.conftest import ACTIONS


def kept(session):
    """Ticks of the first branch with a snapshot on the disk."""
    session.flush()
    return session.timeline().branches[0].snapshots


@pytest.fixture
def stuck(monkeypatch):
    """Has the process for snapshots take none, until this is emptied by calling what it holds."""
    waiting = []
    submit = SnapshotWriter.submit
    monkeypatch.setattr(SnapshotWriter, "submit", lambda *given: waiting.append(lambda: submit(*given)))
    return waiting


def test_lost_snapshots_are_made_up_for_by_the_first_replay(world, truth, tmp_path, often):
    with world.session(tmp_path / "s", seed=3, respawn=False) as session:
        session.run(ACTIONS)
        assert kept(session) == (20, 40, 60, 80, 100, 120)
    shutil.rmtree(tmp_path / "s" / "snapshots")
    with Session.open(tmp_path / "s", world) as session:
        np.testing.assert_array_equal(session.frame, truth[120])
        assert kept(session) == (20, 40, 60, 80, 100, 120)
        assert session.problems == ()


def test_what_a_replay_cost_counts_towards_the_next_snapshot(world, tmp_path, often):
    with world.session(tmp_path / "s", seed=3, respawn=False) as session:
        session.run(ACTIONS[:75])
        session.flush()
    with Session.open(tmp_path / "s", world) as session:
        session.run(ACTIONS[75:90])
        assert kept(session) == (20, 40, 60, 80)


def test_a_replay_keeps_states_under_the_branch_that_lived_them(world, truth, tmp_path, often):
    with world.session(tmp_path / "s", seed=3, respawn=False) as session:
        session.run(ACTIONS[:50])
        session.rewind(30)
        session.run(ACTIONS[30:90])
    shutil.rmtree(tmp_path / "s" / "snapshots")
    with Session.open(tmp_path / "s", world) as session:
        np.testing.assert_array_equal(session.frame, truth[90])
        session.flush()
        lines = {line.name: line.snapshots for line in session.timeline().branches}
        assert lines == {"main": (20,), "branch-1": (40, 60, 80)}
        np.testing.assert_array_equal(session.seek(45, branch="branch-1"), truth[45])


def test_rewinds_use_what_the_disk_has_not_taken_yet(world, truth, tmp_path, often, stuck, monkeypatch):
    with world.session(tmp_path / "s", seed=3, respawn=False) as session:
        session.run(ACTIONS)
        session.flush()
        assert len(stuck) == 6
        computed = []
        following = type(session._replayer).next
        monkeypatch.setattr(
            type(session._replayer), "next", lambda *given: (computed.append(given), following(*given))[1]
        )
        for tick in (110, 61, 40):
            np.testing.assert_array_equal(session.rewind(tick), truth[tick])
        assert len(computed) == 10 + 1 + 0
        for submit in stuck:
            submit()
        assert kept(session) == (20, 40, 60, 80, 100, 120)


def test_where_no_more_may_wait_the_next_tick_with_room_is_kept(world, tmp_path, often, stuck, monkeypatch):
    monkeypatch.setattr(snapshots, "HELD_BYTES", 1)
    monkeypatch.setattr(keeper, "GAP_SECONDS", 0.0)
    with world.session(tmp_path / "s", seed=3, respawn=False) as session:
        session.run(ACTIONS[:47])
        session.flush()
        assert session.problems == ()
        stuck.pop()()
        session.flush()
        session.run(ACTIONS[47:50])
        session.flush()
        stuck.pop()()
        assert kept(session) == (20, 48)
        [problem] = session.problems
        assert "the 28 ticks before tick 48 of 'main' have no snapshot" in problem


def test_looking_at_a_session_keeps_nothing(world, tmp_path, often):
    from oyster_jax.session.archive import Archive
    from oyster_jax.session.replayer import Replayer

    with world.session(tmp_path / "s", seed=3, snapshot_bytes=1 << 20) as session:
        session.run(ACTIONS[:50])
    shutil.rmtree(tmp_path / "s" / "snapshots")
    archive = Archive(tmp_path / "s", write=False)
    Replayer(world, archive).at("main", 50)
    assert not (tmp_path / "s" / "snapshots").exists()
    assert not archive.has_room


def test_what_is_not_replayed_exactly_is_not_kept(world, tmp_path, often, monkeypatch):
    from oyster_jax.worlds import identity

    with world.session(tmp_path / "s", seed=3, respawn=False) as session:
        session.run(ACTIONS[:50])
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(identity, "version", lambda package: f"{package}-9")
        with Session.open(tmp_path / "s", world) as session:
            session.run(ACTIONS[50:70])
            assert kept(session) == (20, 40, 70)
    shutil.rmtree(tmp_path / "s" / "snapshots")
    # Part of it was lived elsewhere, be it that it began here.
    with Session.open(tmp_path / "s", world) as session:
        assert session.frame is not None
        assert kept(session) == ()
        assert any("jax-9" in problem for problem in session.problems)


def test_states_whose_frames_come_out_differently_are_not_kept(world, tmp_path, often):
    with world.session(tmp_path / "s", seed=3, respawn=False) as session:
        session.run(ACTIONS[:70])
        session.flush()
        session._archive.snapshots._sizes.clear()
        shutil.rmtree(tmp_path / "s" / "snapshots")
        session._archive.branch("main").note_digest(30, b"another.")
        session.seek(70)
        assert kept(session) == (20,)
