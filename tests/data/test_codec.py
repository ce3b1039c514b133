import numpy as np
import pytest

from oyster_jax.data import codec
from oyster_jax.data.errors import DatasetError
from tests.data.synthetic import make_episode, same


@pytest.mark.parametrize("ticks", [1, 15, 16, 17, 100])
@pytest.mark.parametrize("full", [False, True])
def test_what_is_encoded_is_decoded(ticks, full):
    episode = make_episode(1, ticks, full=full)
    assert same(codec.decode(codec.encode(episode)), episode)


def test_the_same_episode_gives_the_same_bytes():
    assert codec.encode(make_episode(1, 40, full=True)) == codec.encode(make_episode(1, 40, full=True))


def test_a_window_is_a_slice_of_the_episode():
    episode = make_episode(1, 50, full=True)
    record = codec.encode(episode)
    names = tuple(episode.arrays)
    for start, length in [(0, 1), (0, 16), (5, 11), (5, 12), (15, 2), (16, 16), (31, 19), (49, 1), (0, 50)]:
        window = codec.decode_window(record, start, length, names)
        for name in names:
            np.testing.assert_array_equal(window[name], episode.arrays[name][start : start + length])


def test_a_window_beyond_the_episode_is_refused():
    record = codec.encode(make_episode(1, 20))
    for start, length in [(-1, 3), (18, 3), (0, 0)]:
        with pytest.raises(DatasetError, match="has 20 ticks"):
            codec.decode_window(record, start, length, ("actions",))


def test_an_array_that_is_not_there_is_refused():
    with pytest.raises(DatasetError, match="holds no latents; it holds"):
        codec.decode_window(codec.encode(make_episode(1, 3)), 0, 3, ("latents",))


def test_every_flipped_byte_is_noticed():
    record = codec.encode(make_episode(1, 3, full=True))
    for place in range(len(record)):
        damaged = bytearray(record)
        damaged[place] ^= 0x10
        with pytest.raises(DatasetError):
            codec.decode(bytes(damaged))


def test_every_truncation_and_every_addition_is_noticed():
    record = codec.encode(make_episode(1, 3))
    for length in range(len(record)):
        with pytest.raises(DatasetError):
            codec.decode(record[:length])
    with pytest.raises(DatasetError, match="instead of"):
        codec.decode(record + b"\0")


def test_damage_is_told_with_the_place():
    with pytest.raises(DatasetError, match=r"^Episode 3 in a\.array_record is not an episode"):
        codec.decode(b"nonsense nonsense", where="Episode 3 in a.array_record")
