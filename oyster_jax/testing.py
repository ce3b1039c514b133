"""A world small enough for every test: 16×16 frames, CoinRun's actions, a few thousand parameters, float32."""

import dataclasses

import jax

from oyster_jax.core.spec import ActionSpec, FrameSpec, WorldSpec
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.heads import HeadsConfig
from oyster_jax.models.sampler import SamplerConfig
from oyster_jax.models.spatial_map import MapConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.nn.functional import hastily
from oyster_jax.typing import Params, PRNGKey

ACTIONS = (
    "left+down", "left", "left+jump", "down", "noop", "jump", "right+down", "right", "right+jump",
    "d", "a", "w", "s", "q", "e",
)  # fmt: skip


def tiny_model(*, steps: int = 2) -> WorldNetwork:
    """Returns a model with every part of a large one: merged tokens, two groups, ring, memories, all heads.

    Args:
      steps: denoising steps a tick.
    """
    return WorldNetwork(
        spec=WorldSpec(
            name="tiny",
            frame=FrameSpec(height=16, width=16, rate=15.0),
            action=ActionSpec(names=ACTIONS, idle="noop"),
        ),
        tokenizer=TokenizerConfig(
            height=16, width=16, patch=4, channels=4, features=16, heads=2, encoder_depth=1, renderer_depth=1,
            dtype="float32",
        ),
        dynamics=DynamicsConfig(
            tokens=16, columns=4, channels=4, merge=2, features=16, heads=2, groups=2, head_depth=1, registers=2,
            window=4, memory_heads=2, memory_features=4, map=MapConfig(rows=40, columns=48),
            readouts=HeadsConfig(entity_types=(0, 2, 5)), dtype="float32",
        ),
        sampler=SamplerConfig(steps=steps, expected=False, dream_steps=2),
    )  # fmt: skip


def tiny_params(seed: int = 0) -> Params:
    """Returns parameters under which nothing is zero, so that every part of the tiny model shows in its output."""
    params = tiny_model().init(jax.random.key(seed))
    return noisy(params, jax.random.key(seed + 1))


def tiny_without_map(*, steps: int = 2) -> tuple[WorldNetwork, Params]:
    """Returns the tiny model and its parameters without a map.

    A map tells seen pixels from unseen ones, so that a last bit may come to be seen.
    """
    model, params = tiny_model(steps=steps), tiny_params()
    model = dataclasses.replace(model, dynamics=dataclasses.replace(model.dynamics, map=None))
    mapped = ("motion", "embed_motion", "embed_draft")
    return model, {**params, "dynamics": {k: v for k, v in params["dynamics"].items() if k not in mapped}}


def noisy(params: Params, key: PRNGKey, scale: float = 0.1) -> Params:
    """Returns parameters with Gaussian noise of the given standard deviation on every leaf."""

    def draw(params: Params, key: PRNGKey) -> Params:
        leaves, structure = jax.tree.flatten(params)
        keys = jax.random.split(key, len(leaves))
        drawn = [leaf + scale * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
        return jax.tree.unflatten(structure, drawn)

    return hastily(draw)(params, key)
