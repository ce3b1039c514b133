"""Structure that is changed thing by thing: what the simulator holds together stays together."""

import dataclasses

import jax
import numpy as np
import pytest

from oyster_jax.models import structure
from oyster_jax.models.sketch import Sketch
from oyster_jax.models.structure import StructureConfig
from oyster_jax.worlds.structure import parse
from tests.models import structured

GRASS, STONE, BUSH, RIPE = 1, 2, 3, 4
COW, PLANT = 1, 2

assert structured.SPEC.tiles is not None
assert structured.SPEC.entity is not None
SPEC = dataclasses.replace(
    structured.SPEC,
    tiles=dataclasses.replace(structured.SPEC.tiles, kinds=("nothing", "grass", "stone", "plant", "ripe_plant")),
    entity=dataclasses.replace(
        structured.SPEC.entity, types=("agent", "cow", "plant"), usual=(("plant", "health", 1.0),)
    ),
)
CONFIG = StructureConfig.of(SPEC, {"health": 9.0})


@pytest.fixture
def sketch():
    """A cow at token 0, a ripe plant at 10, right below the agent, stone at 9, grass elsewhere."""
    rows = [["grass"] * 4, ["grass"] * 4, ["grass", "stone", "ripe_plant", "grass"]]
    others = [{"type": "cow", "x": -2, "y": 1, "health": 3}, {"type": "plant", "x": 0, "y": -1, "health": 2}]
    return Sketch(SPEC, CONFIG, structure.cells(CONFIG, parse(SPEC, {"tiles": rows, "entities": others})))


def test_it_begins_as_what_is_known(sketch):
    again = Sketch(SPEC, CONFIG, sketch.cells())
    for name in ("kinds", "types", "attributes", "levels", "free"):
        np.testing.assert_array_equal(getattr(again, name), getattr(sketch, name))


def test_a_thing_that_is_a_tile_goes_with_it_and_leaves_the_ground_around(sketch):
    assert 9 * sketch.take(10, PLANT)[0] == pytest.approx(2)
    assert not sketch.types[10].any()
    assert sketch.kinds[10].argmax() == GRASS
    assert not sketch.attributes[10].any()


def test_one_that_is_none_leaves_its_tile(sketch):
    before = sketch.kinds.copy()
    sketch.take(0, COW)
    np.testing.assert_array_equal(sketch.kinds, before)


def test_where_it_is_put_its_tile_is(sketch):
    sketch.put(3, PLANT, sketch.usual(PLANT))
    assert (sketch.kinds[3].argmax(), sketch.types[3].argmax()) == (BUSH, PLANT)
    assert 9 * sketch.attributes[3, 0] == pytest.approx(1)
    sketch.put(4, COW, sketch.usual(COW))
    assert sketch.kinds[4].argmax() == GRASS


def test_a_tile_that_becomes_another_takes_its_thing_along(sketch):
    sketch.tile(10, STONE)
    assert sketch.kinds[10].argmax() == STONE
    assert not sketch.types[10].any()
    sketch.tile(10, RIPE)
    assert sketch.kinds[10].argmax() == RIPE
    assert sketch.types[10].tolist() == [0, 0, 1]


def test_of_a_plant_that_ripens_all_else_stays(sketch):
    before = sketch.attributes[10].copy()
    sketch.tile(10, BUSH)
    assert sketch.types[10].tolist() == [0, 0, 1]
    np.testing.assert_array_equal(sketch.attributes[10], before)


def test_other_tiles_keep_who_stands_on_them(sketch):
    sketch.tile(0, STONE)
    assert sketch.types[0].tolist() == [0, 1, 0]


def test_what_it_was_made_of_stays_as_it_was(sketch):
    known = sketch.cells()
    Sketch(SPEC, CONFIG, known).tile(10, STONE)
    assert jax.device_get(known.kinds)[10].argmax() == RIPE
