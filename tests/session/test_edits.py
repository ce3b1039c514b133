"""What is done to a session beside acting: kept, rewound, branched and lived again as actions are."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.core.spec import EventSpec
from oyster_jax.core.state import Status
from oyster_jax.session.archive import Archive
from oyster_jax.session.document import read_document, write_document
from oyster_jax.session.errors import SessionError
from oyster_jax.session.export import Span, export
from oyster_jax.session.log import NAMES, read_log
from oyster_jax.session.replayer import Replayer
from oyster_jax.session.salvage import salvage
from oyster_jax.session.verification import verify
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.inside import beside
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.world import World
from tests.models.structured import SPEC, network, shaken

#: Edits that are possible whatever the state tells, each unlike the others.
STONE = {"tiles": [{"x": -2, "y": 1, "kind": "stone"}, {"x": 1, "y": 0, "kind": "nothing"}]}
WOOD, LIGHT = {"set": {"wood": 5, "health": 2}}, {"set": {"light": 0.125}}
ALONE = {"seed": 3, "respawn": False}


@pytest.fixture(scope="module")
def world():
    model = network()
    return World(model=model, params=shaken(model.init(jax.random.key(0))), record={"name": "meadow"})


@pytest.fixture(scope="module")
def eventful():
    plain = network()
    model = dataclasses.replace(
        plain,
        spec=dataclasses.replace(plain.spec, events=EventSpec(names=("rain", "snow"))),
        dynamics=dataclasses.replace(plain.dynamics, events=2),
    )
    return World(model=model, params=shaken(model.init(jax.random.key(0))), record={"name": "weather"})


def same(one, other):
    np.testing.assert_array_equal(one, other)


def differ(one, other):
    assert np.any(one != other)


def lived(world, path, **options):
    """A session of 30 ticks with edits at ticks 0, 5 (two) and 12, and the frames that each tick last showed."""
    session = world.session(path, **ALONE | options)
    frames = [session.edit(STONE)]
    for tick in range(1, 31):
        frames.append(session.step("go" if tick % 3 else "noop"))
        for document in {5: [WOOD, LIGHT], 12: [STONE]}.get(tick, []):
            frames[-1] = session.edit(document)
    return session, frames


def verified(world, path):
    replayer = Replayer(world, Archive(path, write=False))
    return [verify(replayer, name) for name in replayer.archive.branches]


def test_a_life_with_edits_is_lived_again_bit_for_bit(world, tmp_path, often):
    session, frames = lived(world, tmp_path / "s")
    session.close()
    with Session.open(tmp_path / "s", world) as again:
        for tick in (30, 12, 13, 4, 5, 6, 0, 1, 20, 29):
            same(again.seek(tick), frames[tick])
        assert again.problems == ()
    found = verified(world, tmp_path / "s")
    assert [(one.exact, one.ticks, one.done, one.alike) for one in found] == [(True, 30, 4, 4)]
    assert "4 of 4 interventions look as they did" in found[0].sentence
    replayer = Replayer(world, Archive(tmp_path / "s", write=False))
    same(np.stack([moment.frame for moment in replayer.replay("main")]), np.stack(frames))


def test_an_edit_is_that_of_the_world_and_the_future_follows_from_it(world, tmp_path):
    state = world.step(world.reset(3), "go")
    with world.session(tmp_path / "s", **ALONE) as session:
        unedited = session.step("go")
        assert session.edit(WOOD).shape == (8, 8, 3)
        same(session.frame, world.render(world.edit(state, WOOD)))
        same(session.step("go"), world.render(world.step(world.edit(state, WOOD), "go")))
        same(session.state.latent, world.step(world.edit(state, WOOD), "go").latent)
        differ(session.rewind(1), unedited)


def test_a_rewind_before_an_edit_goes_on_without_it_and_the_edit_stays(world, tmp_path):
    plain = world.session(tmp_path / "plain", **ALONE)
    plain.run("go*8")
    session = world.session(tmp_path / "s", **ALONE)
    session.run("go*5")
    edited = session.edit(WOOD)
    session.run("go*3")
    session.rewind(4)
    same(session.step("go"), plain.seek(5))
    assert session.branch_name == "branch-1"
    session.run("go*3")
    same(session.frame, plain.seek(8))
    same(session.seek(5, branch="main"), edited)
    plain.close()
    session.close()
    assert all(one.exact for one in verified(world, tmp_path / "s"))


def test_after_a_rewind_an_edit_begins_a_branch_of_its_own(world, tmp_path):
    session, frames = lived(world, tmp_path / "s")
    session.rewind(5)
    edited = session.edit(STONE)
    assert (session.branch_name, session.tick, session.ticks) == ("branch-1", 5, 5)
    after = session.step("go")
    session.rewind(5)
    same(session.frame, edited)
    nested = session.edit(WOOD)
    assert session.branch_name == "branch-2"
    document = json.loads((tmp_path / "s" / "branches" / "branch-2" / "branch.json").read_text())["content"]
    # Of `main` three were done until then: the ones at ticks 0 and 5; of `branch-1` one.
    assert (document["parent"], document["at"], document["after"]) == ("branch-1", 5, 1)
    session.close()
    with Session.open(tmp_path / "s", world) as again:
        same(again.frame, nested)
        same(again.seek(5, branch="branch-1"), edited)
        same(again.seek(6, branch="branch-1"), after)
        same(again.seek(5, branch="main"), frames[5])
    # What a branch took over at the tick at which it left is done again with it.
    assert [(one.exact, one.done) for one in verified(world, tmp_path / "s")] == [(True, 3), (True, 4), (True, 4)]


def test_who_left_before_an_edit_does_not_see_it(world, tmp_path):
    session = world.session(tmp_path / "s", **ALONE)
    before = session.run("go*4") and session.frame
    early = session.branch()
    edited = session.edit(WOOD)
    late = session.branch()
    far = late.branch(at=2)
    same(early.frame, before)
    same(late.frame, edited)
    differ(early.step("go"), late.step("go"))
    lines = {line.name: line for line in session.timeline().branches}
    assert [lines[name].parent for name in ("branch-1", "branch-2", "branch-3")] == ["main"] * 3
    for one in (session, early, late, far):
        one.close()
    with Session.open(tmp_path / "s", world) as again:
        same(again.seek(4, branch="branch-1"), before)
        same(again.seek(4, branch="branch-2"), edited)
    assert all(one.exact for one in verified(world, tmp_path / "s"))


def test_two_at_the_end_of_one_branch_do_not_mix_their_edits(world, tmp_path):
    session = world.session(tmp_path / "s", **ALONE)
    session.run("go*4")
    other = beside(session, "main")
    before = other.frame
    edited = session.edit(WOOD)
    same(other.frame, before)
    ahead = other.step("go")
    assert (session.branch_name, other.branch_name) == ("main", "branch-1")
    same(session.frame, edited)
    differ(session.step("go"), ahead)
    other.close()
    session.close()
    assert all(one.exact for one in verified(world, tmp_path / "s"))


def test_no_snapshot_holds_what_was_edited(world, tmp_path, often):
    session = world.session(tmp_path / "s", **ALONE)
    session.run("go*20")
    session.flush()
    edited = session.edit(LIGHT)
    session.step("go")
    session.rewind(20)
    session.edit(WOOD)
    session.pause()
    session.close()
    replayer = Replayer(world, Archive(tmp_path / "s", write=False))
    assert 20 in replayer.archive.snapshots.ticks("main")
    kept = replayer.snapshot("main", 20)
    assert kept is not None
    differ(kept.frame, edited)
    same(replayer.at("main", 20).frame, edited)
    assert all(one.exact for one in verified(world, tmp_path / "s"))


def test_a_paused_session_can_be_edited_and_a_closed_one_cannot(world, tmp_path):
    session = world.session(tmp_path / "s", **ALONE)
    session.step("go")
    session.pause()
    edited = session.edit(WOOD)
    session.resume()
    session.step("go")
    same(session.rewind(1), edited)
    session.close()
    with pytest.raises(SessionError, match="closed"):
        session.edit(WOOD)


def test_what_cannot_be_done_leaves_everything_as_it_was(world, tmp_path):
    session, frames = lived(world, tmp_path / "s")
    session.rewind(7)
    with pytest.raises(WorldError, match="wood lies between 0 and 5, but was 6"):
        session.edit({"set": {"wood": 6}})
    with pytest.raises(SessionError, match="JSON's types"):
        session.edit({"set": {"wood": object()}})
    with pytest.raises(SessionError, match="JSON's types"):
        session.edit({"set": {"wood": float("inf")}})
    tiles = [{"x": 1, "y": 1, "kind": "stone"}] * 2000
    with pytest.raises(SessionError, match="takes 70,011 bytes, but there are 64,511 for it; do it in several"):
        session.edit({"tiles": tiles})
    assert (session.tick, session.branch_name, len(session.timeline().branches)) == (7, "main", 1)
    same(session.frame, frames[7])
    session.edit({"tiles": tiles[:1700]})
    session.close()
    assert all(one.exact for one in verified(world, tmp_path / "s"))


def test_an_edit_that_would_be_lost_with_the_next_dream_is_refused(world, tmp_path):
    with world.session(tmp_path / "s", seed=3) as session:
        now = session._now
        session._moment = type(now)(tick=0, state=now.state.replace(status=jnp.int32(Status.TERMINAL)), frame=now.frame)
        with pytest.raises(SessionError, match="the next tick begins another; live that one first"):
            session.edit(WOOD)


def test_events_are_kept_as_edits_are(eventful, tmp_path, often):
    with eventful.session(tmp_path / "s", **ALONE) as session:
        session.run("go*3")
        before = session.frame
        same(session.event("rain"), before)
        told = session.step("go")
        session.run("go*20")
        session.rewind(3)
        same(session.frame, before)
        same(session.step("go"), told)
        session.rewind(2)
        session.step("go")
        untold = session.step("go")
        differ(untold, told)
        session.event("rain")
        session.edit(WOOD)
        session.event("snow")
        session.step("go")
        with pytest.raises(ValueError, match="no event 'hail' in this world; it knows rain, snow"):
            session.event("hail")
    found = verified(eventful, tmp_path / "s")
    assert {one.branch: (one.exact, one.done) for one in found} == {
        "main": (True, 1), "branch-1": (True, 1), "branch-2": (True, 3),
    }  # fmt: skip
    with Session.open(tmp_path / "s", eventful) as again:
        assert "tick 4: event snow" in again.timeline().draw()
        same(again.seek(4, branch="branch-1"), told)
        same(again.seek(4, branch="branch-2"), world_after(eventful, ["go"] * 4, WOOD))


def world_after(world, actions, document):
    """The frame of an edit after actions in a life with seed 3."""
    state = world.reset(3)
    for action in actions:
        state = world.step(state, action)
    return world.render(world.edit(state, document))


def test_a_world_without_events_says_so(world, tmp_path):
    session = world.session(tmp_path / "s", **ALONE)
    with pytest.raises(WorldError, match="Nothing can be made to happen in the world 'meadow'"):
        session.event("rain")
    session.close()


def test_edits_stand_in_the_timeline_and_in_what_is_exported(world, tmp_path):
    session, frames = lived(world, tmp_path / "s")
    session.label(5, "lighter")
    drawn = session.timeline().draw()
    assert f"tick 5: edit {json.dumps(WOOD)}\n    tick 5: edit {json.dumps(LIGHT)}\n    tick 5: lighter" in drawn
    session.close()
    replayer = Replayer(world, Archive(tmp_path / "s", write=False))
    span = Span(branch="main", start=2, stop=9)
    for ending in ("npz", "jsonl"):
        export(replayer, span, tmp_path / f"s.{ending}", actions=SPEC.action, rate=10.0)
    with np.load(tmp_path / "s.npz") as clip:
        same(clip["frames"], np.stack(frames[2:10]))
        about = json.loads(str(clip["about"]))
    assert about["interventions"] == [
        {"tick": 0, "edit": STONE}, {"tick": 5, "edit": WOOD}, {"tick": 5, "edit": LIGHT},
    ]  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [line["given"] for line in lines if line.get("kind") == "edit"] == [STONE, WOOD, LIGHT, STONE]


def test_a_session_begins_from_what_is_described(world, tmp_path):
    meadow = {"tiles": "grass", "entities": [{"type": "wolf", "x": 1, "y": -1, "health": 9}]}
    with world.session(tmp_path / "s", entities=meadow, **ALONE) as session:
        same(session.frame, world.render(world.encode(entities=meadow, seed=3)))
        later = session.step("go")
    with Session.open(tmp_path / "s", world) as again:
        same(again.frame, later)
        again.rewind(0)
        same(again.step("go"), later)
    with pytest.raises(WorldError, match="not from both"):
        world.session(tmp_path / "t", entities=meadow, prompt=(later[None], []))
    with pytest.raises(WorldError, match="no tile 'lava'"):
        world.session(tmp_path / "t", entities={"tiles": "lava"})


def test_a_session_without_edits_is_written_as_before_there_were_any(world, tmp_path):
    with world.session(tmp_path / "s", **ALONE) as session:
        session.run("go*3")
        session.rewind(2)
        session.step("noop")
    for name in ("main", "branch-1"):
        content = read_document(
            tmp_path / "s" / "branches" / name, "branch", identity=_identity(tmp_path, name)
        ).content
        assert set(content) == {"name", "parent", "at", "created"}
    assert "entities" not in read_document(tmp_path / "s", "manifest").content


def _identity(tmp_path, name):
    return f"{read_document(tmp_path / 's', 'manifest').content['id']}/{name}"


CHILD = """
import sys, jax
from oyster_jax.worlds.world import World
from tests.models.structured import network, shaken
model = network()
world = World(model=model, params=shaken(model.init(jax.random.key(0))), record={"name": "meadow"})
session = world.session(sys.argv[1], seed=3, respawn=False)
session.run("go*5")
session.edit({"set": {"wood": 5, "health": 2}})
if sys.argv[2] == "before":
    session.flush()
print(session.tick, flush=True)
session.run("go*100000")
"""


@pytest.mark.parametrize("when", ["before", "amid"])
def test_a_kill_after_an_edit_takes_nothing_that_was_on_the_disk(world, tmp_path, when):
    """Once it is on the disk at its tick, before the next one is; and somewhere in the life after it."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, tmp_path / "s", when], stdout=subprocess.PIPE, cwd=os.getcwd()
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"5\n"
    if when == "amid":
        while Archive(tmp_path / "s", write=False).branches["main"].end < 8:
            pass
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    found = Archive(tmp_path / "s", write=False).branches["main"]
    assert [(one.tick, one.given) for one in found.interventions] == [(5, WOOD)]
    state = world.reset(3)
    for _ in range(5):
        state = world.step(state, "go")
    edited = world.edit(state, WOOD)
    with Session.open(tmp_path / "s", world) as again:
        same(again.seek(5), world.render(edited))
        same(again.step("go"), world.render(world.step(edited, "go")))
    assert all(one.exact for one in verified(world, tmp_path / "s"))


def test_an_edit_that_a_crash_tore_never_was(world, tmp_path):
    with world.session(tmp_path / "s", **ALONE) as session:
        session.run("go*5")
        before = session.frame
        session.flush()
        folder = tmp_path / "s" / "branches" / "main"
        size = (folder / NAMES[0]).stat().st_size
        session.edit(WOOD)
        session.flush()
        data = (folder / NAMES[0]).read_bytes()
    for path in (tmp_path / "s").glob("ends*"):
        path.unlink()
    for name in NAMES:
        (folder / name).write_bytes(data[: size + 20])
    with Session.open(tmp_path / "s", world) as again:
        assert again.tick == 5
        same(again.frame, before)


def test_a_branch_whose_edit_is_lost_is_noticed_and_salvage_says_so(world, tmp_path):
    session = world.session(tmp_path / "s", **ALONE)
    session.run("go*5")
    session.edit(WOOD)
    session.branch(name="after").close()
    session.close()
    path = tmp_path / "s" / "branches" / "after"
    found = read_document(path, "branch", identity=_identity(tmp_path, "after"))
    write_document(
        path, "branch", found.content | {"after": 2}, found.revision + 1, identity=_identity(tmp_path, "after")
    )
    with pytest.raises(SessionError, match="'after' leaves 'main' at tick 5, which is not there"):
        Session.open(tmp_path / "s", world)
    salvaged = salvage(tmp_path / "s", tmp_path / "t")
    assert salvaged.ends == {"main": 5}
    assert "'after' is lost" in salvaged.lost[0]
    with Session.open(tmp_path / "t", world) as again:
        assert len(again.timeline().branches[0].interventions) == 1


def test_a_branch_is_not_on_the_disk_before_the_edits_that_it_comes_from(world, tmp_path, monkeypatch):
    from oyster_jax.session import journal

    monkeypatch.setattr(journal, "LOG_SECONDS", 60.0)
    with world.session(tmp_path / "s", **ALONE) as session:
        session.run("go*5")
        session.flush()
        session.edit(WOOD)
        assert Archive(tmp_path / "s", write=False).branches["main"].interventions == []
        session.branch().close()
        assert len(Archive(tmp_path / "s", write=False).branches["main"].interventions) == 1


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ({"kind": "prayer"}, "an intervention is of the unknown kind 'prayer'"),
        ({"tick": 3}, "an intervention at tick 3 follows tick 5"),
        ({"extra": 1}, "unexpected keyword"),
    ],
)
def test_an_entry_that_is_none_is_told(world, tmp_path, payload, sentence):
    from oyster_jax.session.log import Entry, Log

    with world.session(tmp_path / "s", **ALONE) as session:
        session.run("go*5")
        session.edit(WOOD)
    folder = tmp_path / "s" / "branches" / "main"
    log = read_log(folder, _identity(tmp_path, "main"))
    own = next(entry for entry in log.entries if entry.kind == 3)
    wrong = Entry(kind=3, payload=json.dumps(json.loads(own.payload) | payload).encode())
    Log(folder, _identity(tmp_path, "main")).append([wrong])
    with pytest.raises(SessionError, match=f"not one that this Oyster writes .*{sentence}"):
        Session.open(tmp_path / "s", world)
