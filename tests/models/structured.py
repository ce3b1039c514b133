"""A small world with structure: frames of 4 × 4 tiles of 2 pixels, of which the upper 3 rows show the level."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.observation import Observation
from oyster_jax.core.spec import ActionSpec, EntitySpec, FrameSpec, QuantitySpec, TileSpec, WorldSpec
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.structure import StructureConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.models.world_model import WorldNetwork

SPEC = WorldSpec(
    name="meadow",
    frame=FrameSpec(height=8, width=8, rate=10.0),
    action=ActionSpec(names=("noop", "go"), idle="noop"),
    entity=EntitySpec(capacity=4, fields=("type", "x", "y", "health"), types=("agent", "cow", "wolf")),
    tiles=TileSpec(kinds=("nothing", "grass", "stone"), rows=3, columns=4, side=2, agent=(1, 2)),
    quantities=QuantitySpec(
        names=("health", "wood", "light"), most=(9.0, 5.0, 1.0), places=((3, 0), (3, 1), None), usual=(9.0, 0.0, 1.0)
    ),
)
CONFIG = StructureConfig.of(SPEC, {"health": 9.0})
TOKENIZER = TokenizerConfig(
    height=8, width=8, patch=2, channels=4, features=16, heads=2, encoder_depth=1, renderer_depth=1, dtype="float32",
    structure=CONFIG,
)  # fmt: skip


def network() -> WorldNetwork:
    """Its model."""
    dynamics = DynamicsConfig(
        tokens=16, columns=4, channels=4, actions=2, features=16, heads=2, head_depth=1, window=4, memory_heads=2,
        memory_features=4, dtype="float32",
    )  # fmt: skip
    return WorldNetwork(spec=SPEC, tokenizer=TOKENIZER, dynamics=dynamics)


def shaken(params, seed=1):
    """Parameters of which none is zero."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    moved = [leaf + 0.1 * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, moved)


def moments(count=5, seed=0) -> Observation:
    """Moments whose agent stands anywhere, and entities around it, some beyond the frame."""
    generator = np.random.default_rng(seed)
    entities = np.zeros((count, 4, 4), np.float32)
    entities[:, :, 0] = [0, 1, 2, 1]
    entities[:, :, 1:3] = generator.integers(0, 20, (count, 1, 2)) + generator.integers(-3, 4, (count, 4, 2))
    entities[:, :, 3] = generator.integers(1, 10, (count, 4))
    mask = np.ones((count, 4), bool)
    mask[:, 3] = generator.random(count) < 0.5
    quantities = np.stack([generator.integers(0, 10, count), generator.integers(0, 6, count), np.full(count, 0.25)], 1)
    return Observation(
        frame=jnp.asarray(generator.integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)),
        tiles=jnp.asarray(generator.integers(0, 3, (count, 3, 4)).astype(np.uint8)),
        entities=jnp.asarray(entities),
        entity_mask=jnp.asarray(mask),
        quantities=jnp.asarray(quantities.astype(np.float32)),
    )


def without(seen: Observation, *parts: str) -> Observation:
    """The same moments, of which some parts are not known."""
    gone = [*parts, "entity_mask"] if "entities" in parts else parts
    return dataclasses.replace(seen, **dict.fromkeys(gone))
