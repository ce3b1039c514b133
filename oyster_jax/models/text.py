"""A text encoder: what a sentence says, as probabilities of labels.

Words are sums over their character n-grams (FastText, arXiv 1607.04606), so that a mistyped word is still close to what
it should be; attention over words tells what belongs together.
"""

import dataclasses
import functools
import re
import zlib
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Int32

from oyster_jax.nn import functional
from oyster_jax.nn.attention import ParallelBlock, rms_norm
from oyster_jax.nn.dense import Dense
from oyster_jax.typing import Array, Float, Int, Params, PRNGKey

#: Characters of an n-gram.
GRAMS = (3, 4)

_WORD = re.compile(r"[\w']+|[.,;:!?]")

#: Neighbours on each side that a word is read with before attention.
_REACH = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextConfig:
    """Sizes of a text encoder.

    Attributes:
      labels: what is told apart.
      words: at most so many of a text are read; signs count as words.
      grams: n-grams of a word, at most.
      buckets: that n-grams are hashed into.
      features: width.
      heads: of attention.
      depth: layers of attention.
    """

    labels: int
    words: int = 48
    grams: int = 14
    buckets: int = 4096
    features: int = 64
    heads: int = 2
    depth: int = 2

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Rebuilds a configuration from its fields."""
        return cls(**data)


def split(text: str) -> list[str]:
    """Returns the words and signs of a text, in lower case."""
    return _WORD.findall(text.lower())


def tokens(config: TextConfig, text: str) -> Int32[np.ndarray, "words grams"]:
    """Returns the buckets of the n-grams of a text's words; 0 where there is none."""
    found = np.zeros((config.words, config.grams), np.int32)
    for number, word in enumerate(split(text)[: config.words]):
        buckets = _buckets(word, config.buckets)[: config.grams]
        found[number, : len(buckets)] = buckets
    return found


@functools.lru_cache(maxsize=100_000)
def _buckets(word: str, buckets: int) -> tuple[int, ...]:
    closed = f"<{word}>"
    # The whole word first: it is what most is known of.
    grams = [closed] + [closed[at : at + size] for size in GRAMS for at in range(len(closed) - size + 1)]
    return tuple(1 + zlib.crc32(gram.encode()) % buckets for gram in dict.fromkeys(grams))


#: Evidence that words begin without: few of many labels are said, and untrained words would otherwise say them all.
_DOUBT = 7.0


class TextEncoder(nnx.Module):
    """See `TextConfig`."""

    def __init__(self, config: TextConfig, rngs: nnx.Rngs):
        width = config.features
        self.width = width
        self.grams = nnx.Param(0.3 * jax.random.normal(rngs.params(), (config.buckets + 1, width)))
        self.places = nnx.Param(0.02 * jax.random.normal(rngs.params(), (config.words, width)))
        self.inward = Dense((2 * _REACH + 1) * width, width, rngs=rngs, bias=True)
        self.layers = functional.Stack(
            lambda rngs: ParallelBlock(width, config.heads, rngs=rngs), config.depth, rngs=rngs
        )
        self.out = Dense(width, config.labels, rngs=rngs, bias=True)

    def __call__(self, text: Int[Array, "*batch words grams"]) -> Float[Array, "*batch labels"]:
        """Returns a logit for each label: the evidence of the words for it, as a smooth maximum."""
        batch = text.shape[:-2]
        text = text.reshape(-1, *text.shape[-2:])
        there = (text > 0)[..., None].astype(jnp.float32)
        words = jnp.sum(self.grams[...][text] * there, axis=2) / jnp.sqrt(jnp.maximum(jnp.sum(there, axis=2), 1))
        padded = jnp.pad(words, [(0, 0), (_REACH, _REACH), (0, 0)])
        size = words.shape[1]
        around = jnp.concatenate([padded[:, shift : shift + size] for shift in range(2 * _REACH + 1)], axis=-1)
        x = words + jnp.square(jax.nn.relu(self.inward(around))) + self.places[...][None]
        x = self.layers(x, lambda layer, x, _: (layer(x, dtype=jnp.dtype("float32")), None))[0]
        evidence: Array = self.out(rms_norm(x))
        used = jnp.any(text > 0, axis=-1)[..., None]
        logits = jax.nn.logsumexp(jnp.where(used, evidence, -30.0), axis=1) - _DOUBT
        return logits.reshape(*batch, -1)


def init(config: TextConfig, key: PRNGKey) -> Params:
    """Draws the parameters of a text encoder."""
    return functional.init(TextEncoder, config, key)


def bind(config: TextConfig, params: Params) -> TextEncoder:
    """Returns the encoder with `params` in it, for use inside a traced function."""
    return functional.bind(TextEncoder, config, params)
