"""Words as n-grams: padding says nothing, slips of the hand change little."""

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.models import text
from oyster_jax.models.text import TextConfig
from tests.models.structured import shaken

CONFIG = TextConfig(labels=5, words=12, grams=14, buckets=64, features=16, heads=2, depth=1)


def test_a_text_becomes_its_words():
    assert text.split("A lake, to the North!") == ["a", "lake", ",", "to", "the", "north", "!"]
    tokens = text.tokens(CONFIG, "A lake")
    assert tokens.shape == (12, 14)
    assert (tokens[2:] == 0).all()
    assert tokens.max() <= CONFIG.buckets
    np.testing.assert_array_equal(tokens, text.tokens(CONFIG, "a LAKE"))
    np.testing.assert_array_equal(text.tokens(CONFIG, ""), 0)
    assert (text.tokens(CONFIG, "word " * 30)[:, 0] > 0).all()


def test_mistyped_words_share_most_of_their_grams():
    def buckets(word):
        return set(text.tokens(TextConfig(labels=1), word)[0].tolist()) - {0}

    right, slip, other = buckets("skeleton"), buckets("skelleton"), buckets("furnace")
    assert len(right & slip) >= len(right) // 2
    assert len(right & other) <= 1


def test_rows_of_a_batch_do_not_depend_on_each_other():
    params = shaken(text.init(CONFIG, jax.random.key(0)))
    model = text.bind(CONFIG, params)
    batch = np.stack([text.tokens(CONFIG, one) for one in ("two cows", "a lake to the north", "")])
    together = np.asarray(model(jnp.asarray(batch)))
    assert together.shape == (3, 5)
    assert np.isfinite(together).all()
    for row in range(3):
        np.testing.assert_allclose(together[row], np.asarray(model(jnp.asarray(batch[row]))), atol=1e-4)
