import dataclasses
import json
import shutil
import subprocess
import sys
import threading

import jax
import numpy as np
import pytest

from oyster_jax.core.state import Status
from oyster_jax.session import keeper, snapshot_writer
from oyster_jax.session.errors import SessionEndedError, SessionError
from oyster_jax.session.status import Phase
from oyster_jax.tree import tree_digest
from oyster_jax.worlds.session import Session
from tests.session.conftest import ACTIONS

ALONE = {"seed": 3, "respawn": False}


@pytest.fixture
def alone(monkeypatch):
    """Sessions of this test share nothing with those that other tests left open."""
    monkeypatch.setattr(snapshot_writer._Desk, "_open", None)


def lived(world, path, count=None, **options):
    session = world.session(path, **ALONE | options)
    return session, [session.frame, *(session.step(action) for action in ACTIONS[:count])]


def same(frames, others):
    np.testing.assert_array_equal(np.stack(list(frames)), np.stack(list(others)))


def test_a_session_shows_what_the_world_shows(world, truth, tmp_path):
    session, frames = lived(world, tmp_path / "s")
    same(frames, truth)
    assert (session.tick, session.world_time) == (120, 8.0)
    assert session.remaining == 1792.0
    session.close()


def test_every_tick_can_be_rewound_to_and_lived_again(world, truth, tmp_path, often):
    session, _ = lived(world, tmp_path / "s")
    for tick in (119, 20, 21, 60, 0, 1, 45):
        same([session.seek(tick)], [truth[tick]])
    session.seek(100)
    session.rewind(50)
    same([session.step(action) for action in ACTIONS[50:90]], truth[51:91])
    assert session.branch_name == "branch-1"
    same([session.seek(120, branch="main")], [truth[120]])
    session.close()


def test_rewinding_forwards_or_to_ticks_never_lived_is_refused(world, tmp_path):
    session, _ = lived(world, tmp_path / "s", 10)
    with pytest.raises(SessionError, match="ahead"):
        session.rewind(11)
    for tick in (-1, 11):
        with pytest.raises(SessionError, match="never lived"):
            session.seek(tick)
    with pytest.raises(SessionError, match="no branch 'other'"):
        session.seek(3, branch="other")
    session.close()


def test_a_session_goes_on_in_another_process_with_another_number_of_devices(world, truth, tmp_path, often):
    """Eight virtual devices in place of one, the world on one of them and then another, and back: the same bits."""
    session, _ = lived(world, tmp_path / "s", 70)
    session.close()
    child = (
        "import sys, jax, numpy as np\n"
        "jax.config.update('jax_num_cpu_devices', 8)\n"
        "from oyster_jax.testing import tiny_model, tiny_params\n"
        "from oyster_jax.worlds.world import World\n"
        "from oyster_jax.worlds.session import Session\n"
        "assert jax.device_count() == 8\n"
        "frames, actions = [], [int(action) for action in sys.argv[3].split(',')]\n"
        "for device, part in zip((jax.devices()[0], jax.devices()[5]), (actions[:25], actions[25:])):\n"
        "    with jax.default_device(device):\n"
        "        world = World(model=tiny_model(), params=tiny_params(), record={'name': 'tiny'})\n"
        "        with Session.open(sys.argv[1], world) as session:\n"
        "            frames += [session.frame, *map(session.step, part)]\n"
        "            assert session.state.latent.devices() == {device}, session.state.latent.devices()\n"
        "np.save(sys.argv[2], np.stack(frames))\n"
    )
    actions = ",".join(map(str, ACTIONS[70:]))
    subprocess.run([sys.executable, "-c", child, tmp_path / "s", tmp_path / "f.npy", actions], check=True)
    same(np.load(tmp_path / "f.npy"), truth[70:96] + truth[95:])
    assert jax.device_count() == 1
    with Session.open(tmp_path / "s", world) as back:
        same([back.frame, back.seek(95)], [truth[120], truth[95]])


def test_a_moved_session_goes_on(world, truth, tmp_path):
    session, _ = lived(world, tmp_path / "s", 30)
    session.close()
    shutil.copytree(tmp_path / "s", tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "s")
    with Session.open(tmp_path / "elsewhere", world) as session:
        same([session.step(action) for action in ACTIONS[30:40]], truth[31:41])


def test_a_session_goes_on_where_it_was_left(world, truth, tmp_path):
    session, _ = lived(world, tmp_path / "s", 30)
    other = session.branch(20)
    other.step("left")
    session.rewind(12)
    other.close()
    session.close()
    with Session.open(tmp_path / "s", world) as again:
        assert (again.branch_name, again.tick, again.ticks) == ("main", 12, 30)
        same([again.frame, again.step(ACTIONS[12])], truth[12:14])
        assert again.branch_name == "branch-2"
    with Session.open(tmp_path / "s", world, branch="main") as again:
        assert again.tick == 30


def test_branches_share_what_they_have_in_common(world, truth, tmp_path, often):
    session, _ = lived(world, tmp_path / "s", 100)
    session.flush()
    before = session.disk_bytes
    branches = [session.branch(tick) for tick in range(0, 100, 2)]
    assert session.disk_bytes < 1.2 * before
    for branch in branches[::10]:
        same([branch.step(ACTIONS[branch.tick])], [truth[branch.tick]])
    assert len(session.timeline().branches) == 51
    nested = branches[10].branch(5, name="deep")
    same([nested.frame], [truth[5]])
    assert {line.name: line.parent for line in session.timeline().branches}["deep"] == "main"
    for branch in [session, nested, *branches]:
        branch.close()
    with Session.open(tmp_path / "s", world, branch="branch-11") as again:
        assert again.tick == branches[10].tick
        same([again.frame], [truth[again.tick]])


def test_a_branch_of_a_branch_replays_through_all_of_its_past(world, tmp_path, often):
    session, _ = lived(world, tmp_path / "s", 50)
    session.rewind(30)
    session.run("left*20")
    session.rewind(40)
    frames = [session.step("jump") for _ in range(10)]
    parents = {line.name: (line.parent, line.at) for line in session.timeline().branches}
    assert parents == {"main": (None, 0), "branch-1": ("main", 30), "branch-2": ("branch-1", 40)}
    session.close()
    with Session.open(tmp_path / "s", world) as again:
        assert again.branch_name == "branch-2"
        same([again.seek(tick) for tick in range(41, 51)], frames)


def test_a_session_ends_at_its_duration_and_can_be_extended(world, truth, tmp_path):
    session = world.session(tmp_path / "s", max_duration=2.0, **ALONE)
    assert session.run(ACTIONS) == 30
    assert session.status.phase == Phase.ENDED
    assert session.remaining == 0
    with pytest.raises(SessionEndedError, match="extend it or rewind"):
        session.step("noop")
    same([session.rewind(10)], [truth[10]])
    assert session.status.phase == Phase.RUNNING
    session.seek(30)
    session.extend(1.0)
    same([session.step(ACTIONS[30])], [truth[31]])
    session.close()
    with Session.open(tmp_path / "s", world) as again:
        assert again.max_duration == 3.0


def test_a_paused_session_waits(world, tmp_path):
    session, _ = lived(world, tmp_path / "s", 5)
    session.pause()
    assert (session.status.phase, session.durable) == (Phase.PAUSED, 5)
    wall = session.wall_time
    with pytest.raises(SessionError, match="resume"):
        session.step("noop")
    assert session.wall_time == wall
    session.resume()
    session.step("noop")
    assert session.wall_time > wall
    session.close()
    with pytest.raises(SessionError, match="closed"):
        session.step("noop")
    session.close()


def test_labels_and_events_are_kept(world, tmp_path):
    session, _ = lived(world, tmp_path / "s", 20)
    session.label(12, "a long fall")
    with pytest.raises(SessionError, match="never lived"):
        session.label(21, "nowhere")
    session.close()
    with Session.open(tmp_path / "s", world) as again:
        [main] = again.timeline().branches
        assert [(label.tick, label.text) for label in main.labels] == [(12, "a long fall")]
        assert [event.kind for event in main.events] == ["label", "closed", "opened"]
        assert "tick 12: a long fall" in again.timeline().draw(("main", 20))


def test_a_session_begins_from_a_recorded_moment(world, truth, tmp_path):
    prompt = np.stack(truth[:6]), ACTIONS[:5]
    state = world.encode(prompt[0], ACTIONS[:5], 3)
    session = world.session(tmp_path / "s", prompt=prompt, **ALONE)
    frames = [session.frame, session.step("right")]
    state, expected = world.tick(state, "right")
    same(frames[1:], [expected])
    session.close()
    with Session.open(tmp_path / "s", world) as again:
        same([again.frame, again.seek(0)], frames[::-1])
        assert tree_digest(again.state) != tree_digest(state)


def test_a_world_that_ends_begins_anew(world, tmp_path):
    """The tiny world never predicts its end, so its state is told that it did."""
    session, _ = lived(world, tmp_path / "s", 3, respawn=True)
    assert session._moment is not None
    ended = dataclasses.replace(session._moment.state, status=jax.numpy.int32(Status.TERMINAL))
    session._moment = dataclasses.replace(session._moment, state=ended)
    assert "has ended" in session.status.sentence
    session.step("noop")
    assert int(session.state.step) == 0
    session.close()


def test_another_world_is_refused(world, tmp_path):
    session, _ = lived(world, tmp_path / "s", 3)
    session.close()
    other = dataclasses.replace(world, params=jax.tree.map(lambda leaf: leaf + 1, world.params))
    with pytest.raises(SessionError, match="weights"):
        Session.open(tmp_path / "s", other)
    # A world that was changed after it was loaded still carries the digest of its file.
    stored = dataclasses.replace(world, record=world.record | {"digest": world.digest})
    again = stored.session(tmp_path / "t")
    again.step("noop")
    again.close()
    with pytest.raises(SessionError, match="changed after they were loaded"):
        Session.open(tmp_path / "t", dataclasses.replace(stored, params=other.params))
    Session.open(tmp_path / "t", stored).close()
    with pytest.raises(SessionError, match="sampler"):
        Session.open(tmp_path / "s", world.with_sampler(steps=1))
    with Session.open(tmp_path / "s", world) as again:
        assert again.tick == 3


def test_an_unknown_schema_is_refused(world, tmp_path):
    from oyster_jax.session.document import read_document, write_document

    session, _ = lived(world, tmp_path / "s", 3)
    session.close()
    content = read_document(tmp_path / "s", "manifest").content
    write_document(tmp_path / "s", "manifest", content | {"schema": 99}, revision=9)
    with pytest.raises(SessionError, match="schema 99"):
        Session.open(tmp_path / "s", world)


def test_another_version_is_told(world, tmp_path, monkeypatch):
    from oyster_jax.worlds import identity

    session, _ = lived(world, tmp_path / "s", 3)
    session.close()
    monkeypatch.setattr(identity, "version", lambda package: f"{package}-9")
    with Session.open(tmp_path / "s", world) as again:
        assert any("jax-9" in problem for problem in again.problems)


def test_one_session_has_one_writer(world, tmp_path, monkeypatch):
    from oyster_jax.session import lock

    monkeypatch.setattr(lock, "LOCK_SECONDS", 0.1)
    session, _ = lived(world, tmp_path / "s", 3)
    with pytest.raises(SessionError, match="one writer"):
        Session.open(tmp_path / "s", world)
    session.close()
    Session.open(tmp_path / "s", world).close()


def test_a_session_wants_a_folder_of_its_own_and_a_plain_name(world, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SessionError, match="not empty"):
        world.session(tmp_path)
    with pytest.raises(SessionError, match="no session"):
        Session.open(tmp_path / "nowhere", world)
    for seconds in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(SessionError, match="positive"):
            world.session(tmp_path / "s", max_duration=seconds)
    session, _ = lived(world, tmp_path / "s", 3)
    for name in ("main", "../x", "a b", "a/b"):
        with pytest.raises(SessionError, match="branch"):
            session.branch(name=name)
    session.close()


def test_unknown_actions_are_refused_before_anything_is_lived(world, tmp_path):
    session, _ = lived(world, tmp_path / "s", 3)
    session.rewind(2)
    for action in (99, -1, "fly"):
        with pytest.raises(ValueError, match="action"):
            session.step(action)
    assert (session.tick, session.branch_name) == (2, "main")
    session.close()


def test_a_policy_sees_frames_and_a_script_begins_again(world, truth, tmp_path):
    seen = []
    session = world.session(tmp_path / "s", **ALONE)

    def policy(frame):
        seen.append(frame)
        return ACTIONS[len(seen) - 1]

    assert session.run(policy, 10) == 10
    same(seen, truth[:10])
    ticks = []
    assert session.run("left,right", 5, watch=lambda living: ticks.append(living.tick)) == 5
    assert ticks == [11, 12, 13, 14, 15]
    assert session._replayer.actions("main", 10, 15).tolist() == [1, 7, 1, 7, 1]
    with pytest.raises(ValueError, match="how many"):
        session.run(policy)
    session.close()


def test_snapshots_are_thinned_out_to_their_budget(world, truth, tmp_path, monkeypatch, often):
    monkeypatch.setattr(keeper, "SNAPSHOT_TICKS", 8)
    session = world.session(tmp_path / "s", snapshot_bytes=60_000, **ALONE)
    for action in ACTIONS:
        session.step(action)
        session.flush()
    ticks = session.timeline().branches[0].snapshots
    assert 2 <= len(ticks) < 12
    assert session.disk_bytes < 60_000 + 20_000
    for tick in (3, 50, 119):
        same([session.seek(tick)], [truth[tick]])
    session.close()


def test_closing_leaves_no_thread_and_no_process(world, tmp_path, often, alone):
    before = threading.active_count()
    session, _ = lived(world, tmp_path / "s", 60)
    session.flush()
    process = session._archive.snapshots._writer._desk._process
    assert process is not None
    session.close()
    assert process._child.poll() == 0
    assert threading.active_count() == before


def test_sessions_share_the_process_that_writes_and_the_last_one_ends_it(world, tmp_path, often, alone):
    one, _ = lived(world, tmp_path / "one", 30)
    other, _ = lived(world, tmp_path / "other", 30)
    one.flush()
    other.flush()
    desk = one._archive.snapshots._writer._desk
    process = desk._process
    assert process is not None
    assert other._archive.snapshots._writer._desk is desk
    assert process.age == 2
    one.close()
    one.close()
    assert process._child.poll() is None
    other.run(ACTIONS[30:50])
    other.close()
    assert process.age == 3
    assert process._child.poll() == 0


def test_the_process_that_writes_is_exchanged_before_it_grows(world, truth, tmp_path, often, monkeypatch, alone):
    monkeypatch.setattr(snapshot_writer, "LIFETIME", 2)
    session = world.session(tmp_path / "s", **ALONE)
    session.run(ACTIONS[:79])
    session.flush()
    writer = session._archive.snapshots._writer._desk
    first, successor = writer._process, writer._successor
    # It goes on with the one that it has until the other one has begun.
    assert first is not None
    assert successor is not None
    assert (first.age, successor.has_begun(60.0)) == (3, True)
    session.run(ACTIONS[79:119])
    session.flush()
    assert (writer._process, writer._successor, successor.age) == (successor, None, 2)
    assert first._child.poll() == 0
    assert session.timeline().branches[0].snapshots == (20, 40, 60, 80, 100)
    assert session.problems == ()
    session.close()


def test_the_manifest_says_what_opens_it(world, tmp_path):
    session, _ = lived(world, tmp_path / "s", 1)
    session.close()
    content = json.loads((tmp_path / "s" / "manifest.json").read_text())["content"]
    assert content["digest"] == world.digest
    assert content["seed"] == 3
    assert content["home"]["jax"] == jax.__version__
