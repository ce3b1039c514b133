"""What words are learned of: batches that follow from their number, and sentences that say what their labels say."""

import dataclasses

import numpy as np
import pytest

from oyster_jax.core.facts import holds
from oyster_jax.data.scenes import Scenes
from oyster_jax.data.sources.craftax_state import QUANTITIES
from oyster_jax.data.sources.craftax_words import LEXICON
from oyster_jax.train.sampled import Sampled
from oyster_jax.train.words import WordsTraining, scene_config, scene_stage, text_config, text_stage
from tests.data.craftax_moments import SPEC, moments
from tests.train import tiny_coinrun


def test_made_up_batches_go_on_where_they_were():
    def make(number):
        return {"x": np.arange(4) + 10 * number}

    first = Sampled(make)
    assert [next(first)["x"][0] for _ in range(3)] == [0, 10, 20]
    place = first.get_state()
    again = Sampled(make, rows=[1, 3])
    next(again)
    again.set_state(place)
    np.testing.assert_array_equal(next(again)["x"], [31, 33])
    assert next(first)["x"][0] == 30


def test_sentences_follow_from_their_number():
    config = text_config(WordsTraining(), LEXICON)
    one, other = (text_stage(config, LEXICON, 40, seed).batches() for seed in (3, 3))
    batch = next(one)
    for name, array in next(other).items():
        np.testing.assert_array_equal(array, batch[name])
    assert batch["text"].shape == (40, config.words, config.grams)
    assert (batch["labels"] <= batch["counted"]).all()
    facts = len(LEXICON.facts)
    for labels in batch["labels"]:
        assert labels[facts:].sum() <= 1
        assert not LEXICON.is_reserved(np.flatnonzero(labels[:facts]).tolist())


def test_scenes_are_those_of_which_the_facts_are_so():
    seen = moments(80, seed=9)
    scenes = Scenes.of(SPEC, seen)
    training = WordsTraining()
    sizes = scene_config(training, LEXICON, scenes)
    assert sizes.tokens == 63 + len(QUANTITIES.names) + 1
    batch = next(scene_stage(training, sizes, LEXICON, seen, scenes, seed=1).batches())
    held = holds(SPEC, LEXICON.facts, scenes.moments(batch["scene"]))
    nothing = 0
    for row, said in enumerate(batch["said"]):
        chosen = said[said > 0] - 1
        nothing += not len(chosen)
        # Of the time of day a token knows a little less than the moment did.
        assert held[row, [number for number in chosen if LEXICON.facts[number].topic != "time"]].all()
        assert not LEXICON.is_reserved(chosen.tolist())
    assert 0 < nothing < len(batch["said"]) / 2


def test_words_need_a_lexicon():
    config = dataclasses.replace(tiny_coinrun.get_config(), words=WordsTraining())
    with pytest.raises(ValueError, match="has no words to learn; leave `words` out"):
        _ = config.lexicon
    assert tiny_coinrun.get_config().lexicon is None
