import dataclasses

import numpy as np
import pytest

from oyster_jax.core.spec import ActionSpec, EntitySpec
from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.windows import check_dataset, choose_windows, earlier_of_same, read_windows
from tests.evaluate import toy

LENGTHS = np.asarray([5, 12, 9, 40], np.int32)


def places(windows) -> set[tuple[int, int]]:
    return set(zip(windows.episodes.tolist(), windows.starts.tolist(), strict=True))


def test_all_windows_together_are_all_places_at_which_one_fits():
    windows = choose_windows(LENGTHS, 10, 1000, seed=0)
    assert len(windows) == 34
    assert places(windows) == {(1, start) for start in range(3)} | {(3, start) for start in range(31)}


def test_the_seed_decides_and_more_windows_add_to_fewer():
    few, many, other = (choose_windows(LENGTHS, 10, n, seed) for n, seed in ((4, 7), (9, 7), (9, 8)))
    assert places(few) < places(many)
    assert places(many) == places(choose_windows(LENGTHS, 10, 9, seed=7))
    assert places(many) != places(other)


def test_spread_windows_take_every_episode_before_any_twice():
    spread = choose_windows(LENGTHS, 10, 6, seed=3, spread=True)
    assert sorted(spread.episodes[:2].tolist()) == [1, 3]
    assert places(choose_windows(LENGTHS, 10, 1000, seed=3, spread=True)) == places(
        choose_windows(LENGTHS, 10, 1000, seed=3)
    )
    assert places(choose_windows(LENGTHS, 10, 3, seed=3, spread=True)) < places(spread)


def test_of_equal_ones_it_is_told_how_many_stand_before():
    assert earlier_of_same(np.asarray([4, 1, 4, 4, 1, 0])).tolist() == [0, 0, 1, 2, 1, 0]
    assert len(earlier_of_same(np.zeros(0, np.int32))) == 0


def test_the_windows_that_are_read_are_the_chosen_ones_in_their_order(dataset):
    windows = choose_windows(dataset.lengths, 7, 9, seed=0)
    read = read_windows(dataset, windows, np.asarray([3, 0, 3]), 7, ("frames", "actions"))
    assert list(read) == ["frames", "actions"]
    for row, number in enumerate((3, 0, 3)):
        episode, start = dataset[int(windows.episodes[number])], int(windows.starts[number])
        np.testing.assert_array_equal(read["frames"][row], episode.frames[start : start + 7])
        np.testing.assert_array_equal(read["actions"][row], episode.actions[start : start + 7])


def test_a_window_longer_than_every_episode_is_refused():
    with pytest.raises(DatasetError, match="takes 41 ticks, but the longest episode has 40"):
        choose_windows(LENGTHS, 41, 1, seed=0)


def test_training_levels_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="holds training levels"):
        check_dataset(toy.write(tmp_path / "data", levels=(0, 10)), toy.SPEC)


def test_another_game_is_refused(dataset):
    other = ActionSpec(names=("noop", "up"), idle="noop")
    with pytest.raises(DatasetError, match="with actions unlike those of the world 'other'"):
        check_dataset(dataset, dataclasses.replace(toy.SPEC, name="other", action=other))


def test_entities_make_no_difference(dataset):
    check_dataset(dataset, dataclasses.replace(toy.SPEC, entity=EntitySpec(capacity=4, fields=("x",))))
