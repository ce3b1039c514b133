"""What a moderator refuses, and that it says why."""

import json
import re

import pytest

from oyster_jax.worlds.moderator import LONGEST, Moderator, WordModerator


def unknown(text):
    words = dict.fromkeys(re.findall(r"[a-z']+", text.lower()))
    return tuple(word for word in words if word not in ("a", "lake", "cow", "grape"))


MODERATOR = WordModerator(unknown)


@pytest.mark.parametrize("text", ["a lake", "a lake, dusk!", "2 - a lake (north)", "a dragon by a lake", "a grape"])
def test_what_is_of_this_world_is_allowed(text):
    decision = MODERATOR.decide("prompt", text)
    assert decision.allowed
    assert not decision.reason
    assert decision.text == text


@pytest.mark.parametrize(
    ("text", "rule", "sentence"),
    [
        ("", "length", "The event is empty"),
        ("   ", "length", "The event is empty"),
        ("a lake " * 60, "length", f"has 420 characters; at most {LONGEST}"),
        ("a lake <script>", "characters", "holds the character '<'"),
        ("a lake\x00", "characters", "holds the character"),
        ("a naked cow", "blocked", "not accepted here"),
        ("a N4KED cow", "blocked", "not accepted here"),
        ("a naaaked cow", "blocked", "not accepted here"),
        ("terrorists by a lake", "blocked", "not accepted here"),
        ("dragon castle", "vocabulary", "no word that this world knows"),
    ],
)
def test_what_is_refused_and_why(text, rule, sentence):
    decision = MODERATOR.decide("event", text)
    assert not decision.allowed
    assert decision.rule == rule
    assert sentence in decision.reason
    assert json.loads(json.dumps(decision.to_json()))["rule"] == rule


def test_a_list_of_ones_own(tmp_path):
    path = tmp_path / "blocked.txt"
    path.write_text("# mine\ncow*\n")
    moderator = WordModerator(unknown, path)
    assert isinstance(moderator, Moderator)
    assert moderator.decide("prompt", "a cowboy").rule == "blocked"
    assert moderator.decide("prompt", "a naked lake").allowed
    path.write_text("")
    assert WordModerator(unknown, path).decide("prompt", "a cow").allowed
    with pytest.raises(OSError, match="missing"):
        WordModerator(unknown, tmp_path / "missing.txt")
