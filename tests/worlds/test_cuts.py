"""Cuts: a session goes on from another beginning; rewound, killed and lived again, it does so bit for bit."""

import dataclasses
import signal
import subprocess
import sys

import numpy as np
import pytest

from oyster_jax.session.archive import Archive
from oyster_jax.session.errors import SessionError
from oyster_jax.session.prompt import cut_names
from oyster_jax.session.replayer import Replayer
from oyster_jax.session.salvage import salvage
from oyster_jax.session.verification import verify
from oyster_jax.worlds.director import direct
from oyster_jax.worlds.episodes_page import write_episodes
from oyster_jax.worlds.errors import StoryError
from oyster_jax.worlds.moderator import RefusedError
from oyster_jax.worlds.moments import RecordedMoment, write_moments
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.story import parsed
from tests.worlds.test_directing import HEARING, WORLD, Hearing

DESCRIBED = {"tiles": "stone", "entities": [{"type": "cow", "x": 1, "y": 0, "health": 3}], "quantities": {"wood": 2}}


@dataclasses.dataclass
class Drawn:
    """A scene that was drawn."""

    document: dict
    remarks: tuple[str, ...] = ()


class Drawing(Hearing):
    """Words that draw a place of every sentence with dry in it, another for each seed."""

    def draw(self, sentence, seed=0):
        assert "dry" in sentence
        return Drawn(DESCRIBED | {"quantities": {"wood": seed % 6}})


DRAWING = dataclasses.replace(HEARING, words=Drawing())
FRAMES = np.random.default_rng(0).integers(256, size=(3, *WORLD.spec.frame.shape), dtype=np.uint8)
PICTURE, MOMENT = (FRAMES[:1], ()), (FRAMES, ("go", "noop"))
ALONE = {"seed": 4, "respawn": False}
WAYS = [{"prompt": "it gets dry"}, {"prompt": PICTURE}, {"prompt": MOMENT}, {"entities": DESCRIBED}, {}]


def frames_of(session, script):
    return [session.frame, *(session.step(action) for action in script)]


def exact(path, world=DRAWING):
    replayer = Replayer(world, Archive(path, write=False))
    return all(verify(replayer, name).exact for name in replayer.archive.branches)


@pytest.mark.parametrize("way", WAYS, ids=["sentence", "picture", "moment", "described", "dream"])
def test_after_a_cut_the_world_goes_on_as_if_it_had_begun_there(way, tmp_path):
    script = ("go", "noop", "go")
    with DRAWING.session(tmp_path / "begun", **ALONE | {"seed": 9}, **way) as begun:
        expected = frames_of(begun, script)
    with DRAWING.session(tmp_path / "s", **ALONE) as session:
        session.run("go*5")
        session.event("rain")
        before = session.frame
        assert np.any(session.cut(**way, seed=9) != before)
        np.testing.assert_array_equal(frames_of(session, script), expected)
        assert session.tick == 8
        np.testing.assert_array_equal(session.seek(5), expected[0])
        np.testing.assert_array_equal(session.seek(5, as_it_came=True), before)
        # Whoever goes on without the cut does so on a branch of its own.
        session.step("go")
        assert session.branch_name == "branch-1"
    assert exact(tmp_path / "s")


def test_a_life_with_cuts_is_rewound_opened_and_verified_bit_for_bit(tmp_path):
    with DRAWING.session(tmp_path / "s", **ALONE) as session:
        frames = [session.frame]
        for tick in range(1, 21):
            frames.append(session.step("go" if tick % 3 else "noop"))
            if tick in (6, 12):
                session.cut("it gets dry" if tick == 6 else PICTURE)
                frames[-1] = session.edit({"set": {"wood": 5}})
        for tick in (20, 6, 12, 5, 7, 13, 0, 11):
            np.testing.assert_array_equal(session.seek(tick), frames[tick])
        session.seek(12)
        session.cut(seed=3)
        assert session.branch_name == "branch-1"
        other = session.step("go")
    with Session.open(tmp_path / "s", DRAWING, branch="main") as session:
        np.testing.assert_array_equal(session.frame, frames[20])
        np.testing.assert_array_equal(session.seek(13, branch="branch-1"), other)
        drawn = session.timeline().draw()
        for line in ("tick 6: cut it gets dry", "tick 12: cut a picture", "tick 12: cut a dream of seed 3"):
            assert line in drawn
    # A replay needs no words.
    assert exact(tmp_path / "s", WORLD)


def test_what_a_moderator_refuses_changes_nothing_and_is_in_the_log(tmp_path):
    with DRAWING.session(tmp_path / "s", **ALONE) as session:
        session.step("go")
        before = session.frame
        with pytest.raises(
            RefusedError, match=r"'hail' is refused \(vocabulary\): The prompt holds no word"
        ) as refused:
            session.cut("hail")
        assert refused.value.decision.text == "hail"
        np.testing.assert_array_equal(session.frame, before)
        np.testing.assert_array_equal(session.seek(1), before)
    main = Archive(tmp_path / "s", write=False).branch("main")
    assert not main.interventions
    assert [event.text.partition(":")[0] for event in main.events if event.kind == "refused"] == ["hail"]


def test_what_is_refused_before_there_is_a_session_is_named(tmp_path):
    with pytest.raises(RefusedError, match=r"'hail' is refused \(vocabulary\): The prompt holds no word") as refused:
        DRAWING.session(tmp_path / "s", prompt="hail")
    assert refused.value.decision.to_json() | {"reason": ""} == {
        "kind": "prompt", "text": "hail", "allowed": False, "rule": "vocabulary", "reason": "",
    }  # fmt: skip
    assert not (tmp_path / "s").exists()


def test_a_cut_leads_out_of_a_world_that_has_ended(tmp_path):
    params = {**WORLD.params, "dynamics": {**WORLD.params["dynamics"]}}
    readouts = params["dynamics"]["readouts"]
    summary = {**readouts["summary"], "bias": readouts["summary"]["bias"].at[1].set(100.0)}
    params["dynamics"]["readouts"] = {**readouts, "summary": summary}
    world = dataclasses.replace(WORLD, params=params)
    with world.session(tmp_path / "s", seed=4) as session:
        session.step("go")
        with pytest.raises(SessionError, match="has ended here"):
            session.edit({"set": {"wood": 5}})
        session.cut(entities=DESCRIBED)
        after = session.step("go")
        expected = np.asarray(world.tick(world.encode(entities=DESCRIBED, seed=4), "go")[1])
        np.testing.assert_array_equal(after, expected)
        np.testing.assert_array_equal(session.seek(2), expected)


def test_pictures_are_kept_twice_mended_and_salvaged(tmp_path):
    path = tmp_path / "s"
    with DRAWING.session(path, **ALONE, snapshot_bytes=0) as session:
        session.step("go")
        session.cut(PICTURE)
        cut = session.step("go")
    (done,) = Archive(path, write=False).branch("main").interventions
    first, second = (path / name for name in cut_names(done.given["prompt"]))
    whole = first.read_bytes()
    first.write_bytes(whole[:-9])
    with Session.open(path, DRAWING) as session:
        assert f"{first} was missing or damaged" in session.problems[0]
        np.testing.assert_array_equal(session.frame, cut)
    assert first.read_bytes() == second.read_bytes() == whole
    salvage(path, tmp_path / "salvaged")
    assert exact(tmp_path / "salvaged")
    for file in (first, second):
        file.unlink()
    with Session.open(path, DRAWING) as session:
        assert f"{first} and {second} are missing or damaged" in session.problems[0]
        with pytest.raises(SessionError, match="is what was written"):
            session.seek(2)
        session.seek(0)


STORY = """
world = "meadow"
seed = 4
[[act]]
do = "go*3"
[[act]]
label = "elsewhere"
cut = { prompt = "it gets dry" }
event = "rain"
do = "go*3"
[[act.branch]]
name = "back"
[[act.branch.act]]
cut = { begin = "1-there", seed = 8 }
do = "noop*3"
[[act.branch]]
name = "dreamt"
[[act.branch.act]]
cut = {}
[[act.branch.act]]
do = "go*2"
"""


@pytest.fixture
def placed(tmp_path):
    """The world in a folder, with a recorded moment."""
    moment = RecordedMoment(title="There", frames=FRAMES, actions=np.array([1, 0], np.int32))
    write_moments(tmp_path / "world", {"there": moment})
    return dataclasses.replace(DRAWING, folder=tmp_path / "world")


def lived(path):
    """Of every branch: its actions, what was done to the world, and every frame when it is lived again."""
    replayer = Replayer(WORLD, Archive(path, write=False))
    return {
        name: (
            replayer.actions(name, 0, branch.end).tolist(),
            [(one.tick, one.kind, one.given) for one in replayer.interventions(name, 0, branch.end)],
            np.stack([moment.frame for moment in replayer.replay(name)]).tobytes(),
        )
        for name, branch in replayer.archive.branches.items()
    }


def test_a_story_cuts_is_killed_and_goes_on_to_the_same_end(placed, tmp_path):
    with placed.session(tmp_path / "calm", **ALONE) as session:
        assert direct(session, parsed(STORY)) == ("back", "dreamt")
    code = f"""
import dataclasses, os, signal, sys
from pathlib import Path
from oyster_jax.worlds.director import direct
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.story import parsed
from tests.worlds.test_cuts import ALONE, DRAWING
cut, left = Session.cut, [2]
def dying(session, *given, **options):
    cut(session, *given, **options)
    left[0] -= 1
    if not left[0]:
        session.flush()
        os.kill(os.getpid(), signal.SIGKILL)
Session.cut = dying
with dataclasses.replace(DRAWING, folder=Path(sys.argv[2])).session(sys.argv[1], **ALONE) as session:
    direct(session, parsed({STORY!r}))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "killed"), str(tmp_path / "world")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with Session.open(tmp_path / "killed", placed, branch="main") as session:
        assert direct(session, parsed(STORY)) == ("back", "dreamt")
    calm = lived(tmp_path / "calm")
    assert lived(tmp_path / "killed") == calm
    assert [(tick, kind) for tick, kind, _ in calm["back"][1]] == [(3, "cut"), (3, "event"), (6, "cut")]
    assert exact(tmp_path / "killed")

    for old, new, sentence in (
        ("gets dry", "is dry", "has the cut 'it is dry', but 'it gets dry' was done"),
        ("seed = 8", "seed = 9", "has the cut 'a recorded moment', but 'a recorded moment' was done"),
        ("cut = {}", 'event = "snow"', "has the event 'snow', but 'a dream of seed 4' was done"),
        ('go*3"\n[[act]]', 'go*2"\n[[act]]', "has the cut 'it gets dry', but 'go' was lived"),
    ):
        told = parsed(STORY.replace(old, new, 1))
        with (
            Session.open(tmp_path / "calm", placed, branch="main") as session,
            pytest.raises(StoryError, match=sentence),
        ):
            direct(session, told)

    replayer = Replayer(placed, Archive(tmp_path / "calm", write=False))
    page = write_episodes(replayer, placed.spec, ("back", "dreamt"), tmp_path / "out").read_text()
    for line in (
        "0.3 s (tick 3): cut: it gets dry",
        "0.6 s (tick 6): cut: a recorded moment",
        "cut: a dream of seed 4",
    ):
        assert line in page


def test_what_a_story_cannot_cut_to_is_told_before_anything_is_lived(placed, tmp_path):
    with placed.session(tmp_path / "s", **ALONE) as session:
        for old, new, sentence in (
            ("1-there", "2-nowhere", "Act 3 .*meadow comes with no moment '2-nowhere'; it has 1-there"),
            ("it gets dry", "hail", "Act 2 .*'hail' is refused"),
        ):
            with pytest.raises(StoryError, match=sentence):
                direct(session, parsed(STORY.replace(old, new)))
        assert session.ticks == 0
    events = Archive(tmp_path / "s", write=False).branch("main").events
    assert [event.text.partition(":")[0] for event in events if event.kind == "refused"] == ["hail"]
