"""Captions: facts of moments and events in sentences, by a grammar of paraphrases.

Some wordings are kept for testing (see `Grammar`), and so are some combinations: of any two topics, one pair in
`PAIRS` is never said together in training.
"""

import dataclasses
import functools
import random
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from oyster_jax.core.facts import SIDES, Fact
from oyster_jax.data.grammar import Grammar

#: One pair of facts in so many is held out.
PAIRS = 8

#: How often phrases about one thing are joined, where they can be.
_MERGED = 0.6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phrase:
    """How a fact or an event is said.

    Attributes:
      symbol: of the grammar.
      bindings: what the slots of its wordings stand for.
    """

    symbol: str
    bindings: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lexicon:
    """What can be said of a world, and how.

    The rules have the symbols `opening`, `joint` and `closing`. Phrases of the symbol `placed` (with `thing` and
    `place`) are joined by `placed_twice`, and to one of `counted` by `counted_placed`; all four sides are `around`.

    Attributes:
      facts: of moments.
      phrases: how each is said, by its name.
      events: likewise, what may happen to a running world.
      rules: of the grammar.
      seed: of what is kept for testing.
    """

    facts: tuple[Fact, ...]
    phrases: Mapping[str, Phrase]
    events: Mapping[str, Phrase]
    rules: Mapping[str, tuple[str, ...]]
    seed: int = 0

    @functools.cached_property
    def grammar(self) -> Grammar:
        """The grammar of the rules."""
        return Grammar(self.rules, self.seed)

    @functools.cached_property
    def numbers(self) -> dict[str, int]:
        """The place of each fact in `facts`, by its name."""
        return {fact.name: number for number, fact in enumerate(self.facts)}

    @functools.cached_property
    def reserved(self) -> np.ndarray:
        """Which pairs of facts are kept for testing, bool `[facts, facts]`, symmetric; never two of one topic."""
        count = len(self.facts)
        found = np.zeros((count, count), bool)
        for one, first in enumerate(self.facts):
            for other, second in enumerate(self.facts[:one]):
                if first.topic != second.topic:
                    names = " ".join(sorted((first.name, second.name)))
                    found[one, other] = zlib.crc32(f"{self.seed} {names}".encode()) % PAIRS == 0
        return found | found.T

    def is_reserved(self, facts: Sequence[int]) -> bool:
        """Whether facts, by their numbers, contain a pair that is kept for testing."""
        chosen = np.asarray(facts, int)
        return bool(self.reserved[np.ix_(chosen, chosen)].any())

    def choose(self, held: np.ndarray, count: int, generator: random.Random, *, unseen: bool = False) -> list[int]:
        """Draws facts to say of those that are so.

        Args:
          held: numbers of the facts that are so.
          count: how many at most.
          generator: draws.
          unseen: choose a pair that is kept for testing first; otherwise none is ever in it.

        Returns:
          Numbers of facts; none where `unseen` is asked for and none of its pairs is so.
        """
        # A topic first: of water more can be said than of the time of day, but it is not asked for more often.
        topics: dict[str, list[int]] = {}
        for number in held.tolist():
            topics.setdefault(self.facts[number].topic, []).append(number)
        chosen: list[int] = []
        if unseen:
            pairs = np.argwhere(np.triu(self.reserved[np.ix_(held, held)]))
            if not len(pairs):
                return []
            chosen = held[pairs[generator.randrange(len(pairs))]].tolist()
        names = list(topics)
        for _ in range(4 * count):
            if len(chosen) >= count or not names:
                break
            number = generator.choice(topics[generator.choice(names)])
            if number not in chosen and (unseen or not self.reserved[number, chosen].any()):
                chosen.append(number)
        return chosen

    def caption(self, facts: Sequence[int], generator: random.Random, *, held_out: bool = False) -> str:
        """Returns facts, by their numbers, in one text.

        Args:
          facts: at least one.
          generator: chooses order and wordings.
          held_out: say every part with a wording that is kept for testing, where it has one.
        """
        phrases = self._merged([self.phrases[self.facts[number].name] for number in facts], generator)
        say = functools.partial(self.grammar.say, generator=generator, held_out=held_out)
        parts = [say(phrase.symbol, bindings=phrase.bindings) for phrase in phrases]
        text = parts[0]
        if generator.random() < 0.4:
            text = f"{say('opening')} {text}"
        for part in parts[1:]:
            text += self.grammar.say("joint", generator) + part
        return _spelt(text + self.grammar.say("closing", generator), generator)

    def event(self, name: str, generator: random.Random, *, held_out: bool = False) -> str:
        """Returns an event in a sentence.

        Raises:
          KeyError: there is no such event.
        """
        phrase = self.events[name]
        text = self.grammar.say(phrase.symbol, generator, phrase.bindings, held_out=held_out)
        return _spelt(text + self.grammar.say("closing", generator), generator)

    def _merged(self, phrases: list[Phrase], generator: random.Random) -> list[Phrase]:
        """Returns phrases in some order, of which some that are about one thing are joined."""
        left = list(phrases)
        generator.shuffle(left)
        merged: list[Phrase] = []
        while left:
            phrase = left.pop(0)
            if phrase.symbol in ("placed", "counted") and generator.random() < _MERGED:
                phrase, left = _joined(phrase, left)
            merged.append(phrase)
        return merged

    def to_json(self) -> dict[str, Any]:
        """Returns what a world must know of the lexicon: facts, names of events, words; JSON-ready."""
        return {
            "facts": [dataclasses.asdict(fact) for fact in self.facts],
            "events": list(self.events),
            "words": sorted(self.grammar.words()),
        }


def _joined(phrase: Phrase, others: list[Phrase]) -> tuple[Phrase, list[Phrase]]:
    """Returns a phrase with what else is said of its thing, and the others."""
    if phrase.symbol == "counted":
        kind = phrase.bindings["kind"].partition("_")[2]
        alike = [one for one in others if one.bindings.get("thing") == f"some_{kind}" and _sided(one)]
        if not alike:
            return phrase, others
        place = {"place": alike[0].bindings["place"]}
        return Phrase(symbol="counted_placed", bindings={**phrase.bindings, **place}), _but(others, alike[:1])
    alike = [one for one in others if one.bindings.get("thing") == phrase.bindings["thing"] and _sided(one)]
    if not alike or not _sided(phrase):
        return phrase, others
    if len(alike) == len(SIDES) - 1:
        return dataclasses.replace(phrase, bindings={**phrase.bindings, "place": "around"}), _but(others, alike)
    twice = {**phrase.bindings, "other_place": alike[0].bindings["place"]}
    return Phrase(symbol="placed_twice", bindings=twice), _but(others, alike[:1])


def _sided(phrase: Phrase) -> bool:
    return phrase.symbol == "placed" and phrase.bindings["place"] in SIDES


def _but(phrases: list[Phrase], gone: list[Phrase]) -> list[Phrase]:
    return [phrase for phrase in phrases if not any(phrase is one for one in gone)]


def _spelt(text: str, generator: random.Random) -> str:
    """Returns a text as people type it: mostly with a capital letter at its beginning, or with none at all."""
    return text[:1].upper() + text[1:] if generator.random() < 0.5 else text.lower()
