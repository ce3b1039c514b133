"""What is done over the socket beside acting: shown, kept, told in the timeline, refused in a sentence."""

import dataclasses
import io

import jax
import numpy as np
import pytest
from PIL import Image

from oyster_jax.client import ClientError
from oyster_jax.core.spec import EventSpec
from oyster_jax.serve.limits import Limits
from oyster_jax.serve.protocol import Flag
from oyster_jax.serve.stage import Stage
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.world import World
from tests.models.structured import network, shaken
from tests.serve.serving import LIMITS, serving, until

STONE = {"tiles": [{"x": x, "y": 1, "kind": kind} for x, kind in ((-2, "stone"), (-1, "nothing"), (0, "stone"))]}
LIGHT = {"set": {"light": 0.125}}


@pytest.fixture(scope="module")
def world():
    plain = network()
    model = dataclasses.replace(
        plain,
        spec=dataclasses.replace(plain.spec, name="weather", events=EventSpec(names=("rain", "snow"))),
        dynamics=dataclasses.replace(plain.dynamics, events=2),
    )
    params = shaken(model.init(jax.random.key(0)))
    bias = params["dynamics"]["readouts"]["summary"]["bias"]
    params["dynamics"]["readouts"]["summary"]["bias"] = bias.at[1].set(-100.0)
    return World(model=model, params=params, record={"name": "weather"})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("player")


@pytest.fixture(scope="module")
def served(world, data):
    with serving(Stage(world=world), data, limits=dataclasses.replace(LIMITS, interventions=5)) as found:
        yield found


@pytest.fixture
def session(served):
    return served.client.create("weather", seed=3)["id"]


def exact(client, session, branch, tick):
    return np.asarray(Image.open(io.BytesIO(client.frame(session, branch, tick))))


def test_an_edit_is_shown_kept_and_told(served, data, world, session):
    client = served.client
    with client.play(session) as stream:
        until(stream, lambda header: header.tick >= 3)
        tick = stream.request("pause")["tick"]
        before = exact(client, session, "main", tick)
        status = stream.request("edit", document=STONE)
        assert (status["phase"], status["tick"]) == ("paused", tick)
        shown = until(stream, lambda header: Flag.JUMPED in header.flags)
        assert shown.header.tick == tick
        after = exact(client, session, "main", tick)
        assert np.any(after != before)
        stream.request("step")
        stream.request("seek", tick=tick)
        np.testing.assert_array_equal(exact(client, session, "main", tick), after)
        # The branch has gone on from here, so what is done now is done on another.
        assert stream.request("edit", document=LIGHT)["branch"] == "branch-1"
        lines = {line["name"]: line["done"] for line in stream.request("timeline")}
        assert [(one["tick"], one["kind"]) for one in lines["main"] + lines["branch-1"]] == [(tick, "edit")] * 2
        assert lines["branch-1"][0]["text"] == '{"set": {"light": 0.125}}'
    served.client.delete(session)


def test_an_event_happens_while_it_runs_and_the_session_is_lived_again(served, data, world, session):
    client = served.client
    assert client.worlds()[0]["events"] == ["rain", "snow"]
    with client.play(session) as stream:
        until(stream, lambda header: header.tick >= 3)
        assert stream.request("event", name="snow")["phase"] == "running"
        [done] = stream.request("timeline")[0]["done"]
        assert (done["kind"], done["text"]) == ("event", "snow")
        until(stream, lambda header: header.tick > done["tick"] + 2)
        stream.request("pause")
        later = exact(client, session, "main", done["tick"] + 1)
        aside = world.reset(3)
        for _ in range(done["tick"]):
            aside = world.step(aside, "noop")
        np.testing.assert_array_equal(later, world.render(world.step(world.event(aside, "snow"), "noop")))
        assert np.any(later != world.render(world.step(aside, "noop")))


def test_what_cannot_be_done_is_refused_in_a_sentence_and_changes_nothing(served, session):
    with served.client.play(session) as stream:
        stream.request("pause")
        for method, params, sentence in (
            ("edit", {"document": {"set": {"wood": 6}}}, "wood lies between 0 and 5, but was 6"),
            ("edit", {"document": {}}, "An edit is an object with any of"),
            ("edit", {"document": [1]}, "The params of 'edit' are wrong"),
            ("edit", {}, "The params of 'edit' are wrong"),
            ("event", {"name": "hail"}, "no event 'hail' in this world; it knows rain, snow"),
            ("event", {"name": 3}, "The params of 'event' are wrong"),
        ):
            with pytest.raises(ClientError, match=sentence):
                stream.request(method, **params)
        assert stream.request("timeline")[0]["done"] == []
        for _ in range(5):
            stream.request("event", name="rain")
        with pytest.raises(ClientError, match="at most 5 of these"):
            stream.request("event", name="rain")
        with served.client.play(session, "spectator") as spectator, pytest.raises(ClientError, match="Who watches"):
            spectator.request("event", name="rain")


def test_a_session_begins_from_a_description(served, world):
    described = {"tiles": "stone", "entities": [{"type": "cow", "x": 1, "y": 0, "health": 4}]}
    session = served.client.create("weather", seed=3, entities=described)
    assert session["start"] == "a description"
    begun = world.render(world.encode(entities=described, seed=3))
    np.testing.assert_array_equal(exact(served.client, session["id"], "main", 0), begun)
    with pytest.raises(ClientError, match="no tile 'lava'"):
        served.client.create("weather", entities={"tiles": "lava"})
    with pytest.raises(ClientError, match="begins from one of"):
        served.client.create("weather", entities=described, prompt="here")


def test_what_was_done_is_there_after_the_server_has_ended(world, tmp_path):
    with serving(Stage(world=world), tmp_path, limits=Limits()) as served:
        identity = served.client.create("weather", seed=3)["id"]
        with served.client.play(identity) as stream:
            tick = stream.request("pause")["tick"]
            stream.request("edit", document=STONE)
            after = exact(served.client, identity, "main", tick)
    (folder,) = tmp_path.rglob(f"{identity}/manifest.json")
    with Session.open(folder.parent, world) as session:
        np.testing.assert_array_equal(session.seek(tick), after)
        assert [one.given for one in session.timeline().branches[0].interventions] == [STONE]
