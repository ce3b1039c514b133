"""Scenes say what moments say, and come back as they were."""

import json

import numpy as np
import pytest

from oyster_jax.core.facts import holds, places
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.scenes import Scenes, read_moments
from oyster_jax.data.sources.craftax_facts import FACTS
from oyster_jax.data.sources.craftax_state import ENTITIES, TILES
from tests.data.craftax_moments import SPEC, moments
from tests.data.synthetic import write


def test_what_is_said_of_a_scene_is_said_of_its_moment():
    seen = moments(120, seed=6)
    scenes = Scenes.of(SPEC, seen)
    tokens = scenes.tokens(seen)
    again = scenes.moments(tokens)
    np.testing.assert_array_equal(again.tiles, seen.tiles)
    np.testing.assert_array_equal(again.quantities[:, :-1], seen.quantities[:, :-1])
    assert np.abs(again.quantities[:, -1] - seen.quantities[:, -1]).max() <= 0.026
    facts = [fact for fact in FACTS if fact.topic != "time"]
    np.testing.assert_array_equal(holds(SPEC, facts, again), holds(SPEC, facts, seen))
    np.testing.assert_array_equal(scenes.tokens(again), tokens)


def test_only_what_was_recorded_can_be():
    seen = moments(200, seed=7)
    scenes = Scenes.of(SPEC, seen)
    assert [scenes.symbols[number] for number in scenes.standing] == [(TILES.kinds.index("grass"), 0)]
    generator = np.random.default_rng(0)
    levels = np.array([len(scenes.symbols)] * 63 + list(scenes.levels))
    drawn = scenes.moments(generator.integers(0, levels, (50, len(levels))).astype(np.int32))
    row, column, shown = places(SPEC, drawn)
    assert shown.any()
    under = drawn.tiles[np.nonzero(shown)[0], row[shown], column[shown]]
    assert (under == TILES.kinds.index("grass")).all()
    health = ENTITIES.column("health")
    np.testing.assert_array_equal(drawn.entities[:, 0, health], drawn.quantities[:, 0])


def test_what_tokens_mean_is_kept_in_a_file():
    scenes = Scenes.of(SPEC, moments(30, seed=8))
    assert Scenes.from_json(SPEC, json.loads(json.dumps(scenes.to_json()))) == scenes


def test_a_recording_without_structure_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="holds no entities, entity_mask, quantities, tiles"):
        read_moments(write(tmp_path / "plain", [5]))
