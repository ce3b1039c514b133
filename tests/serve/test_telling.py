"""A story told at a server: seen act by act, held by a pause, ended by going elsewhere, refused with its reason."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from oyster_jax.client import ClientError
from oyster_jax.serve.stage import Stage
from oyster_jax.session.archive import Archive
from oyster_jax.session.replayer import Replayer
from oyster_jax.session.verification import verify
from tests.serve.serving import serving, until
from tests.serve.test_interventions import world  # noqa: F401  # The fixture.

STORY = """
world = "weather"
[[act]]
label = "clouds"
event = "rain"
do = "go*3"
[[act]]
when = { reward = 1e9 }
do = "noop*5"
[[act.branch]]
name = "dry"
[[act.branch.act]]
do = "noop*4"
[[act.branch]]
name = "wet"
[[act.branch.act]]
event = "snow"
edit = { set = { light = 0.125 } }
do = "go*5"
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("player")


@pytest.fixture(scope="module")
def served(world, data):  # noqa: F811
    with serving(Stage(world=world), data) as found:
        yield found


@pytest.fixture
def session(served):
    return served.client.create("weather", seed=3)["id"]


def told(stream, phase, seconds=60.0):
    """Asks on until a story is so; returns what was last told of it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = [event for event in stream.events if event.get("event") == "story"]
        if found and found[-1]["phase"] == phase:
            return found[-1]
        stream.request("timeline")
        time.sleep(0.02)
    raise AssertionError(f"no story was {phase}")


def lines(stream):
    return {line["name"]: (line["parent"], line["at"], line["end"]) for line in stream.request("timeline")}


def test_a_story_is_told_from_where_the_session_is_and_is_lived_again(served, data, session, world):  # noqa: F811
    with served.client.play(session) as stream:
        until(stream, lambda header: header.tick >= 2)
        begun = stream.request("pause")["tick"]
        assert stream.request("story", text=STORY)["phase"] == "running"
        end = told(stream, "told")
        assert end["sentence"] == "The story is at its end."
        assert [(act["branch"], act["label"], act["does"]) for act in end["acts"]] == [
            ("main", "clouds", "rain, go*3"), ("main", "", "noop*5"), ("dry", "", "noop*4"),
            ("wet", "", "an edit, snow, go*5"),
        ]  # fmt: skip
        assert end["told"] == [0, 2, 3]
        status = stream.request("pause")
        fork = begun + 3
        assert (status["phase"], status["branch"], status["tick"]) == ("paused", "wet", fork + 5)
        assert lines(stream) == {
            "main": (None, 0, fork), "dry": ("main", fork, fork + 4), "wet": ("main", fork, fork + 5),
        }  # fmt: skip
        shown = np.asarray(Image.open(io.BytesIO(served.client.frame(session, "wet", fork + 5))))
        # It is the player's again, and may be told once more.
        stream.request("story", text=STORY)
        assert told(stream, "telling")["told"] == [0]
        told(stream, "told")
        assert "wet-2" in lines(stream)
    (folder,) = data.rglob(f"{session}/manifest.json")
    replayer = Replayer(world, Archive(folder.parent, write=False))
    np.testing.assert_array_equal(replayer.came("wet", fork + 5).frame, shown)
    assert verify(replayer, "wet").exact


def test_a_pause_holds_it_and_going_elsewhere_ends_it(served, session):
    long = STORY.replace("go*3", "go*600")
    with served.client.play(session) as stream:
        stream.request("story", text=long)
        until(stream, lambda header: header.tick >= 3)
        stream.hold("go")
        tick = stream.request("pause")["tick"]
        assert stream.request("pause")["tick"] == tick
        # What is done beside it happens as ever.
        stream.request("event", name="snow")
        stream.request("resume")
        until(stream, lambda header: header.tick >= tick + 3)
        assert told(stream, "telling")["told"] == [0]
        assert stream.request("seek", tick=1)["tick"] == 1
        assert told(stream, "stopped")["told"] == [0]
        stream.request("resume")
        until(stream, lambda header: header.tick >= 3 and header.branch > 0)
        stream.request("story", text=long)
        stream.request("story", text=None)
        until(stream, lambda header: header.tick >= 10)
    # Nobody plays: it waits, and so does its story, until somebody comes back.
    with served.client.play(session) as stream:
        stream.request("story", text=long)
    with served.client.play(session) as stream:
        told(stream, "telling")
        stream.request("story", text=None)
        told(stream, "stopped")
    served.client.delete(session)


def test_a_told_story_cuts(served, session):
    with served.client.play(session) as stream:
        stream.request("story", text='world = "weather"\n[[act]]\ncut = { seed = 5 }\ndo = "go*2"\n')
        assert told(stream, "told")["acts"][0]["does"] == "a cut to a dream, go*2"
        (line,) = stream.request("timeline")
        assert [(one["kind"], one["text"]) for one in line["done"]] == [("cut", "a dream of seed 5")]


def test_what_cannot_be_told_is_refused_with_its_reason(served, session):
    with served.client.play(session) as stream:
        for text, sentence in (
            ("world", "no TOML"),
            (STORY.replace("weather", "coinrun"), "of the world 'coinrun', but this is 'weather'"),
            (STORY.replace('"rain"', '"hail"'), "Act 1 of the story, on 'main': There is no event 'hail'"),
            (STORY.replace('event = "rain"', 'cut = { entities = "/etc/passwd" }'), "names no files, as '/etc/passwd'"),
            ("x" * 12_001, "The params of 'story' are wrong"),
        ):
            with pytest.raises(ClientError, match=sentence):
                stream.request("story", text=text)
        failing = STORY.replace("{ set = { light = 0.125 } }", '{ remove = [{ type = "wolf", x = 0, y = 0 }] }')
        with pytest.raises(ClientError, match="Act 4 of the story, on 'wet'"):
            stream.request("story", text=failing)
        wolf = '{ type = "wolf", x = 1, y = 0 }'
        stream.request("story", text=STORY.replace("{ set = { light = 0.125 } }", f"{{ remove = [{wolf}, {wolf}] }}"))
        end = told(stream, "failed")
        assert "of 'wet': There is no wolf at x 1, y 0" in end["sentence"]
        # Where it was seen last.
        assert stream.request("pause")["branch"] == "dry"
        with served.client.play(session, "spectator") as spectator, pytest.raises(ClientError, match="Who watches"):
            spectator.request("story", text=STORY)
