"""Facts are what they say: counted anew here, tile by tile and entity by entity."""

import numpy as np
import pytest

from oyster_jax.core.facts import REGIONS, Fact, holds, region
from oyster_jax.data.sources.craftax_state import QUANTITIES, TILES
from tests.data.craftax_moments import SPEC, moments


def lies(name, up, right):
    """Whether a place, in tiles from the agent, belongs to a region."""
    across, along = abs(up), abs(right)
    return {
        "here": True, "left": right < 0 and along >= across, "right": right > 0 and along >= across,
        "above": up > 0 and across >= along, "below": up < 0 and across >= along,
        "beside": max(across, along) == 1, "near": 0 < max(across, along) <= 2,
    }[name]  # fmt: skip


@pytest.mark.parametrize("name", REGIONS)
def test_regions(name):
    wanted = [[lies(name, 3 - row, column - 4) for column in range(9)] for row in range(7)]
    np.testing.assert_array_equal(region(SPEC, name), wanted)


def test_sides_cover_everything_but_the_agent():
    sides = np.sum([region(SPEC, name) for name in ("left", "right", "above", "below")], axis=0)
    assert sides[3, 4] == 0
    assert (sides > 0).sum() == 62


@pytest.mark.parametrize("name", REGIONS)
def test_tiles_are_counted(name):
    seen = moments(40, seed=1)
    fact = Fact(name="x", says="", topic="x", part="tiles", of=("water", "sand"), region=name, least=3.0, most=6.0)
    numbers = [TILES.kinds.index(kind) for kind in fact.of]
    for moment, found in zip(seen.tiles, holds(SPEC, [fact], seen)[:, 0], strict=True):
        count = sum(
            moment[row, column] in numbers and lies(name, 3 - row, column - 4)
            for row in range(7)
            for column in range(9)
        )
        assert found == (3 <= count <= 6)


@pytest.mark.parametrize("name", REGIONS)
def test_entities_are_counted(name):
    seen = moments(60, seed=2)
    fact = Fact(name="x", says="", topic="x", part="entities", of=("cow",), region=name, least=1.0, most=2.0)
    for number, found in enumerate(holds(SPEC, [fact], seen)[:, 0]):
        table = seen.entities[number][seen.entity_mask[number]]
        count = 0
        for kind, x, y, *_ in table[1:]:
            right, up = int(x - table[0, 1]), int(y - table[0, 2])
            count += kind == 2 and abs(right) <= 4 and abs(up) <= 3 and lies(name, up, right)
        assert found == (1 <= count <= 2)


def test_quantities_are_summed():
    seen = moments(50, seed=3)
    fact = Fact(name="x", says="", topic="x", part="quantities", of=("wood", "stone"), least=4.0)
    wood, stone = (QUANTITIES.column(name) for name in ("wood", "stone"))
    np.testing.assert_array_equal(
        holds(SPEC, [fact], seen)[:, 0], seen.quantities[:, wood] + seen.quantities[:, stone] >= 4
    )


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="region 'behind'; known are here, left"):
        Fact(name="x", says="", topic="x", part="tiles", of=("water",), region="behind")
    fact = Fact(name="x", says="", topic="x", part="entities", of=("dragon",))
    with pytest.raises(ValueError, match="fact x is of dragon, but the world has agent, zombie"):
        holds(SPEC, [fact], moments(1))
