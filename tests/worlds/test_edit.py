"""An edit of the living state: what it touches and what it leaves, what it means, and what it refuses."""

import dataclasses
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.cli.errors import UsageError
from oyster_jax.cli.rollout import Config, main
from oyster_jax.models import structure, tokenizer
from oyster_jax.models.structure import Cells
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.edit import Edit, touched
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.storage import read_world, save_world
from oyster_jax.worlds.structure import parse
from oyster_jax.worlds.world import World
from tests.models.structured import CONFIG, SPEC, moments, network, shaken, without

#: The agent's tile is token 6, row 1 and column 2 of four columns; the wolf stands on the token right below.
KNOWN = structure.cells(
    CONFIG,
    parse(
        SPEC,
        {
            "tiles": "grass",
            "entities": [{"type": "wolf", "x": 0, "y": -1, "health": 9}, {"type": "cow", "x": -2, "y": 1, "health": 3}],
            "quantities": {"health": 4, "wood": 2, "light": 0.5},
        },
    ),
)

#: Edits that nothing stands in the way of, whatever the state tells, and the tokens that they may touch.
EDITS = {
    "tile": ({"tiles": [{"x": -2, "y": 1, "kind": "stone"}, {"x": 1, "y": -1, "kind": "nothing"}]}, {0, 11}),
    "placed": ({"set": {"wood": 5}}, {13}),
    "free": ({"set": {"light": 0.25}}, set(range(16))),
}


@pytest.fixture(scope="module")
def world():
    model = network()
    return World(model=model, params=shaken(model.init(jax.random.key(0))), record={"name": "meadow"})


@pytest.fixture(scope="module")
def state(world):
    return world.step(world.step(world.reset(5), "go"), "noop")


def entity_edits(world, state):
    """Edits of entities, and the tokens that they touch, for whatever a state happens to tell."""
    told = [one for one in world.entities(state)["entities"] if (one["x"], one["y"]) != (0, 0)]
    taken = {(one["x"], one["y"]) for one in told}
    free = [(x, y) for x in range(-2, 2) for y in (-1, 0, 1) if (x, y) not in taken | {(0, 0)}]

    def token(x, y):
        return (1 - y) * 4 + 2 + x

    found = {}
    if free:
        x, y = free[0]
        found["add"] = ({"add": [{"type": "wolf", "x": x, "y": y, "health": 2}]}, {token(x, y)})
    others = [one for one in told if one["type"] != "agent"]
    if others:
        one = others[0]
        found["remove"] = ({"remove": [one]}, {token(one["x"], one["y"])})
        for x, y in free[-1:]:
            move = [one | {"to": {"x": x, "y": y}}]
            found["move"] = ({"move": move}, {token(one["x"], one["y"]), token(x, y)})
    return found


def bits(leaf):
    return np.asarray(jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf)


def same(one, other):
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(bits(a), bits(b)), one, other)


def test_only_the_tokens_that_an_edit_touches_change_and_all_else_keeps_its_bits(world, state):
    found = EDITS | entity_edits(world, state)
    assert len(found) > len(EDITS)
    for name, (document, tokens) in found.items():
        edited = world.edit(state, document)
        changed = np.any(np.asarray(edited.latent) != np.asarray(state.latent), axis=-1)
        assert changed.sum() > 0, name
        assert set(np.flatnonzero(changed)) <= tokens, name
        # What happened a tick ago is changed there, too: else the world soon gives up what sprang from nowhere.
        before, previous = (np.asarray(one.cache["previous"]) for one in (state, edited))
        np.testing.assert_array_equal(previous, np.where(changed[:, None], np.asarray(edited.latent), before))
        same(edited.replace(latent=state.latent, cache=edited.cache | {"previous": state.cache["previous"]}), state)


def test_an_edit_that_changes_nothing_keeps_every_bit(world, state):
    told = world.entities(state)
    kind = told["tiles"][0][0]
    health = told["quantities"]["health"]
    same(world.edit(state, {"tiles": [{"x": -2, "y": 1, "kind": kind}], "set": {"health": health}}), state)


def test_an_edited_state_has_the_shapes_and_bytes_that_it_had(world, state):
    edited = world.edit(state, EDITS["free"][0])
    jax.tree.map(lambda one, other: jax.typeof(one) == jax.typeof(other) or pytest.fail(str(one)), state, edited)
    later = world.step(edited, "go")
    assert np.abs(np.asarray(later.latent) - np.asarray(world.step(state, "go").latent)).max() > 0


def test_a_batch_of_edits_is_as_single_ones(world, state):
    states = [world.step(state, action) for action in ("go", "noop", "go")]
    before = [jax.device_get(world.model.known(world.params, each)) for each in states]
    after = [
        Edit.parse(SPEC, CONFIG, document).applied(known)
        for (document, _), known in zip(EDITS.values(), before, strict=True)
    ]
    masks = [jnp.asarray(touched(*pair)) for pair in zip(before, after, strict=True)]
    singles = [world.model.edited(world.params, *row) for row in zip(states, after, masks, strict=True)]
    stacked = [jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows) for rows in (states, after, masks, singles)]
    together = jax.vmap(world.model.edited, in_axes=(None, 0, 0, 0))(world.params, *stacked[:3])
    np.testing.assert_allclose(together.latent, stacked[3].latent, atol=1e-5)
    kept = ~np.stack([np.asarray(mask) for mask in masks])
    np.testing.assert_array_equal(np.asarray(together.latent)[kept], np.asarray(stacked[0].latent)[kept])


def test_structure_alone_is_encoded_as_an_observation_of_it():
    encoder = tokenizer.bind(
        network().tokenizer, shaken(tokenizer.init(network().tokenizer, jax.random.key(0)))
    ).encoder
    seen = without(moments(), "frame")
    np.testing.assert_allclose(encoder.imagined(structure.cells(CONFIG, seen)), encoder.observed(seen), atol=1e-6)


def test_what_is_settled_is_as_it_was_laid_out():
    known = structure.cells(CONFIG, without(moments(), "frame"))
    types = jnp.minimum(known.types, 1)
    said = Cells(
        kinds=known.kinds + 0.3, types=20 * types - 10, attributes=known.attributes + 0.0, levels=3 * known.levels - 1,
        free=known.free,
    )  # fmt: skip
    settled = structure.settled(CONFIG, said)
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, atol=1e-6),
        settled,
        dataclasses.replace(known, types=types),
    )


def applied(document, known=KNOWN, **options):
    return jax.device_get(Edit.parse(SPEC, CONFIG, document).applied(known, **options))


def standing(known):
    """What stands where: type, token, health."""
    return {
        (int(kind), int(token), round(9 * float(known.attributes[token, 0])))
        for token, kind in np.argwhere(known.types)
    }


def test_each_part_of_an_edit_means_what_it_says():
    assert standing(jax.device_get(KNOWN)) == {(0, 6, 0), (2, 10, 9), (1, 0, 3)}
    gone = applied({"remove": [{"type": "wolf", "x": 0, "y": -1, "health": 9.0, "probability": 0.98}]})
    assert standing(gone) == {(0, 6, 0), (1, 0, 3)}
    moved = applied({"move": [{"type": "wolf", "x": 0, "y": -1, "to": {"x": 1, "y": 1}}]})
    assert standing(moved) == {(0, 6, 0), (2, 3, 9), (1, 0, 3)}
    exchanged = applied(
        {
            "move": [
                {"type": "wolf", "x": 0, "y": -1, "to": {"x": -2, "y": 1}},
                {"type": "cow", "x": -2, "y": 1, "to": {"x": 0, "y": -1}},
            ]
        }
    )
    assert standing(exchanged) == {(0, 6, 0), (2, 0, 9), (1, 10, 3)}
    replaced = applied(
        {
            "remove": [{"type": "wolf", "x": 0, "y": -1}],
            "add": [{"type": "cow", "x": 0, "y": -1, "health": 6}],
            "tiles": [{"x": 0, "y": -1, "kind": "stone"}],
            "set": {"health": 9, "light": 0.75},
        }
    )
    assert standing(replaced) == {(0, 6, 0), (1, 10, 6), (1, 0, 3)}
    assert replaced.kinds.argmax(-1)[10] == 2
    assert (replaced.levels.argmax(-1)[12], replaced.levels.argmax(-1)[13]) == (9, 2)
    np.testing.assert_allclose(replaced.free, 0.75)
    before, after = jax.device_get(KNOWN), applied({"tiles": [{"x": 0, "y": -1, "kind": "stone"}]})
    assert np.flatnonzero(touched(before, after)).tolist() == [10]
    assert touched(before, replaced).all()


def test_what_is_added_without_a_word_has_what_such_a_one_comes_with():
    assert SPEC.entity is not None
    entity = dataclasses.replace(SPEC.entity, usual=(("wolf", "health", 5.0),))
    spec = dataclasses.replace(SPEC, entity=entity)
    wolf = {"type": "wolf", "x": 1, "y": 1}
    added = Edit.parse(spec, CONFIG, {"add": [wolf]}).applied(KNOWN)
    assert (2, 3, 5) in standing(jax.device_get(added))
    assert (2, 3, 0) in standing(applied({"add": [wolf]}))
    seen = parse(spec, {"entities": [wolf, {"type": "cow", "x": 0, "y": 1}]})
    assert np.asarray(seen.entities)[:3, 3].tolist() == [0, 5, 0]


def test_a_replay_does_what_it_can():
    gone = applied({"remove": [{"type": "cow", "x": 1, "y": 1}]}, lenient=True)
    assert standing(gone) == standing(jax.device_get(KNOWN))
    over = applied({"add": [{"type": "cow", "x": 0, "y": -1, "health": 1}]}, lenient=True)
    assert standing(over) == {(0, 6, 0), (1, 10, 1), (1, 0, 3)}


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "an object with any of remove, move, add, tiles, set"),
        ([], "an object with any of"),
        ({"paint": []}, "no 'paint'; leave it out"),
        ({"add": {"type": "cow"}}, '"add" of an edit is a list of objects'),
        ({"remove": ["cow"]}, '"remove" of an edit is a list of objects'),
        ({"add": [{"type": "dragon", "x": 1, "y": 1}]}, "type 'dragon'; an edit of this world is of cow, wolf"),
        ({"add": [{"x": 1, "y": 1}]}, "no entity of type 'None'"),
        ({"remove": [{"type": "agent", "x": 0, "y": 0}]}, "The agent stands in the middle .* does not remove it"),
        ({"add": [{"type": "cow", "x": 1}]}, "The cow to add has no y"),
        ({"add": [{"type": "cow", "x": 1, "y": "up"}]}, 'whose y is a number, but was "up"'),
        ({"add": [{"type": "cow", "x": 10**400, "y": 0}]}, "is a number, but was 1000"),
        ({"add": [{"type": "cow", "x": 5, "y": 0}]}, "The cow to add at x 5, y 0 lies beyond the frame"),
        ({"add": [{"type": "cow", "x": 0, "y": 0}]}, "where the agent stands"),
        ({"add": [{"type": "cow", "x": 1, "y": 1, "colour": 3}]}, "A cow has no 'colour'"),
        ({"add": [{"type": "cow", "x": 1, "y": 1, "health": 10}]}, "The health of a cow is at most 9, but was 10"),
        ({"add": [{"type": "cow", "x": 0, "y": -1}]}, "Something stands already where the cow at x 0, y -1"),
        ({"remove": [{"type": "cow", "x": 0, "y": -1}]}, "no cow at x 0, y -1; `World.entities` tells"),
        ({"move": [{"type": "cow", "x": 1, "y": 1, "to": {"x": 1, "y": 0}}]}, "no cow at x 1, y 1"),
        ({"move": [{"type": "wolf", "x": 0, "y": -1}]}, "is moved to a place; give it as in"),
        ({"move": [{"type": "wolf", "x": 0, "y": -1, "to": {"x": 9, "y": 0}}]}, "at x 9, y 0 lies beyond the frame"),
        ({"move": [{"type": "wolf", "x": 0, "y": -1, "to": {"x": -2, "y": 1}}]}, "Something stands already"),
        ({"tiles": [{"x": 0, "y": 0, "kind": "lava"}]}, "no tile 'lava'; this world has nothing, grass, stone"),
        ({"tiles": [{"x": 0, "y": 3, "kind": "grass"}]}, "The tile at x 0, y 3 lies beyond"),
        ({"tiles": [{"kind": "grass"}]}, "A tile is given by its place and its new kind"),
        ({"set": {"gold": 1}}, "no quantity 'gold'; it has health, wood, light"),
        ({"set": {"wood": 6}}, "wood lies between 0 and 5, but was 6"),
        ({"set": {"wood": float("nan")}}, "is a number"),
        ({"set": [1]}, "an object of numbers by name"),
    ],
)  # fmt: skip
def test_mistakes_are_told(document, sentence):
    with pytest.raises(WorldError, match=sentence):
        applied(document)


def test_a_world_of_frames_alone_cannot_be_edited():
    plain = World(model=tiny_model(), params=tiny_params(), record={"name": "tiny"})
    with pytest.raises(WorldError, match="knows frames only, and what is in them cannot be edited"):
        plain.edit(plain.reset(), {"set": {"wood": 1}})


def test_a_clip_is_edited_from_a_file(tmp_path, world):
    folder, path, out = tmp_path / "meadow", tmp_path / "edit.json", tmp_path / "clip.npz"
    save_world(folder, world.model, world.params, {"name": "meadow", "licence": "", "training": {}, "figures": {}})
    path.write_text(json.dumps(EDITS["tile"][0]))
    for at in (0, 2):
        assert main(Config(world=str(folder), actions="go*4", edit=path, edit_at=at, out=out)) == 0
        loaded, frames = read_world(folder), []
        state = loaded.reset(0)
        for tick in range(4):
            if tick == at:
                state = loaded.edit(state, EDITS["tile"][0])
            state = loaded.step(state, "go")
            frames.append(loaded.render(state))
        with np.load(out) as clip:
            np.testing.assert_array_equal(clip["frames"], np.stack(frames))
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"edit": path, "edit_at": 4}, "--edit-at 4 lies behind the last of 4 ticks"),
        ({"edit_at": 2}, "--edit-at says when --edit is done; give both"),
        ({"edit": path, "edit_at": -1}, "--edit-at must be at least 0, but was -1"),
        ({"edit": tmp_path / "nowhere.json"}, "nowhere.json cannot be read"),
    ]
    for options, sentence in mistakes:
        with pytest.raises(UsageError, match=sentence):
            main(Config(world=str(folder), actions="go*4", out=out, **options))
    path.write_text(json.dumps({"set": {"gold": 1}}))
    with pytest.raises(UsageError, match=r"edit.json: This world has no quantity 'gold'"):
        main(Config(world=str(folder), actions="go*4", edit=path, out=out))
