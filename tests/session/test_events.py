"""What is made to happen in a session: kept, rewound, branched and lived again as edits are."""

import dataclasses

import pytest

from oyster_jax.core.spec import EventSpec
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.session import Session
from tests.models.structured import network
from tests.session.edited import ALONE, WOOD, differ, living, meadow, same, verified


@pytest.fixture(scope="module")
def world():
    plain = network()
    dynamics = dataclasses.replace(plain.dynamics, events=2)
    spec = dataclasses.replace(plain.spec, events=EventSpec(names=("rain", "snow")))
    return living(dataclasses.replace(plain, spec=spec, dynamics=dynamics), "weather")


def test_events_are_kept_as_edits_are(world, tmp_path, often):
    with world.session(tmp_path / "s", **ALONE) as session:
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
    found = verified(world, tmp_path / "s")
    assert {one.branch: (one.exact, one.done) for one in found} == {
        "main": (True, 1), "branch-1": (True, 1), "branch-2": (True, 3),
    }  # fmt: skip
    with Session.open(tmp_path / "s", world) as again:
        assert "tick 4: event snow" in again.timeline().draw()
        same(again.seek(4, branch="branch-1"), told)
        state = world.reset(3)
        for _ in range(4):
            state = world.step(state, "go")
        same(again.seek(4, branch="branch-2"), world.render(world.edit(state, WOOD)))


def test_a_world_without_events_says_so(tmp_path):
    session = meadow().session(tmp_path / "s", **ALONE)
    with pytest.raises(WorldError, match="Nothing can be made to happen in the world 'meadow'"):
        session.event("rain")
    session.close()
