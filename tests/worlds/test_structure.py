"""Structure as people write it: it comes back as it went in, and mistakes are told in sentences."""

import json

import jax
import numpy as np
import pytest

from oyster_jax.cli.errors import UsageError
from oyster_jax.cli.rollout import Config, main
from oyster_jax.models import structure
from oyster_jax.models.structure import Cells
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.storage import read_world, save_world
from oyster_jax.worlds.structure import described, parse, read_structure
from oyster_jax.worlds.world import World
from tests.models.structured import CONFIG, SPEC, network, shaken

RECORD = {"name": "meadow", "licence": "", "training": {}, "figures": {}}

MEADOW = {
    "tiles": ["grass grass grass grass", "grass stone grass grass", ["nothing", "grass", "grass", "stone"]],
    "entities": [{"type": "agent", "health": 3}, {"type": "wolf", "x": 1, "y": -1, "health": 9}],
    "quantities": {"health": 3, "light": 0.5},
}


@pytest.fixture(scope="module")
def world():
    model = network()
    return World(model=model, params=shaken(model.init(jax.random.key(0))), record=RECORD)


def test_a_description_comes_back_as_it_went_in():
    known = structure.cells(CONFIG, parse(SPEC, MEADOW))
    said = Cells(
        kinds=known.kinds, types=20 * known.types - 10, attributes=known.attributes, levels=known.levels,
        free=known.free,
    )  # fmt: skip
    told = described(SPEC, CONFIG, jax.device_get(structure.reading(CONFIG, said)))
    assert told["tiles"] == [row.split() if isinstance(row, str) else row for row in MEADOW["tiles"]]
    assert told["quantities"] == {"health": 3, "wood": 0, "light": 0.5}
    assert {(one["type"], one["x"], one["y"], one["health"]) for one in told["entities"]} == {
        ("agent", 0, 0, 3), ("wolf", 1, -1, 9),
    }  # fmt: skip
    again = parse(SPEC, told)
    np.testing.assert_array_equal(again.tiles, parse(SPEC, MEADOW).tiles)


def test_a_world_begins_from_what_is_described(world):
    state = world.encode(entities=MEADOW, seed=3)
    assert world.render(state).shape == (8, 8, 3)
    assert set(world.entities(state)) == {"tiles", "entities", "quantities"}
    later = world.step(state, "go")
    world.encode(entities=world.entities(later) | {"entities": []})
    other = world.encode(entities={"tiles": "stone"}, seed=3)
    assert np.abs(np.asarray(other.latent) - np.asarray(state.latent)).max() > 1e-3
    framed = world.encode(world.render(state)[None], entities=MEADOW)
    assert np.abs(np.asarray(framed.latent) - np.asarray(state.latent)).max() > 1e-4


@pytest.mark.parametrize(
    ("description", "sentence"),
    [
        ({}, "is empty; give any of tiles"),
        ({"sky": "blue"}, "no 'sky'; leave it out"),
        ({"tiles": "lava"}, "no tile 'lava' .*; this world has nothing, grass, stone"),
        ({"tiles": ["grass"]}, "3 rows of names, or one name for all of them, but 1 were given"),
        ({"tiles": ["grass grass"] * 3}, "Row 1 of the tiles has 2 names, but a frame shows 4"),
        ({"entities": {"type": "cow"}}, "are a list of objects"),
        ({"entities": [{"type": "dragon"}]}, "no entity of type 'dragon'; this world has agent, cow, wolf"),
        ({"entities": [{"x": 1}]}, "no entity of type 'None'"),
        (
            {"entities": [{"type": "cow", "colour": 3}]},
            "A cow has no 'colour'; entities of this world have x, y, health",
        ),
        ({"entities": [{"type": "cow", "x": "left"}]}, 'The x of a cow is a number, but was "left"'),
        ({"entities": [{"type": "cow", "x": 5}]}, "lies beyond the frame, which shows x -2 to 1 and y -1 to 1"),
        ({"entities": [{"type": "agent", "x": 1}]}, "stands at x 0, y 0"),
        ({"entities": [{"type": "agent"}] * 2}, "one agent in a world, but 2"),
        ({"entities": [{"type": "cow"}] * 4}, "At most 3 entities"),
        ({"quantities": {"gold": 3}}, "no quantity 'gold'; it has health, wood, light"),
        ({"quantities": {"wood": 6}}, "wood lies between 0 and 5, but was 6"),
        ({"quantities": {"wood": True}}, "is a number, but was true"),
        ({"quantities": [1, 2]}, "an object of numbers"),
    ],
)
def test_mistakes_are_told(description, sentence, world):
    with pytest.raises(WorldError, match=sentence):
        world.encode(entities=description)


def test_a_world_of_frames_alone_says_so():
    plain = World(model=tiny_model(), params=tiny_params(), record={"name": "tiny"})
    with pytest.raises(WorldError, match="knows frames only, and cannot begin"):
        plain.encode(entities=MEADOW)
    with pytest.raises(WorldError, match="knows frames only, and cannot tell"):
        plain.entities(plain.reset())


def test_files_that_are_no_description_are_refused(tmp_path):
    path = tmp_path / "scene.json"
    with pytest.raises(WorldError, match="cannot be read"):
        read_structure(path)
    path.write_text("{")
    with pytest.raises(WorldError, match="is not JSON"):
        read_structure(path)
    path.write_text("[]")
    with pytest.raises(WorldError, match="no JSON object"):
        read_structure(path)


def test_a_clip_begins_from_a_file(tmp_path, world):
    folder = tmp_path / "meadow"
    save_world(folder, world.model, world.params, world.record)
    path = tmp_path / "scene.json"
    path.write_text(json.dumps(MEADOW))
    out = tmp_path / "clip.npz"
    assert main(Config(world=str(folder), actions="go*3", entities=path, out=out)) == 0
    loaded = read_world(folder)
    with np.load(out) as clip:
        np.testing.assert_array_equal(clip["before"][0], loaded.render(loaded.encode(entities=MEADOW)))
    path.write_text(json.dumps({"tiles": "lava"}))
    with pytest.raises(UsageError, match=r"scene.json: There is no tile 'lava'"):
        main(Config(world=str(folder), actions="go*3", entities=path, out=out))
    with pytest.raises(UsageError, match="give one of them"):
        main(Config(world=str(folder), entities=path, prompt_dir=tmp_path, out=out))
