"""Does what a sentence says come true? Sentences of held-out moments, drawn as scenes and read again; and events.

A prompt says some facts that are so at a moment of a held-out level, so that all of it can be had. In `combinations`
two of the facts were never said together in training; in `paraphrases` every part is said with a wording that was never
used in training. Accuracy is the share of all facts said that are so afterwards.
"""

import dataclasses
import functools
import random
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.facts import Fact, Moments, holds
from oyster_jax.core.observation import Observation
from oyster_jax.data.captions import Lexicon
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.foreign import UNUSED_FOREIGN, foreign_sentence
from oyster_jax.data.scenes import Scenes, read_moments
from oyster_jax.data.sources.craftax import Craftax
from oyster_jax.evaluate.bootstrap import Bootstrap, Estimate
from oyster_jax.evaluate.chunks import Progress, padded_chunks
from oyster_jax.models import structure, tokenizer
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.typing import Array, Params, PRNGKey

#: Kinds of prompts: whether a pair of facts is one kept for testing, and whether the wordings are.
SETS = {"known": (False, False), "combinations": (True, False), "paraphrases": (False, True)}

#: Facts of a prompt, at least and at most.
FACTS = (2, 4)

#: Prompts whose scenes are drawn in one call.
CHUNK = 8

_SURE = 0.5


@runtime_checkable
class Speaker(Protocol):
    """What is measured; `worlds.words.Words` is one."""

    facts: tuple[Fact, ...]
    events: tuple[str, ...]
    scenes: Scenes

    def probabilities(self, sentences: Sequence[str]) -> np.ndarray:
        """See `Words.probabilities`."""
        ...

    def tokens(self, said: Sequence[Sequence[int]], key: PRNGKey, guidance: float) -> np.ndarray:
        """See `Words.tokens`."""
        ...

    def best(self, said: Sequence[Sequence[int]], seed: int) -> tuple[Moments, list[np.ndarray]]:
        """See `Words.best`."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class PromptFigures:
    """Of one kind of prompts; shares from 0 to 1.

    Attributes:
      prompts: how many there were.
      understood: share of the facts said that were read.
      precision: share of the facts read that were said, or follow from such (are so at the moment it was said of).
      scene: share of the facts said that are so in the scene that is taken.
      first: the same of the first scene that is drawn, without choosing among several.
      frame: the same of what is read off the frame that the world shows of the scene; None without a tokenizer.
      unprompted: the same of scenes drawn without any text.
    """

    prompts: int
    understood: Estimate
    precision: Estimate
    scene: Estimate
    first: Estimate
    frame: Estimate | None
    unprompted: Estimate


@dataclasses.dataclass(frozen=True, kw_only=True)
class RequestFigures:
    """Of sentences that ask for events; shares from 0 to 1.

    Attributes:
      known: share of events read right, of wordings that were used in training.
      paraphrases: the same of wordings that were not.
      refused: share of sentences of things that the world does not have, unused in training, in which no event is read.
      sentences: how many there were of each of the first two for each event.
    """

    known: float
    paraphrases: float
    refused: float
    sentences: int


def lexicon_of(dataset: EpisodeDataset) -> Lexicon:
    """Returns the words of the source that a recording is of.

    Raises:
      DatasetError: it has none.
    """
    source = dataset.manifest.provenance.source
    if source != Craftax().name:
        raise DatasetError(
            f"Recordings of {source} have no words to say of their moments; give one of {Craftax().name}."
        )
    return Craftax().lexicon


def prompt_figures(
    words: Speaker,
    lexicon: Lexicon,
    dataset: EpisodeDataset,
    *,
    prompts: int,
    seed: int = 0,
    sight: tuple[TokenizerConfig, Params] | None = None,
    progress: Progress | None = None,
) -> dict[str, PromptFigures]:
    """Measures `prompts` prompts of each of `SETS`.

    Args:
      words: what is measured.
      lexicon: of the world.
      dataset: a recording of held-out levels.
      prompts: how many of each kind.
      seed: of moments, sentences and scenes.
      sight: a tokenizer with structure and its parameters, where scenes are to be looked at.
      progress: told the kinds done and to do.

    Raises:
      DatasetError: the recording holds no structure.
    """
    moments = read_moments(dataset)
    episodes = np.repeat(np.arange(len(dataset)), dataset.lengths)
    found = {}
    for place, (name, (unseen, held_out)) in enumerate(SETS.items()):
        said = _said(words.scenes, lexicon, moments, prompts, random.Random(f"{seed} {name}"), unseen)
        generator = random.Random(f"{seed} {name} in words")
        texts = [lexicon.caption(facts, generator, held_out=held_out) for _, facts, _ in said]
        read = words.probabilities(texts)[:, : len(words.facts)] > _SURE
        shown = _drawn(words, read, seed, sight)
        found[name] = _figures(said, read, shown, episodes, seed)
        if progress is not None:
            progress(place + 1, len(SETS))
    return found


def _said(
    scenes: Scenes, lexicon: Lexicon, moments: Moments, count: int, generator: random.Random, unseen: bool
) -> list[tuple[int, list[int], np.ndarray]]:
    """Returns moments by their numbers, what is said of them, and all that is so there."""
    said: list[tuple[int, list[int], np.ndarray]] = []
    for _ in range(100 * count):
        if len(said) == count:
            break
        row = generator.randrange(len(moments))
        held = holds(scenes.spec, lexicon.facts, moments[row : row + 1])[0]
        chosen = lexicon.choose(np.flatnonzero(held), generator.randint(*FACTS), generator, unseen=unseen)
        if len(chosen) >= FACTS[0]:
            said.append((row, chosen, held))
    return said


def _drawn(
    words: Speaker, read: np.ndarray, seed: int, sight: tuple[TokenizerConfig, Params] | None
) -> dict[str, np.ndarray]:
    """Returns which facts are so, bool `[prompts, facts]`, in scenes of what was read of each prompt."""
    asked = [np.flatnonzero(row).tolist() for row in read]
    spec, facts = words.scenes.spec, words.facts
    rows: dict[str, list[np.ndarray]] = {}
    for number, (chosen, count) in enumerate(padded_chunks(len(asked), CHUNK)):
        told = [asked[row] for row in chosen]
        key = jax.random.fold_in(jax.random.key(seed), number)
        taken = words.best(told, seed * 1000 + number)[0]
        seen = {
            "scene": taken,
            "first": words.scenes.moments(words.tokens(told, key, 2.0)),
            "unprompted": words.scenes.moments(words.tokens([[]] * len(told), key, 1.0)),
        }
        if sight is not None:
            seen["frame"] = looked_at(*sight, taken, words.scenes)
        for name, moments in seen.items():
            rows.setdefault(name, []).append(holds(spec, facts, moments)[:count])
    return {name: np.concatenate(each) for name, each in rows.items()}


def looked_at(config: TokenizerConfig, params: Params, moments: Moments, scenes: Scenes) -> Moments:
    """Returns what is read off the frames that a tokenizer shows of moments whose structure alone it was told."""
    grid = config.structure
    assert grid is not None
    seen = Observation(
        tiles=jnp.asarray(moments.tiles), entities=jnp.asarray(moments.entities),
        entity_mask=jnp.asarray(moments.entity_mask), quantities=jnp.asarray(moments.quantities),
    )  # fmt: skip
    read = jax.device_get(_looked(config, params, seen))
    entity, tiles = scenes.spec.entity, scenes.spec.tiles
    assert entity is not None
    assert tiles is not None
    table, mask = np.zeros_like(moments.entities), np.zeros_like(moments.entity_mask)
    mask[:, 0] = True
    types = grid.on_tiles(read["types"])
    used = np.ones(len(table), int)
    for moment, row, column, kind in np.argwhere(types > _SURE):
        if kind and used[moment] < entity.capacity:
            place = {"type": kind, "x": column - tiles.agent[1], "y": tiles.agent[0] - row}
            for name, value in place.items():
                table[moment, used[moment], entity.column(name)] = value
            mask[moment, used[moment]] = True
            used[moment] += 1
    # What has a place in the frame is a whole number there.
    quantities = read["quantities"].astype(np.float32)
    return Moments(tiles=read["tiles"].astype(np.uint8), entities=table, entity_mask=mask, quantities=quantities)


@functools.partial(jax.jit, static_argnums=0)
def _looked(config: TokenizerConfig, params: Params, seen: Observation) -> dict[str, Array]:
    model, grid = tokenizer.bind(config, params), config.structure
    assert grid is not None
    drawn, _ = model.renderer.told(model.encoder.observed(seen))
    return structure.reading(grid, model.renderer.told(model.encoder(tokenizer.as_frames(drawn)))[1])


def _figures(
    said: list[tuple[int, list[int], np.ndarray]],
    read: np.ndarray,
    shown: dict[str, np.ndarray],
    episodes: np.ndarray,
    seed: int,
) -> PromptFigures:
    wanted = np.zeros_like(read)
    for row, (_, chosen, _) in enumerate(said):
        wanted[row, chosen] = True
    so = np.stack([held for _, _, held in said])
    bootstrap = Bootstrap(episodes[[row for row, _, _ in said]], seed=seed)

    def share(hits: np.ndarray, among: np.ndarray) -> Estimate:
        parts = ((hits & among).sum(axis=1).astype(float), among.sum(axis=1).astype(float))
        return bootstrap.estimate(lambda right, every: right / np.maximum(every, 1e-9), *parts)

    return PromptFigures(
        prompts=len(said),
        understood=share(read, wanted),
        precision=share(so, read),
        scene=share(shown["scene"], wanted),
        first=share(shown["first"], wanted),
        frame=share(shown["frame"], wanted) if "frame" in shown else None,
        unprompted=share(shown["unprompted"], wanted),
    )


def request_figures(words: Speaker, lexicon: Lexicon, *, sentences: int = 20, seed: int = 0) -> RequestFigures:
    """Measures how sentences of events are read.

    Args:
      words: what is measured.
      lexicon: of the world.
      sentences: of each event, known wordings and others.
      seed: of the wordings.
    """
    generator, facts = random.Random(f"{seed} events"), len(words.facts)
    right = {}
    for held_out in (False, True):
        names = [name for name in words.events for _ in range(sentences)]
        read = words.probabilities([lexicon.event(name, generator, held_out=held_out) for name in names])[:, facts:]
        hits = [words.events[row.argmax()] == name and row.max() > _SURE for row, name in zip(read, names, strict=True)]
        right[held_out] = float(np.mean(hits))
    foreign = [foreign_sentence(generator, UNUSED_FOREIGN) for _ in range(10 * sentences)]
    refused = float(np.mean(words.probabilities(foreign)[:, facts:].max(axis=1) <= _SURE))
    return RequestFigures(known=right[False], paraphrases=right[True], refused=refused, sentences=sentences)
