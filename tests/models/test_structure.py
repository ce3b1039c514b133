"""Structure on the grid: where it lies, that unknown is unknown however it is said, and that it comes back."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.core.observation import Observation
from oyster_jax.models import structure, tokenizer
from oyster_jax.models.description import network_from_json, network_to_json
from oyster_jax.models.structure import Cells, StructureConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from tests.models.structured import CONFIG, SPEC, TOKENIZER, moments, network, shaken, without

PARAMS = shaken(tokenizer.init(TOKENIZER, jax.random.key(0)))


def test_what_is_known_lies_at_its_place():
    seen = jax.device_get(moments())
    known = jax.device_get(structure.cells(CONFIG, moments()))
    grid = {name: getattr(known, name).reshape(5, 4, 4, -1) for name in ("kinds", "types", "attributes", "levels")}
    for moment in range(5):
        assert (grid["kinds"][moment, :3].argmax(-1) == seen.tiles[moment]).all()
        assert not grid["kinds"][moment, 3].any()
        table = np.asarray(seen.entities[moment])[np.asarray(seen.entity_mask[moment])]
        expected = np.zeros((4, 4, 3))
        for kind, x, y, _ in table:
            row, column = int(table[0, 2] - y) + 1, int(x - table[0, 1]) + 2
            if 0 <= row < 3 and 0 <= column < 4:
                expected[row, column, int(kind)] += 1
        np.testing.assert_array_equal(grid["types"][moment], expected)
        health, wood = np.asarray(seen.quantities[moment, :2]).astype(int)
        assert (grid["levels"][moment, 3, 0].argmax(), grid["levels"][moment, 3, 1].argmax()) == (health, wood)
        assert grid["levels"][moment].sum() == 2
    np.testing.assert_allclose(known.free, 0.25)


def test_reading_is_the_inverse_of_laying_out():
    seen = without(moments(), "frame")
    known = structure.cells(CONFIG, seen)
    said = Cells(
        kinds=known.kinds, types=20 * known.types - 10, attributes=known.attributes, levels=known.levels,
        free=known.free,
    )  # fmt: skip
    read = structure.reading(CONFIG, said)
    assert seen.quantities is not None
    np.testing.assert_array_equal(read["tiles"], seen.tiles)
    np.testing.assert_allclose(read["quantities"], np.asarray(seen.quantities))
    np.testing.assert_array_equal(read["types"] > 0.5, known.types > 0)


def test_what_is_hidden_is_as_if_it_were_not_there():
    encoder, seen = tokenizer.bind(TOKENIZER, PARAMS).encoder, moments()
    for part in ("frame", *structure.PARTS):
        present = {name: jnp.full((5,), float(name != part)) for name in ("frame", *structure.PARTS)}
        np.testing.assert_allclose(encoder.observed(seen, present), encoder.observed(without(seen, part)), atol=1e-6)


def test_a_frame_alone_is_encoded_as_ever():
    encoder, seen = tokenizer.bind(TOKENIZER, PARAMS).encoder, moments()
    alone = encoder.observed(without(seen, *structure.PARTS))
    assert seen.frame is not None
    np.testing.assert_allclose(alone, encoder(seen.frame), atol=1e-6)
    np.testing.assert_allclose(
        encoder.observed(jax.tree.map(lambda x: x[0], seen)), encoder.observed(seen)[0], atol=1e-5
    )


def test_each_part_matters_to_the_latent():
    encoder, seen = tokenizer.bind(TOKENIZER, PARAMS).encoder, moments()
    whole = encoder.observed(seen)
    for part in ("frame", *structure.PARTS):
        assert jnp.abs(whole - encoder.observed(without(seen, part))).max() > 1e-3


def test_a_renderer_that_tells_draws_the_same_frames():
    renderer = tokenizer.bind(TOKENIZER, PARAMS).renderer
    latents = jax.random.normal(jax.random.key(1), (3, 16, 4))
    np.testing.assert_allclose(renderer.told(latents)[0], renderer(latents), atol=1e-6)


def test_descriptions_survive_json_and_stay_as_they_were_without_structure():
    model = network()
    assert network_from_json(json.loads(json.dumps(network_to_json(model))), model.spec) == model
    plain = dataclasses.replace(model, tokenizer=dataclasses.replace(model.tokenizer, structure=None))
    assert "structure" not in network_to_json(plain)["tokenizer"]
    assert network_from_json(network_to_json(plain), plain.spec) == plain


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="no tiles, quantities and entities"):
        StructureConfig.of(dataclasses.replace(SPEC, tiles=None), {})
    with pytest.raises(ValueError, match="patch of the size of a tile"):
        TokenizerConfig(height=8, width=8, patch=4, structure=CONFIG)
    with pytest.raises(ValueError, match="says something"):
        Observation()
