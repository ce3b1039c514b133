"""What captions say is so; what is kept for testing is never said in training."""

import random
import re

import numpy as np
import pytest

from oyster_jax.core.facts import holds
from oyster_jax.data.foreign import FOREIGN, UNUSED_FOREIGN, foreign_sentence, mistyped
from oyster_jax.data.grammar import Grammar
from oyster_jax.data.sources.craftax_events import EVENTS
from oyster_jax.data.sources.craftax_state import ENTITIES, QUANTITIES, TILES
from oyster_jax.data.sources.craftax_words import LEXICON
from tests.data.craftax_moments import SPEC, moments

PHRASES = {**LEXICON.phrases, **{f"event {name}": phrase for name, phrase in LEXICON.events.items()}}

#: Of what is said of ground: kinds, and how many there must be to be worth it.
ENOUGH = {"water": 3, "tree": 2, "stone": 4, "sand": 3, "path": 3}


def side(name, up, right):
    return {
        "left": right < 0 and abs(right) >= abs(up), "right": right > 0 and abs(right) >= abs(up),
        "above": up > 0 and abs(up) >= abs(right), "below": up < 0 and abs(up) >= abs(right),
        "here": True, "near": max(abs(up), abs(right)) <= 2 and (up, right) != (0, 0),
    }[name]  # fmt: skip


def is_so(name, seen, number):
    """Whether a fact is so, told by its name and the arrays alone; None where this test knows nothing of it."""
    has = dict(zip(QUANTITIES.names, seen.quantities[number].tolist(), strict=True))
    topic, _, last = name.rpartition("_")
    tiles = [
        (TILES.kinds[seen.tiles[number, row, column]], 3 - row, column - 4)
        for row in range(7) for column in range(9)
    ]  # fmt: skip
    table = seen.entities[number][seen.entity_mask[number]]
    alive = [(ENTITIES.types[int(one[0])], int(one[2] - table[0, 2]), int(one[1] - table[0, 1])) for one in table[1:]]
    alive = [one for one in alive if abs(one[1]) <= 3 and abs(one[2]) <= 4]
    if name in ("night", "twilight", "day"):
        low, high = {"night": (0, 0.3), "twilight": (0.3, 0.7), "day": (0.7, 1)}[name]
        return low - 0.01 <= has["daylight"] <= high + 0.01
    if name.startswith("has_"):
        return has[name.removeprefix("has_")] >= 1
    if name in ("hungry", "thirsty", "tired", "hurt"):
        return has[{"hungry": "food", "thirsty": "drink", "tired": "energy", "hurt": "health"}[name]] <= 3
    if topic in ("cow", "zombie", "skeleton"):
        if last == "none":
            return not any(kind == topic for kind, *_ in alive)
        if last.isdigit():
            return sum(kind == topic for kind, *_ in alive) == int(last)
        return any(kind == topic and side(last, up, right) for kind, up, right in alive)
    if topic in ENOUGH and last in ("left", "right", "above", "below", "here"):
        return sum(kind == topic and side(last, up, right) for kind, up, right in tiles) >= ENOUGH[topic]
    return None


def training_language(symbol, bindings):
    """A pattern of all that is said of a symbol in training."""
    symbol = bindings.get(symbol, symbol)
    wordings = []
    for wording in LEXICON.grammar.training[symbol]:
        parts = re.split(r"\{(\w+)\}", wording)
        wordings.append(
            "".join(
                training_language(part, bindings) if place % 2 else re.escape(part) for place, part in enumerate(parts)
            )
        )
    return f"(?:{'|'.join(wordings)})"


def test_captions_are_true_of_their_moment():
    seen = moments(60, seed=4)
    held = holds(SPEC, LEXICON.facts, seen)
    generator, checked = random.Random(0), set()
    for number in range(len(seen)):
        for unseen in (False, True):
            for chosen in LEXICON.choose(np.flatnonzero(held[number]), 8, generator, unseen=unseen):
                so = is_so(LEXICON.facts[chosen].name, seen, number)
                assert so in (True, None), (LEXICON.facts[chosen].name, number)
                checked |= {LEXICON.facts[chosen].name} if so else set()
    assert len(checked) > 50


def test_every_fact_and_event_can_be_said():
    assert set(LEXICON.phrases) == {fact.name for fact in LEXICON.facts}
    assert set(LEXICON.events) == set(EVENTS.names)
    generator = random.Random(0)
    for number in range(len(LEXICON.facts)):
        for held_out in (False, True):
            text = LEXICON.caption([number], generator, held_out=held_out)
            assert "{" not in text
            assert text.strip()
    for name in LEXICON.events:
        assert "{" not in LEXICON.event(name, generator)


def test_wordings_kept_for_testing_are_never_said_in_training():
    generator = random.Random(1)
    for name, phrase in PHRASES.items():
        training = re.compile(training_language(phrase.symbol, phrase.bindings))
        for _ in range(4):
            said = [
                LEXICON.grammar.say(phrase.symbol, generator, phrase.bindings, held_out=held) for held in (False, True)
            ]
            assert training.fullmatch(said[0]), (name, said[0])
            assert not training.fullmatch(said[1]), (name, said[1])


def test_combinations_kept_for_testing_are_never_said_in_training():
    everything, generator = np.arange(len(LEXICON.facts)), random.Random(2)
    for _ in range(100):
        assert not LEXICON.is_reserved(LEXICON.choose(everything, 8, generator))
        assert LEXICON.is_reserved(LEXICON.choose(everything, 4, generator, unseen=True))
    assert not LEXICON.choose(np.array([LEXICON.numbers["day"]]), 3, generator, unseen=True)
    share = LEXICON.reserved.mean()
    assert 0.05 < share < 0.2
    np.testing.assert_array_equal(LEXICON.reserved, LEXICON.reserved.T)


def test_the_same_seed_says_the_same():
    def say(seed):
        generator = random.Random(seed)
        chosen = LEXICON.choose(np.arange(len(LEXICON.facts)), 5, generator)
        text = LEXICON.caption(chosen, generator)
        return chosen, text, mistyped(text, generator, 0.5), foreign_sentence(generator)

    assert say(3) == say(3)
    assert say(3) != say(4)


def test_what_is_held_out_follows_from_the_seed_and_never_the_first():
    rules = {"a": tuple("abcdefghij"), "b": ("x", "y")}
    one, other = Grammar(rules, 0), Grammar(rules | {"c": tuple("klmno")}, 0)
    assert one.held_out["a"] == other.held_out["a"]
    assert len(one.held_out["a"]) == 2
    assert all("a" not in Grammar(rules, seed).held_out["a"] for seed in range(30))
    assert len({Grammar(rules, seed).held_out["a"] for seed in range(30)}) > 5
    assert not one.held_out["b"]
    with pytest.raises(ValueError, match="'a' has the same wording twice"):
        Grammar({"a": ("x", "x")})


def test_things_of_other_worlds_are_no_words_of_this_one():
    words = LEXICON.grammar.words()
    assert not words & set(FOREIGN)
    assert not words & set(UNUSED_FOREIGN)
    assert not set(FOREIGN) & set(UNUSED_FOREIGN)
