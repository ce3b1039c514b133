import numpy as np
import pytest

from oyster_jax.evaluate.chunks import padded_chunks


@pytest.mark.parametrize(("count", "size"), [(7, 3), (6, 3), (2, 5), (1, 1), (0, 4)])
def test_chunks_of_one_size_hold_everything_once_in_its_order(count, size):
    chunks = list(padded_chunks(count, size))
    assert all(chosen.shape == (size,) and chosen.dtype == np.int32 for chosen, _ in chunks)
    assert [index for chosen, real in chunks for index in chosen[:real].tolist()] == list(range(count))


def test_the_last_chunk_is_filled_up_with_the_last_of_all():
    *_, (chosen, real) = padded_chunks(7, 4)
    assert chosen.tolist() == [4, 5, 6, 6]
    assert real == 3
