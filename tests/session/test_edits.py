"""What is done to a session beside acting: kept, rewound and lived again as actions are."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.core.state import Status
from oyster_jax.session.archive import Archive
from oyster_jax.session.document import read_document
from oyster_jax.session.errors import SessionError
from oyster_jax.session.export import Span, export
from oyster_jax.session.replayer import Replayer
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.session import Session
from tests.models.structured import SPEC
from tests.session.edited import ALONE, LIGHT, STONE, WOOD, differ, identity, lived, meadow, same, verified


@pytest.fixture(scope="module")
def world():
    return meadow()


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
            tmp_path / "s" / "branches" / name, "branch", identity=identity(tmp_path / "s", name)
        ).content
        assert set(content) == {"name", "parent", "at", "created"}
    assert "entities" not in read_document(tmp_path / "s", "manifest").content
