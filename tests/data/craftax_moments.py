"""Moments such as Craftax could have, made up; no simulator is needed for them."""

import numpy as np

from oyster_jax.core.facts import Moments
from oyster_jax.data.sources.craftax import Craftax

SPEC = Craftax().spec


def moments(count, seed=0):
    """Patches of ground, creatures on grass around the agent, some beyond the frame, and all kinds of quantities."""
    assert SPEC.tiles is not None
    assert SPEC.entity is not None
    assert SPEC.quantities is not None
    generator = np.random.default_rng(seed)
    ground = generator.choice([2, 3, 4, 5, 7, 8, 13, 14], (count, 3, 3), p=[0.35, 0.15, 0.1, 0.1, 0.1, 0.05, 0.1, 0.05])
    tiles = ground.repeat(3, axis=1)[:, :7].repeat(3, axis=2).astype(np.uint8)
    tiles[:, 3, 4] = 2
    entities = np.zeros((count, SPEC.entity.capacity, len(SPEC.entity.fields)), np.float32)
    mask = np.zeros((count, SPEC.entity.capacity), bool)
    entities[:, 0, 1:3] = generator.integers(10, 50, (count, 2))
    entities[:, 0, 5] = generator.choice([-1, 1], count)
    entities[:, 0, 7] = 9
    mask[:, 0] = True
    spots = [(x, y) for x in range(-6, 7) for y in range(-5, 6) if (x, y) != (0, 0)]
    for moment in range(count):
        number = generator.integers(0, 5)
        for row, spot in enumerate(generator.choice(len(spots), number, replace=False), 1):
            x, y = spots[spot]
            entities[moment, row, 0] = generator.integers(1, 4)
            entities[moment, row, 1:3] = entities[moment, 0, 1:3] + [x, y]
            mask[moment, row] = True
            if abs(x) <= 4 and abs(y) <= 3:
                tiles[moment, 3 - y, 4 + x] = 2
    most = np.array(SPEC.quantities.most)
    quantities = generator.integers(0, most.astype(int) + 1, (count, len(most))).astype(np.float32)
    quantities[:, -1] = generator.random(count)
    return Moments(tiles=tiles, entities=entities, entity_mask=mask, quantities=quantities)
