"""Stories in which something is made to happen: lived, killed, rewound, replayed and told, bit for bit the same."""

import itertools
import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from oyster_jax.session.archive import Archive
from oyster_jax.session.replayer import Replayer
from oyster_jax.session.verification import verify
from oyster_jax.worlds.director import direct, tell
from oyster_jax.worlds.episodes_page import write_episodes
from oyster_jax.worlds.errors import StoryError
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.story import parsed
from tests.worlds.test_directing import HEARING

WOOD = {"set": {"wood": 3}}
STORY = """
world = "meadow"
seed = 4
[[act]]
label = "clouds"
do = "go*4"
event = "it gets wet"
edit = { set = { wood = 3 } }
[[act]]
event = "snow"
when = { has = { wood = 0 } }
[[act]]
do = "noop*9"
when = { has = { wood = 5 }, below = { wood = 5 } }
[[act]]
do = "random"
ticks = 20
until = { tick = 9 }
[[act.branch]]
name = "dry"
[[act.branch.act]]
do = "noop*3"
[[act.branch]]
name = "wet"
[[act.branch.act]]
event = "rain"
[[act.branch.act]]
edit = { set = { light = 0.5 } }
do = "go*4"
"""


def told(path, story=STORY):
    with HEARING.session(path, seed=4, respawn=False) as session:
        direct(session, parsed(story))
    return lived(path)


def lived(path):
    """Of every branch: its actions, what was done to the world, and every frame when it is lived again."""
    replayer = Replayer(HEARING, Archive(path, write=False))
    return {
        name: (
            replayer.actions(name, 0, branch.end).tolist(),
            [(one.tick, one.kind, one.given) for one in replayer.interventions(name, 0, branch.end)],
            np.stack([moment.frame for moment in replayer.replay(name)]),
        )
        for name, branch in replayer.archive.branches.items()
    }


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name][:2] == other[name][:2]
        np.testing.assert_array_equal(one[name][2], other[name][2])


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    path = tmp_path_factory.mktemp("calm") / "s"
    return path, told(path)


def test_acts_make_things_happen_in_their_turn(calm):
    done = {name: each[1] for name, each in calm[1].items()}
    assert done["main"] == [(0, "edit", WOOD), (0, "event", "rain"), (4, "event", "snow")]
    assert done["dry"] == done["main"]
    assert done["wet"] == [*done["main"], (9, "event", "rain"), (9, "edit", {"set": {"light": 0.5}})]
    log = [(one.kind, one.text) for one in Archive(calm[0], write=False).branch("main").events]
    assert ("directed", "it gets wet: rain") in log
    assert ("label", "clouds") in log


def test_rewound_across_what_happened_and_verified_it_is_the_same_bit_for_bit(calm):
    path, found = calm
    with Session.open(path, HEARING, branch="wet") as session:
        for tick in (13, 9, 10, 4, 5, 0, 1, 12):
            np.testing.assert_array_equal(session.seek(tick), found["wet"][2][tick])
    replayer = Replayer(HEARING, Archive(path, write=False))
    assert all(verify(replayer, name).exact for name in found)


@pytest.mark.parametrize(
    "moment",
    [
        "direct(session, story, lambda *at: at == ('main', 3) and die())",
        "direct(session, story, lambda *at: at == ('wet', 11) and die())",
        # Between what is done and the tick with which it happens.
        "Session.event = dying(Session.event, 1); direct(session, story)",
        "Session.event = dying(Session.event, 3); direct(session, story)",
        "Session.edit = dying(Session.edit, 2); direct(session, story)",
    ],
)
def test_killed_at_any_moment_it_goes_on_to_the_same_end(calm, moment, tmp_path):
    code = f"""
import os, signal, sys
from oyster_jax.worlds.director import direct
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.story import parsed
from tests.worlds.test_directing import HEARING
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def dying(verb, times):
    left = [times]
    def does(session, given):
        verb(session, given)
        left[0] -= 1
        if not left[0]:
            session.flush()
            die()
    return does
story = parsed({STORY!r})
with HEARING.session(sys.argv[1], seed=4, respawn=False) as session:
    {moment}
"""
    killed = tmp_path / "s"
    done = subprocess.run([sys.executable, "-c", code, str(killed)], check=False)
    assert done.returncode == -signal.SIGKILL
    with Session.open(killed, HEARING, branch="main") as session:
        assert direct(session, parsed(STORY)) == ("dry", "wet")
    assert_same(lived(killed), calm[1])


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('event = "it gets wet"', 'event = "snow"', "has the event 'snow', but 'rain' was done"),
        ("wood = 3 }", "wood = 4 }", "has the edit .*, but '.*' was done"),
        ('event = "it gets wet"', "", "does 'go', but 'rain' was done"),
        ('[[act]]\nevent = "snow"', '[[act]]\nedit = { set = {} }\n[[act]]\nevent = "snow"', "edit .* 'snow' was done"),
        ("go*4", "go*3", "has the event 'snow', but 'go' was lived"),
    ],
)
def test_another_story_does_not_go_on_in_a_life(calm, old, new, sentence):
    with Session.open(calm[0], HEARING, branch="main") as session, pytest.raises(StoryError, match=sentence):
        direct(session, parsed(STORY.replace(old, new, 1)))


def test_what_cannot_be_edited_when_its_turn_comes_ends_the_story_in_a_sentence(tmp_path):
    wolf = '{ type = "wolf", x = 1, y = 0 }'
    story = STORY.replace("{ set = { light = 0.5 } }", f"{{ remove = [{wolf}, {wolf}] }}")
    with pytest.raises(StoryError, match="At tick 9 of 'wet': There is no wolf at x 1, y 0"):
        told(tmp_path / "s", story)


def test_episodes_show_what_happened(calm, tmp_path):
    replayer = Replayer(HEARING, Archive(calm[0], write=False))
    page = write_episodes(replayer, HEARING.spec, ("dry", "wet"), tmp_path).read_text()
    for line in ("0.0 s (tick 0): event: rain", "0.4 s (tick 4): event: snow", "0.9 s (tick 9): event: rain"):
        assert f"<li>{line}</li>" in page
    for name, count in (("1-dry", 3), ("2-wet", 5)):
        lines = [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
        assert len([line for line in lines if line.get("kind") in ("edit", "event")]) == count
        assert {line["branch"] for line in lines} == {"main", name[2:]}


def test_a_story_goes_on_from_where_a_session_is_and_may_be_stopped_and_told_again(tmp_path):
    with HEARING.session(tmp_path / "s", seed=4, respawn=False) as session:
        session.run("go*6")
        session.rewind(2)
        beats = list(itertools.islice(tell(session, parsed(STORY)), 4))
        assert [(beat.turn, beat.ticked, beat.branch, beat.tick) for beat in beats] == [
            # What is done to the past is done on a branch of its own.
            (0, False, "branch-1", 2), (0, True, "branch-1", 3), (0, True, "branch-1", 4), (0, True, "branch-1", 5),
        ]  # fmt: skip
        session.seek(6, branch="main")
        beats = list(tell(session, parsed(STORY)))
        assert [beat.branch for beat in beats if beat.tick == 13] == ["dry", "wet"]
        session.seek(6, branch="main")
        assert list(tell(session, parsed(STORY)))[-1].branch == "wet-2"
        names = {line.name: (line.parent, line.at) for line in session.timeline().branches}
    assert names == {
        "main": (None, 0), "branch-1": ("main", 2), "dry": ("main", 10), "wet": ("main", 10), "branch-2": ("main", 6),
        "dry-2": ("branch-2", 10), "wet-2": ("branch-2", 10),
    }  # fmt: skip
