"""Branches that leave before, after and between the edits of a tick."""

import json

import pytest

from oyster_jax.session import journal
from oyster_jax.session.archive import Archive
from oyster_jax.worlds.inside import beside
from oyster_jax.worlds.session import Session
from tests.session.edited import ALONE, LIGHT, STONE, WOOD, differ, lived, meadow, same, verified


@pytest.fixture(scope="module")
def world():
    return meadow()


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


def test_a_branch_is_not_on_the_disk_before_the_edits_that_it_comes_from(world, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "LOG_SECONDS", 60.0)
    with world.session(tmp_path / "s", **ALONE) as session:
        session.run("go*5")
        session.flush()
        session.edit(WOOD)
        assert Archive(tmp_path / "s", write=False).branches["main"].interventions == []
        session.branch().close()
        assert len(Archive(tmp_path / "s", write=False).branches["main"].interventions) == 1


@pytest.mark.parametrize("tick", [0, 5])
def test_what_was_done_at_a_tick_can_be_undone_there(world, tmp_path, tick):
    with world.session(tmp_path / "s", **ALONE) as session:
        session.run("go", tick)
        before = session.frame
        edited = session.edit(WOOD)
        same(session.rewind(tick), edited)
        same(session.rewind(tick, as_it_came=True), before)
        assert session.branch_name == "main"
        same(session.step("go"), world.render(world.step(_after(world, tick), "go")))
        assert session.branch_name == "branch-1"
        session.rewind(tick, as_it_came=True)
        again = session.edit(LIGHT)
    with Session.open(tmp_path / "s", world) as opened:
        same(opened.seek(tick, branch="main"), edited)
        same(opened.seek(tick, branch="branch-1"), before)
        same(opened.seek(tick, branch="branch-2"), again)
    assert all(one.exact for one in verified(world, tmp_path / "s"))


def _after(world, ticks):
    """The state of the same life without a session."""
    state = world.reset(3)
    for _ in range(ticks):
        state = world.step(state, "go")
    return state
