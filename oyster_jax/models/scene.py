"""A scene model: draws the structure of a moment, given facts of it; masked tokens, filled in over some steps.

MaskGIT (Chang et al. 2022, https://arxiv.org/abs/2202.04200) over three kinds of tokens: tiles with whatever stands on
them, quantities, and how the agent stands; guided without a classifier (Ho & Salimans 2022,
https://arxiv.org/abs/2207.12598). Tokens are always as many and in the same places, so that they are mixed by matrices
(MLP-Mixer, https://arxiv.org/abs/2105.01601): on two cores a step then takes a third of the time that attention takes.
"""

import dataclasses
import math
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from oyster_jax.nn import functional
from oyster_jax.nn.attention import rms_norm
from oyster_jax.nn.dense import Dense
from oyster_jax.typing import Array, Float, Int, Params, PRNGKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """Sizes of a scene model and what its tokens can be; `data.scenes` reads the latter off a recording.

    Attributes:
      tiles: how many tiles there are; theirs are the first tokens.
      symbols: how many a tile can be: a kind, and what stands there.
      agent: the token on which the agent stands.
      standing: the symbols that it can be.
      levels: how many values each further token can take.
      facts: how many facts there are.
      said: how many of them can be said of one scene.
      features: width.
      depth: layers.
      summary: tokens that the facts are put into.
      dtype: of matrix products.
    """

    tiles: int
    symbols: int
    agent: int
    standing: tuple[int, ...]
    levels: tuple[int, ...]
    facts: int
    said: int = 16
    features: int = 96
    depth: int = 4
    summary: int = 8
    dtype: str = "bfloat16"

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Rebuilds a configuration from its fields, in which lists may stand for tuples."""
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        return cls(**given)

    @property
    def tokens(self) -> int:
        """Tokens of a scene."""
        return self.tiles + len(self.levels)

    @property
    def values(self) -> int:
        """Values that are told apart at any token."""
        return max(self.symbols, *self.levels)

    @property
    def allowed(self) -> np.ndarray:
        """Bool `[tokens, values]`, what each token can be."""
        found = np.zeros((self.tokens, self.values), bool)
        found[: self.tiles, : self.symbols] = True
        found[self.agent] = False
        found[self.agent, list(self.standing)] = True
        for number, levels in enumerate(self.levels):
            found[self.tiles + number, :levels] = True
        return found


class _Mixer(nnx.Module):
    """A layer of two perceptrons: one over tokens, for each feature, and one over features, for each token."""

    def __init__(self, tokens: int, width: int, *, rngs: nnx.Rngs):
        self.tokens_in = Dense(tokens, 2 * tokens, rngs=rngs)
        self.tokens_out = Dense(2 * tokens, tokens, rngs=rngs, scale=0.0)
        self.features_in = Dense(width, 4 * width, rngs=rngs)
        self.features_out = Dense(4 * width, width, rngs=rngs, scale=0.0)

    def __call__(
        self, x: Float[Array, "batch tokens width"], *, dtype: jnp.dtype
    ) -> Float[Array, "batch tokens width"]:
        """Mixes tokens, then features."""
        across = rms_norm(x).astype(dtype).swapaxes(1, 2)
        x = x + self.tokens_out(_squared(self.tokens_in(across))).swapaxes(1, 2).astype(jnp.float32)
        return x + self.features_out(_squared(self.features_in(rms_norm(x).astype(dtype)))).astype(jnp.float32)


def _squared(x: Array) -> Array:
    return jnp.square(jax.nn.relu(x.astype(jnp.float32))).astype(x.dtype)


class SceneModel(nnx.Module):
    """See `SceneConfig`."""

    def __init__(self, config: SceneConfig, rngs: nnx.Rngs):
        self.config = config
        width = config.features

        def table(rows: int) -> nnx.Param:
            return nnx.Param(0.5 * jax.random.normal(rngs.params(), (rows, width)))

        #: The last row says that a token is hidden.
        self.symbols, self.levels = table(config.symbols + 1), table(max(config.levels) + 1)
        self.places, self.facts = table(config.tokens), table(config.facts + 1)
        self.summary = Dense(width, config.summary * width, rngs=rngs)
        tokens = config.tokens + config.summary
        self.layers = functional.Stack(lambda rngs: _Mixer(tokens, width, rngs=rngs), config.depth, rngs=rngs)
        self.tile_out = Dense(width, config.symbols, rngs=rngs, bias=True)
        self.level_out = Dense(width, max(config.levels), rngs=rngs, bias=True)

    def __call__(
        self, scene: Int[Array, "batch tokens"], hidden: Array, said: Int[Array, "batch said"]
    ) -> Float[Array, "batch tokens values"]:
        """Returns logits of what each token is; -inf for what it cannot be.

        Args:
          scene: values of the tokens.
          hidden: bool `[batch, tokens]`, which of them are not to be seen.
          said: numbers of facts, counted from 1; 0 where there is none.
        """
        config, tiles = self.config, self.config.tiles
        symbols = jnp.where(hidden[:, :tiles], config.symbols, scene[:, :tiles])
        levels = jnp.where(hidden[:, tiles:], max(config.levels), scene[:, tiles:])
        tokens = jnp.concatenate([self.symbols[...][symbols], self.levels[...][levels]], axis=1)
        # Facts have no order.
        facts = jnp.sum(jnp.where((said > 0)[..., None], self.facts[...][said], 0.0), axis=1)
        summary = self.summary(facts).reshape(len(said), -1, config.features)
        x = jnp.concatenate([tokens + self.places[...][None] + facts[:, None], summary], axis=1)
        dtype = jnp.dtype(config.dtype)
        x = self.layers(x, lambda layer, x, _: (layer(x, dtype=dtype), None))[0]
        x = rms_norm(x[:, : config.tokens])
        found = jnp.full((*x.shape[:2], config.values), -jnp.inf)
        found = found.at[:, :tiles, : config.symbols].set(self.tile_out(x[:, :tiles]))
        found = found.at[:, tiles:, : max(config.levels)].set(self.level_out(x[:, tiles:]))
        return jnp.where(jnp.asarray(config.allowed)[None], found, -jnp.inf)


def init(config: SceneConfig, key: PRNGKey) -> Params:
    """Draws the parameters of a scene model."""
    return functional.init(SceneModel, config, key)


def bind(config: SceneConfig, params: Params) -> SceneModel:
    """Returns the model with `params` in it, for use inside a traced function."""
    return functional.bind(SceneModel, config, params)


def draw(
    config: SceneConfig,
    params: Params,
    said: Int[Array, "batch said"],
    key: PRNGKey,
    *,
    steps: int = 16,
    guidance: float | Array = 2.0,
    disorder: float = 4.0,
) -> Int[Array, "batch tokens"]:
    """Draws scenes of which facts are said.

    Args:
      config: of the model.
      params: its parameters.
      said: numbers of facts from 1 on, 0 where there is none.
      key: of the draw.
      steps: in which all tokens are filled in, few at first.
      guidance: how far beyond what is likely with the facts, away from what is likely without; 1 is neither.
      disorder: how little the likeliest tokens come first, at the beginning; it falls to 0.
    """
    model = bind(config, params)
    batch, tokens = len(said), config.tokens
    nothing = jnp.zeros_like(said)

    def step(number: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        scene, hidden = carry
        draw_key, order_key = jax.random.split(jax.random.fold_in(key, number))
        scenes, both = jnp.concatenate([scene, scene]), jnp.concatenate([hidden, hidden])
        logits = jax.nn.log_softmax(model(scenes, both, jnp.concatenate([said, nothing])), axis=-1)
        with_facts, without = jnp.split(logits, 2)
        # What is forbidden stays so; the difference would be no number.
        guided = jnp.where(jnp.isfinite(with_facts), without + guidance * (with_facts - without), -jnp.inf)
        guided = jax.nn.log_softmax(jnp.where(jnp.isfinite(with_facts), guided, -jnp.inf), axis=-1)
        drawn = jax.random.categorical(draw_key, guided, axis=-1)
        sure = jnp.take_along_axis(guided, drawn[..., None], axis=-1)[..., 0]
        share = (number.astype(jnp.float32) + 1) / steps
        sure = sure + disorder * (1 - share) * jax.random.gumbel(order_key, sure.shape)
        sure = jnp.where(hidden, sure, -jnp.inf)
        left = jnp.floor(tokens * jnp.cos(math.pi / 2 * share)).astype(jnp.int32)
        filled = jnp.sum(hidden, axis=1) - jnp.where(number == steps - 1, 0, left)
        rank = jnp.argsort(jnp.argsort(-sure, axis=1), axis=1)
        now = hidden & (rank < filled[:, None])
        return jnp.where(now, drawn, scene), hidden & ~now

    begun = (jnp.zeros((batch, tokens), jnp.int32), jnp.ones((batch, tokens), bool))
    return jax.lax.fori_loop(0, steps, step, begun)[0]


def loss(
    config: SceneConfig, params: Params, scene: Int[Array, "batch tokens"], said: Int[Array, "batch said"], key: PRNGKey
) -> tuple[Array, dict[str, Array]]:
    """Returns the mean cross-entropy of hidden tokens, of which there are more or less, and its parts."""
    share_key, hide_key = jax.random.split(key)
    share = jnp.cos(math.pi / 2 * jax.random.uniform(share_key, (len(scene), 1)))
    hidden = jax.random.uniform(hide_key, scene.shape) < share
    logits = bind(config, params)(scene, hidden, said)
    # What the recording has is among what is allowed: both were read off it.
    picked = jnp.take_along_axis(logits, scene[..., None], axis=-1)[..., 0]
    each = jnp.where(hidden, jax.nn.logsumexp(logits, axis=-1) - picked, 0.0)
    tiles = config.tiles
    parts = {
        "tiles": _mean(each[:, :tiles], hidden[:, :tiles]),
        "others": _mean(each[:, tiles:], hidden[:, tiles:]),
    }
    return _mean(each, hidden), parts


def _mean(each: Array, counted: Array) -> Array:
    return jnp.sum(each) / jnp.maximum(jnp.sum(counted.astype(jnp.float32)), 1)
