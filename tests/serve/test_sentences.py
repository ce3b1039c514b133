"""Sessions that begin from a sentence at a server: drawn, shown, listed; refused with the moderator's reason."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from oyster_jax.client import ClientError
from oyster_jax.serve.stage import Stage
from oyster_jax.worlds.storage import read_world
from tests.serve.meadow import store_meadow
from tests.serve.serving import serving


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return read_world(store_meadow(tmp_path_factory.mktemp("meadow")))


@pytest.fixture(scope="module")
def served(world, tmp_path_factory):
    with serving(Stage(world=world), tmp_path_factory.mktemp("player")) as found:
        yield found


def test_a_session_begins_from_a_sentence(served, world):
    session = served.client.create("meadow", seed=3, sentence="a cow and a dragon")
    assert session["start"] == "a cow and a dragon"
    assert session["remarks"] == [
        "Not understood: 'dragon'; this world has nothing of the kind, or knows no such word."
    ]
    shown = np.asarray(Image.open(io.BytesIO(served.client.frame(session["id"], "main", 0))))
    document = world.imagine("a cow and a dragon", 3).document
    np.testing.assert_array_equal(shown, world.render(world.encode(entities=document, seed=3)))
    assert served.client.session(session["id"])["remarks"] == session["remarks"]


def test_examples_are_understood(served, world):
    (card,) = served.client.worlds()
    assert 2 <= len(set(card["examples"])) == len(card["examples"])
    for example in card["examples"]:
        made = served.client.create("meadow", seed=3, sentence=example)
        assert made["remarks"] == list(world.imagine(example, 3).remarks)


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        ({"sentence": "xyzzy"}, "no word that this world knows"),
        ({"sentence": "a naked cow"}, "holds a word that is not accepted"),
        ({"sentence": ""}, "sentence"),
        ({"sentence": "a cow " * 60}, "sentence"),
        ({"sentence": "a cow", "entities": {"tiles": "grass"}}, "one of a recorded moment, an upload, a sentence"),
    ],
)
def test_what_is_refused_is_told_with_its_reason_and_leaves_no_session(served, start, sentence):
    before = len(served.client.sessions())
    with pytest.raises(ClientError, match=sentence):
        served.client.create("meadow", **start)
    assert len(served.client.sessions()) == before
    assert len(list(served.services.lobby.folder.iterdir())) == before


def test_what_is_refused_before_there_is_a_session_is_in_the_log_of_the_server(served, caplog):
    with pytest.raises(ClientError, match=r"'a naked cow' is refused \(blocked\)"):
        served.client.create("meadow", sentence="a naked cow")
    with pytest.raises(ClientError, match="no picture"):
        served.client.upload("meadow", b"none", "image/png")
    told = [record.getMessage().partition(" was refused: ") for record in caplog.records if "refused" in record.msg]
    assert [what for what, _, _ in told] == ["A beginning", "A picture"]
    sentence, picture = (json.loads(line) for *_, line in told)
    assert (sentence["text"], sentence["rule"], sentence["allowed"]) == ("a naked cow", "blocked", False)
    assert "not accepted here" in sentence["reason"]
    assert sentence["owner"] == picture["owner"]
    assert (picture["bytes"], picture["world"]) == (4, "meadow")
