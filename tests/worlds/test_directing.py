"""What is said to a running world: names are taken as they are, sentences understood, the rest refused and told why."""

import dataclasses

import jax
import pytest

from oyster_jax.core.spec import EventSpec
from oyster_jax.worlds.directing import event_of, noted_event_of
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.world import World
from tests.models.test_events import NETWORK, PARAMS, PLAIN

WORLD = World(model=NETWORK, params=PARAMS, record={"name": "meadow"})


class Hearing:
    """Words that take every sentence with wet in it for rain."""

    events = ("rain", "snow")

    def unknown(self, sentence):
        return tuple(word for word in sentence.split() if word not in ("it", "gets", "wet", "dry"))

    def understand_event(self, sentence):
        if "wet" not in sentence:
            raise WorldError(f"'{sentence}' is no event that this world knows.")
        return "rain"


HEARING = dataclasses.replace(WORLD, words=Hearing())


@pytest.mark.parametrize("text", ["rain", "Rain", "snow"])
def test_names_are_events_with_and_without_words(text):
    assert event_of(WORLD, text) == event_of(HEARING, text) == text.lower()


def test_names_of_several_words_may_be_written_as_such():
    spec = dataclasses.replace(NETWORK.spec, events=EventSpec(names=("heavy_rain", "snow")))
    world = dataclasses.replace(WORLD, model=dataclasses.replace(NETWORK, spec=spec))
    assert event_of(world, "  heavy   RAIN") == "heavy_rain"


def test_sentences_are_understood_by_a_world_with_words():
    assert event_of(HEARING, "it gets wet") == "rain"
    with pytest.raises(WorldError, match="knows rain, snow"):
        event_of(WORLD, "it gets wet")


def test_a_moderator_decides_first():
    with pytest.raises(WorldError, match="no word that this world knows"):
        event_of(HEARING, "hailstorm")
    with pytest.raises(WorldError, match="characters; at most"):
        event_of(HEARING, "it gets wet " * 40)


def test_a_world_without_events_says_so():
    plain = World(model=PLAIN, params=PLAIN.init(jax.random.key(0)), record={"name": "meadow"})
    with pytest.raises(WorldError, match="knows no events"):
        event_of(plain, "rain")


def test_every_decision_is_noted():
    noted = []

    def note(kind, text):
        noted.append((kind, text))

    assert noted_event_of(HEARING, "rain", note) == "rain"
    assert noted_event_of(HEARING, "it gets wet", note) == "rain"
    with pytest.raises(WorldError):
        noted_event_of(HEARING, "it gets dry", note)
    assert noted[0] == ("directed", "it gets wet: rain")
    assert noted[1][0] == "refused"
    assert noted[1][1].startswith("it gets dry: ")
