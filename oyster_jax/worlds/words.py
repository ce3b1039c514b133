"""The words of a world: what a sentence says of a place, a scene that is so, and which event a sentence asks for."""

import dataclasses
import functools
import random
import re
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from oyster_jax.core.facts import Fact, Moments, holds
from oyster_jax.data.scenes import Scenes
from oyster_jax.models import scene, text
from oyster_jax.models.scene import SceneConfig
from oyster_jax.models.text import TextConfig
from oyster_jax.typing import Array, Params, PRNGKey
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.structure import documented

#: Probability from which on something counts as said.
SURE = 0.5

#: Scenes that are drawn of a sentence; the one that keeps most of what it says is taken.
CANDIDATES = 8

#: Sentences that are given as examples.
EXAMPLES = 4

#: Sentences that are read in one call.
_TOGETHER = 64

#: How a scene is drawn, see `models.scene.draw`.
STEPS, GUIDANCE = 16, 2.0

#: Words that say nothing of a place, but that nobody need be told of.
_COMMON = """
a an the this that it its is are was be been am i you he she we they me my your our of to in on at by for from with
and or but so then as if also too very really quite rather not only just some any all both please let make show
give want like would could can will shall see world place scene game player picture image big small large little
tiny where there here which who what when while into onto over under has have had do does up down out
"""
_PLAIN = frozenset(_COMMON.split())

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Understanding:
    """What a sentence says.

    Attributes:
      text: the sentence.
      facts: that it says.
      unknown: words in it that the world does not know.
    """

    text: str
    facts: tuple[Fact, ...]
    unknown: tuple[str, ...]

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on what was not understood."""
        if not self.unknown:
            return ()
        said = ", ".join(f"'{word}'" for word in self.unknown)
        return (f"Not understood: {said}; this world has nothing of the kind, or knows no such word.",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """A place drawn from a sentence.

    Attributes:
      understood: what the sentence says.
      moments: the one moment that was drawn.
      missing: what it says but is not so there.
      document: the moment by names, as `World.encode(entities=…)` takes it.
    """

    understood: Understanding
    moments: Moments
    missing: tuple[Fact, ...]
    document: dict[str, Any]

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on what was not understood, and on what could not be had."""
        if not self.missing:
            return self.understood.remarks
        said = ", ".join(fact.says for fact in self.missing)
        return (*self.understood.remarks, f"Not everything could be had at once; missing: {said}.")


class Words:
    """Understands sentences and draws scenes; everything follows from the sentence and a seed.

    Args:
      scenes: what the tokens of scenes mean.
      facts: that can be said.
      events: names of what can be made to happen.
      vocabulary: words that were learned.
      text_config: sizes of the text encoder, whose labels are the facts, then the events.
      text_params: its parameters.
      scene_config: sizes of the scene model.
      scene_params: its parameters.
    """

    def __init__(
        self,
        *,
        scenes: Scenes,
        facts: Sequence[Fact],
        events: Sequence[str],
        vocabulary: Sequence[str],
        text_config: TextConfig,
        text_params: Params,
        scene_config: SceneConfig,
        scene_params: Params,
    ) -> None:
        self.scenes, self.facts, self.events = scenes, tuple(facts), tuple(events)
        self.vocabulary = frozenset(vocabulary)
        self.text_config, self.text_params = text_config, text_params
        self.scene_config, self.scene_params = scene_config, scene_params

    @functools.cached_property
    def examples(self) -> tuple[str, ...]:
        """Some sentences, for whoever wonders what can be said: of ground, who is there and how things stand."""
        generator, parts = random.Random(0), ("tiles", "entities", "quantities")
        said = [[fact.says for fact in self.facts if fact.part == part and fact.most != 0] for part in parts]
        drawn = (", ".join(generator.choice(of) for of in said if of) for _ in range(4 * EXAMPLES))
        return tuple(dict.fromkeys(drawn))[:EXAMPLES]

    def understand(self, sentence: str) -> Understanding:
        """Returns what a sentence says of a place, surest first.

        Raises:
          WorldError: it says nothing that this world knows.
        """
        said = self.probabilities([sentence])[0, : len(self.facts)]
        order = np.argsort(-said, kind="stable")
        facts = tuple(self.facts[number] for number in order.tolist() if said[number] > SURE)
        if not facts:
            raise WorldError(
                f"'{sentence}' says nothing that this world knows; say which of {', '.join(self._ground)} there are, "
                "and where, as in 'a lake to the north, two cows, dusk'."
            )
        return Understanding(text=sentence, facts=facts[: self.scene_config.said], unknown=self.unknown(sentence))

    def understand_event(self, sentence: str) -> str:
        """Returns the name of the event that a sentence asks for; names themselves are understood too.

        Raises:
          WorldError: it asks for none that this world knows; the sentence names those.
        """
        if (name := "_".join(sentence.lower().split())) in self.events:
            return name
        asked = self.probabilities([sentence])[0, len(self.facts) :]
        if not len(asked) or asked.max() <= SURE:
            raise WorldError(
                f"'{sentence}' is no event that this world knows; it knows {', '.join(self.events) or 'none'}."
            )
        return self.events[int(asked.argmax())]

    def draw(self, sentence: str, seed: int = 0) -> Scene:
        """Returns a place of which a sentence is true, as far as it can be had.

        Raises:
          WorldError: the sentence says nothing that this world knows.
        """
        understood = self.understand(sentence)
        moment, kept = self.best([[self.facts.index(fact) for fact in understood.facts]], seed)
        missing = tuple(fact for fact, so in zip(understood.facts, kept[0], strict=False) if not so)
        return Scene(
            understood=understood, moments=moment, missing=missing, document=documented(self.scenes.spec, moment)
        )

    def best(self, said: Sequence[Sequence[int]], seed: int = 0) -> tuple[Moments, list[np.ndarray]]:
        """Draws `CANDIDATES` scenes for each list of facts, and takes the one in which most of them are so.

        Args:
          said: numbers of facts.
          seed: of the draw; the same list alone or among others gives other scenes.

        Returns:
          A moment for each list, and which of its facts are so there, bool `[facts]` each.
        """
        every = [numbers for numbers in said for _ in range(CANDIDATES)]
        drawn = self.scenes.moments(self.tokens(every, jax.random.key(seed)))
        held = holds(self.scenes.spec, self.facts, drawn).reshape(len(said), CANDIDATES, -1)
        kept = [held[row][:, list(numbers)] for row, numbers in enumerate(said)]
        chosen = [int(each.sum(axis=1).argmax()) for each in kept]
        rows = np.arange(len(said)) * CANDIDATES + np.array(chosen)
        return drawn[rows], [each[number] for each, number in zip(kept, chosen, strict=True)]

    def probabilities(self, sentences: Sequence[str]) -> np.ndarray:
        """Returns how likely sentences say each fact, then each event: float32 `[sentences, facts + events]`."""
        # Two sizes, so that no more than two programs are compiled.
        size = 1 if len(sentences) == 1 else _TOGETHER
        tokens = np.stack([text.tokens(self.text_config, sentence) for sentence in sentences])
        padded = np.pad(tokens, [(0, -len(tokens) % size), (0, 0), (0, 0)])
        parts = [self._read(self.text_params, padded[at : at + size]) for at in range(0, len(padded), size)]
        return np.concatenate([np.asarray(part) for part in parts])[: len(tokens)]

    def tokens(self, said: Sequence[Sequence[int]], key: PRNGKey, guidance: float = GUIDANCE) -> np.ndarray:
        """Returns a scene for each list of facts, given by their numbers: int32 `[scenes, tokens]`.

        Args:
          said: facts of each scene; the first `scene_config.said` of them count.
          key: of the draw.
          guidance: see `models.scene.draw`.
        """
        table = np.zeros((len(said), self.scene_config.said), np.int32)
        for row, numbers in enumerate(said):
            chosen = list(numbers)[: self.scene_config.said]
            table[row, : len(chosen)] = np.array(chosen, np.int32) + 1
        return np.asarray(self._draw(self.scene_params, table, key, np.float32(guidance)))

    def unknown(self, sentence: str) -> tuple[str, ...]:
        """Returns the words of a sentence that were never learned, nor are a slip of the hand away from such."""
        found = dict.fromkeys(_WORD.findall(sentence.lower()))
        return tuple(word for word in found if word not in _PLAIN and not self._close(word))

    def _close(self, word: str) -> bool:
        if word in self.vocabulary or word.rstrip("s") in self.vocabulary or f"{word}s" in self.vocabulary:
            return True
        # Of short words a letter changed makes another word.
        return len(word) > 3 and not self.vocabulary.isdisjoint(_slips(word))

    @property
    def _ground(self) -> list[str]:
        return [fact.says for fact in self.facts if fact.region == "here" and fact.part == "tiles" and fact.least > 0]

    @functools.cached_property
    def _read(self) -> Any:
        def read(params: Params, tokens: Array) -> Array:
            return jax.nn.sigmoid(text.bind(self.text_config, params)(tokens))

        return jax.jit(read)

    @functools.cached_property
    def _draw(self) -> Any:
        def draw(params: Params, said: Array, key: PRNGKey, guidance: Array) -> Array:
            return scene.draw(self.scene_config, params, said, key, steps=STEPS, guidance=guidance)

        return jax.jit(draw)


@functools.lru_cache(maxsize=1000)
def _slips(word: str) -> frozenset[str]:
    """Returns all words that one letter more, less, changed or exchanged with its neighbour makes of a word."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    return frozenset(
        [left + right[1:] for left, right in cuts if right]
        + [left + right[1] + right[0] + right[2:] for left, right in cuts if len(right) > 1]
        + [left + letter + right[1:] for left, right in cuts if right for letter in letters]
        + [left + letter + right for left, right in cuts for letter in letters]
    )
