import errno
import os
import threading
import time

import numpy as np
import pytest

from oyster_jax.session import journal, snapshot_writer
from oyster_jax.session.archive import Archive
from oyster_jax.session.errors import SessionError
from oyster_jax.session.log import Log
from oyster_jax.session.snapshot_writer import SnapshotWriter
from oyster_jax.session.status import Phase
from oyster_jax.worlds.session import Session
from tests.session.conftest import ACTIONS
from tests.tools.modules import tool


def test_nothing_on_the_disk_is_lost_by_kills(stored, tmp_path):
    """As `tools/torture kill`, but shorter."""
    torture = tool("torture_kill")
    losses = torture.kill(stored, tmp_path, times=3, seed=8, tell=lambda _: None)
    ticks, snapshots = torture.replays(stored, tmp_path / "session", losses)
    assert losses.fine, torture.outcome(losses, ticks, snapshots)
    assert losses.kills.total() == 3
    assert ticks == sum(line.end - line.at for line in Archive(tmp_path / "session", write=False).branches.values()) > 0


@pytest.mark.parametrize("left", [(), ("branch.json",), ("branch.json", "branch.copy.json", "prompt.npz")])
def test_a_session_whose_making_was_cut_off_is_made_anew(world, truth, tmp_path, left):
    world.session(tmp_path / "whole", prompt=(truth[0][None], [])).close()
    begun = tmp_path / "s" / "branches" / "main"
    begun.mkdir(parents=True)
    for name in left:
        path = tmp_path / "s" / name if name == "prompt.npz" else begun / name
        path.write_bytes((tmp_path / "whole" / path.relative_to(tmp_path / "s")).read_bytes())
    (begun / ".branch.json.123").write_text("{")
    with world.session(tmp_path / "s", seed=3, respawn=False) as session:
        np.testing.assert_array_equal(session.step(ACTIONS[0]), truth[1])
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize("name", ["prompt.npz", "branches/main/log", "branches/main/mine", "notes", ".hidden"])
def test_what_is_somebody_elses_is_left_alone(world, tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(SessionError, match="not empty"):
        world.session(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_a_branch_is_not_on_the_disk_before_the_ticks_that_it_comes_from(world, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "LOG_SECONDS", 60.0)
    with world.session(tmp_path / "s", seed=3) as session:
        session.run(ACTIONS[:20])
        assert session.durable == 0
        session.branch(15)
        found = Archive(tmp_path / "s", write=False).branches
        assert found["branch-1"].at <= found["main"].end


def test_what_a_killed_writer_left_is_cleaned_up(world, tmp_path, often):
    with world.session(tmp_path / "s", seed=3) as session:
        session.run(ACTIONS[:40])
    left = [tmp_path / "s" / "snapshots" / "main" / f".00000020.{name}" for name in ("0123abcd", "gone")]
    for folder in left:
        (folder / "state").mkdir(parents=True)
    documents = [tmp_path / "s" / ".manifest.json.77", tmp_path / "s" / "branches" / "main" / ".branch.json.77"]
    for path in documents:
        path.write_text("{")
    Archive(tmp_path / "s", write=False)
    assert all(path.exists() for path in (*left, *documents))
    with Session.open(tmp_path / "s", world) as session:
        assert session.problems == ()
    assert not any(path.exists() for path in (*left, *documents))


def test_a_session_that_is_being_lived_in_does_not_look_damaged(world, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "LOG_SECONDS", 0.0)
    with world.session(tmp_path / "s", seed=3, max_duration=1e6) as session:
        live = threading.Thread(target=session.run, args=("noop", 120))
        live.start()
        while live.is_alive():
            assert not Archive(tmp_path / "s", write=False).problems
        live.join()


@pytest.fixture
def refusing(monkeypatch):
    """Has the disk refuse logs as long as an exception is in the list that this is."""
    refusals: list[Exception] = []
    monkeypatch.setattr(journal, "RETRY_SECONDS", 0.05)
    append = Log.append

    def refuse(log: Log, entries) -> None:
        if refusals:
            raise refusals[0]
        append(log, entries)

    monkeypatch.setattr(Log, "append", refuse)
    return refusals


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), RuntimeError("unheard of"), MemoryError()])
def test_the_log_goes_on_after_whatever_went_wrong(world, truth, tmp_path, refusing, error):
    session = world.session(tmp_path / "s", seed=3, respawn=False)
    session.run(ACTIONS[:10])
    session.flush()
    refusing.append(error)
    session.run(ACTIONS[10:30])
    session.flush()
    assert (session.durable, session.status.phase) == (10, Phase.RUNNING)
    assert "cannot be written" in session.status.sentence
    assert ("the disk is full" in session.status.sentence) == isinstance(error, OSError)
    with pytest.raises(SessionError, match="cannot be made"):
        session.branch(20)
    refusing.clear()
    session.run(ACTIONS[30:40])
    session.flush()
    assert session.durable == 40
    assert "cannot be written" not in session.status.sentence
    session.close()
    with Session.open(tmp_path / "s", world) as again:
        np.testing.assert_array_equal(again.frame, truth[40])


def test_closing_on_a_full_disk_is_refused_and_may_be_tried_again(world, tmp_path, refusing):
    session = world.session(tmp_path / "s", seed=3)
    session.run(ACTIONS[:10])
    refusing.append(OSError(errno.ENOSPC, "full"))
    with pytest.raises(SessionError, match=r"disk is full.*after tick \d+ is lost"):
        session.close()
    assert session.status.phase == Phase.RUNNING
    session.step(ACTIONS[10])
    refusing.clear()
    session.close()
    with Session.open(tmp_path / "s", world) as again:
        assert again.tick == 11


def test_a_crash_takes_the_interval_and_two_writes_at_most(world, tmp_path, monkeypatch):
    """On a disk as slow as this one; what `durable` says is there, and the rest is younger than that."""
    writes = []
    append = Log.append

    def slow(log: Log, entries) -> None:
        begin = time.monotonic()
        time.sleep(0.1)
        append(log, entries)
        writes.append(time.monotonic() - begin)

    monkeypatch.setattr(Log, "append", slow)
    with world.session(tmp_path / "s", seed=3, respawn=False) as session:
        session.step("noop")
        session.flush()
        lived, ages = {1: time.monotonic()}, []
        for action in ACTIONS[:100]:
            session.step(action)
            lived[session.tick] = time.monotonic()
            ages.append(lived[session.tick] - lived[session.durable])
            assert "too slowly" not in session.status.sentence
            time.sleep(0.005)
        durable = session.durable
        assert Archive(tmp_path / "s", write=False).branches["main"].end >= durable > 50
    # And what a busy machine takes to wake a thread.
    assert 0.1 < max(ages) < journal.LOG_SECONDS + 2 * max(writes) + 0.5


def test_a_session_says_when_a_crash_would_take_more(world, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "LOSS_SECONDS", 0.2)
    hangs, append = threading.Event(), Log.append
    hangs.set()

    def hang(log: Log, entries) -> None:
        hangs.wait()
        append(log, entries)

    monkeypatch.setattr(Log, "append", hang)
    with world.session(tmp_path / "s", seed=3) as session:
        session.run(ACTIONS[:10])
        session.flush()
        assert "too slowly" not in session.status.sentence
        hangs.clear()
        session.run(ACTIONS[10:20])
        time.sleep(0.3)
        session.step("noop")
        assert (session.durable, session.status.phase) == (10, Phase.RUNNING)
        assert "too slowly: the last 0." in session.status.sentence
        hangs.set()
        session.flush()
        assert "too slowly" not in session.status.sentence


@pytest.mark.parametrize("character", ["a", "é", "漢", "🦪", "\x00", '"'])
def test_the_longest_label_is_kept(world, tmp_path, character):
    with world.session(tmp_path / "s", seed=3) as session:
        session.label(0, 10_000 * character)
    [main] = Archive(tmp_path / "s", write=False).branches.values()
    assert [event.text for event in main.events if event.kind == "label"] == [10_000 * character]


def test_a_label_that_is_no_text_is_refused_and_the_session_goes_on(world, tmp_path):
    with world.session(tmp_path / "s", seed=3) as session:
        with pytest.raises(SessionError, match="half a character"):
            session.label(0, "\ud800")
        session.step("noop")
    assert session.durable == 1


@pytest.mark.parametrize("patience", [0.01, 60.0])
def test_nobody_waits_for_a_process_for_snapshots_that_hangs_or_dies(tmp_path, monkeypatch, patience):
    monkeypatch.setattr(snapshot_writer, "PATIENCE", patience)
    if patience > 1:
        monkeypatch.setattr(snapshot_writer.sys, "executable", "/bin/false")
    writer, told = SnapshotWriter(), []
    writer.submit(tmp_path / "b" / "00000001", "one 1", {"a": np.zeros(3)}, told.append)
    writer.wait()
    writer.close()
    assert [(written.bytes, "ended or hung 3 times" in written.problem) for written in told] == [(0, True)]
    assert not os.path.lexists(tmp_path / "b" / "00000001")
