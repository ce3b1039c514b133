"""Creatures are counted: those that stay, walk, vanish and come out of nothing, off the frame's edge."""

import dataclasses

import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.creatures import count_creatures, creature_counts
from oyster_jax.evaluate.windows import choose_windows
from tests.evaluate import recalling

CONTEXT, COW, ZOMBIE = 4, 0, 1


def there(*frames: list[tuple[int, int, int]]) -> np.ndarray:
    """One window of frames of 7 × 9 tiles, each with creatures at row, column and of a type."""
    laid = np.zeros((1, len(frames), 7, 9, 2), bool)
    for tick, creatures in enumerate(frames):
        for creature in creatures:
            laid[0, tick][creature] = True
    return laid


def test_who_walks_two_steps_lasts():
    counted = count_creatures(there([(3, 4, COW)], [(4, 5, COW)]))
    assert counted.told.tolist() == [[1, 1]]
    assert counted.asked.tolist() == counted.lasted.tolist() == [[1]]
    assert (counted.found.tolist(), counted.new.tolist()) == ([[1]], [[0]])


@pytest.mark.parametrize("other", [(3, 7, COW), (3, 4, ZOMBIE)])
def test_who_jumps_or_becomes_another_has_vanished_and_another_comes_from_nowhere(other):
    counted = count_creatures(there([(3, 4, COW)], [other, (4, 3, ZOMBIE)]))
    assert counted.asked.tolist() == [[1]]
    assert counted.lasted.tolist() == [[0]]
    assert counted.new.sum() >= 1


def test_at_the_edge_all_may_come_and_go():
    counted = count_creatures(there([(0, 4, COW)], [(3, 8, COW)], []))
    assert counted.told.tolist() == [[1, 1, 0]]
    assert not counted.asked.any()
    assert not counted.found.any()


def test_a_world_is_counted_beside_its_recording(tmp_path):
    dataset, model, params = recalling.write(tmp_path / "data"), recalling.model(), recalling.params()
    windows = choose_windows(dataset.lengths, CONTEXT + 2, 8, 0)
    # Nobody but the agent was ever recorded; the world tells of a cow that stands still.
    cow = recalling.STRUCTURE.grid[1] * 3 + 4
    params["types"] = params["types"].at[:, cow, 1 + COW].set(1.0)
    world, recorded = creature_counts(model, params, dataset, windows, context=CONTEXT, ticks=2)
    assert not recorded.told.any()
    assert (world.told == [0, 1, 1]).all()
    assert (world.asked == [0, 1]).all()
    assert (world.lasted == [0, 1]).all()
    assert (world.new == [1, 0]).all()


def test_it_needs_a_recording_with_entities(tmp_path):
    dataset = recalling.write(tmp_path / "data")
    model = recalling.model()
    windows = choose_windows(dataset.lengths, CONTEXT + 2, 4, 0)
    plain = dataclasses.replace(model, tokenizer=dataclasses.replace(model.tokenizer, structure=None))
    with pytest.raises(DatasetError, match="creatures"):
        creature_counts(plain, {}, dataset, windows, context=CONTEXT, ticks=2)
