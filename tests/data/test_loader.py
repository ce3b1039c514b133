import collections
import itertools
import json

import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.data.loader import WindowConfig, WindowSource, windows
from tests.data.synthetic import STRIDE, write

LENGTHS = [5, 40, 1, 17, 33, 8]
LENGTH = 6


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write(tmp_path_factory.mktemp("windows") / "dataset", LENGTHS, shard_bytes=6000)


def _config(**changes):
    return WindowConfig(**{"length": LENGTH, "batch": 1, "arrays": ("actions",)} | changes)


def _starts(dataset, count, **changes):
    """The first actions of `count` windows, which name their episodes and offsets."""
    batches = itertools.islice(windows(dataset, _config(**changes)), count)
    return [int(batch["actions"][0, 0]) for batch in batches]


def _all_starts(lengths=LENGTHS, first=0):
    return [STRIDE * (first + i) + t for i, ticks in enumerate(lengths) for t in range(ticks - LENGTH + 1)]


def test_batches_have_leading_batch_and_ticks(dataset):
    batch = next(iter(windows(dataset, _config(batch=7, arrays=None))))
    assert {name: (array.shape, str(array.dtype)) for name, array in batch.items()} == {
        "actions": ((7, LENGTH), "int32"),
        "rewards": ((7, LENGTH), "float32"),
        "terminals": ((7, LENGTH), "bool"),
        "frames": ((7, LENGTH, 8, 6, 3), "uint8"),
    }


def test_windows_never_cross_an_episodes_end(dataset):
    for batch in itertools.islice(windows(dataset, _config(batch=16)), 30):
        assert (np.diff(batch["actions"]) == 1).all()


def test_arrays_of_a_window_belong_together(dataset):
    for batch in itertools.islice(windows(dataset, _config(batch=4, arrays=None)), 10):
        for row in range(4):
            index, start = divmod(int(batch["actions"][row, 0]), STRIDE)
            episode = dataset[index]
            for name, array in batch.items():
                np.testing.assert_array_equal(array[row], episode.arrays[name][start : start + LENGTH])


def test_each_epoch_visits_every_window_once(dataset):
    everything = _all_starts()
    visited = _starts(dataset, 3 * len(everything))
    for epoch in range(3):
        assert sorted(visited[epoch * len(everything) :][: len(everything)]) == everything


def test_the_shuffle_shuffles_anew_in_each_epoch(dataset):
    everything = _all_starts()
    count = len(everything)
    visited = _starts(dataset, 3 * count)
    orders = [[everything.index(start) for start in visited[e * count :][:count]] for e in range(3)]
    identity = np.arange(count)
    for order in orders:
        assert abs(np.corrcoef(identity, order)[0, 1]) < 0.35
        steps = np.diff(order) % count
        assert collections.Counter(steps.tolist()).most_common(1)[0][1] < count / 4
    for one, other in itertools.combinations(orders, 2):
        assert (np.array(one) == np.array(other)).mean() < 0.2
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.35


def test_the_order_follows_from_the_seed(dataset):
    assert _starts(dataset, 40, seed=1) == _starts(dataset, 40, seed=1)
    assert _starts(dataset, 40, seed=1) != _starts(dataset, 40, seed=2)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_restored_iterator_goes_on_exactly(dataset, threads):
    source = windows(dataset, _config(batch=5, arrays=None, threads=threads))
    iterator = iter(source)
    for _ in range(23):
        next(iterator)
    state = json.loads(json.dumps(iterator.get_state()))
    expected = [next(iterator) for _ in range(30)]
    fresh = iter(source)
    fresh.set_state(state)
    iterator.set_state(state)
    for batch in expected:
        for again in (next(fresh), next(iterator)):
            for name, array in batch.items():
                np.testing.assert_array_equal(array, again[name])


@pytest.mark.parametrize("parts", [([0, 1, 2], [3, 4, 5]), ([0, 5], [1, 4], [2, 3]), ([4], [0, 1, 2, 3, 5])])
def test_processes_share_the_rows_of_the_same_batches(dataset, parts):
    """Through three epochs, which end within a batch; and from any place that one of them, or one alone, tells."""
    config = _config(batch=6)
    batches = 3 * len(_all_starts()) // 6
    whole = iter(windows(dataset, config))
    shares = [iter(windows(dataset, config, rows)) for rows in parts]
    for number in range(batches):
        if number == batches // 2:
            assert all(share.get_state() == whole.get_state() for share in shares)
            shares = [iter(windows(dataset, config, rows)) for rows in parts]
            for share in shares:
                share.set_state(whole.get_state())
        batch = next(whole)["actions"]
        for rows, share in zip(parts, shares, strict=True):
            np.testing.assert_array_equal(next(share)["actions"], batch[rows])


def test_several_datasets_are_read_as_one(dataset, tmp_path):
    more = write(tmp_path / "more", [9, 3, 12], first=50)
    everything = _all_starts() + _all_starts([9, 3, 12], first=50)
    assert sorted(_starts([dataset, more], len(everything))) == everything


def test_a_window_number_is_a_place(dataset):
    source = WindowSource([dataset, dataset], LENGTH, ("actions",))
    assert len(source) == 2 * len(_all_starts())
    for number in range(len(source)):
        _, episode, start = source.locate(number)
        assert source[number]["actions"][0] == STRIDE * episode + start
    assert source.locate(len(source) - 1) == (1, 5, LENGTHS[5] - LENGTH)


def test_evenly_drawn_windows_show_the_ends_of_an_episode_as_often_as_its_middle(dataset):
    long = {index: ticks for index, ticks in enumerate(LENGTHS) if ticks >= LENGTH}
    seen = collections.Counter()
    for batch in itertools.islice(windows(dataset, _config(even=True)), sum(long.values()) + len(long) * (LENGTH - 1)):
        assert (np.diff(batch["actions"]) == 1).all()
        seen.update(batch["actions"].ravel().tolist())
    assert set(seen) == {STRIDE * index + tick for index, ticks in long.items() for tick in range(ticks)}
    for index, ticks in long.items():
        counts = [seen[STRIDE * index + tick] for tick in range(ticks)]
        assert counts[0] == counts[-1] == min(counts) == LENGTH
        if ticks > 2 * LENGTH:
            assert counts[ticks // 2] == LENGTH


def test_real_recordings_are_read(training, held_out):
    batch = next(iter(windows([training, held_out], WindowConfig(length=8, batch=4))))
    assert sorted(batch) == ["actions", "frames", "rewards", "terminals"]
    assert batch["frames"].shape == (4, 8, 64, 64, 3)
    batch = next(iter(windows(held_out, WindowConfig(length=8, batch=4))))
    assert batch["entities"].shape == (4, 8, 64, len(held_out.spec.entity.fields))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"length": 41}, "No episode has 41 ticks; the longest has 40"),
        ({"length": 40, "batch": 2}, "do not fill one batch of 2"),
        ({"arrays": ("latents",)}, "holds no latents"),
        ({"arrays": ("pixels",)}, "Episodes have no pixels"),
        ({"length": 0}, "length of windows must be at least 1"),
        ({"seed": -1}, "seed of windows"),
    ],
)
def test_what_cannot_be_read_is_refused(dataset, changes, sentence):
    with pytest.raises(DatasetError, match=sentence):
        windows(dataset, _config(**changes))


def test_different_worlds_are_not_mixed(dataset, training):
    with pytest.raises(DatasetError, match="different worlds"):
        windows([dataset, training], _config())
    with pytest.raises(DatasetError, match="no dataset"):
        windows([], _config())
