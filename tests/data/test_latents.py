import numpy as np
import pytest

from oyster_jax.data.latents import BLOCK, cache_latents
from tests.data.synthetic import write


@pytest.mark.parametrize("lengths", [[5, 300, 1, 17, 128, 8], [BLOCK, BLOCK], [64, 64, 3], [3]])
def test_every_frame_gets_its_own_latents_whatever_block_it_falls_into(tmp_path, lengths):
    dataset = write(tmp_path / "frames", lengths)
    blocks, told = [], []

    def encode(memory, block):
        blocks.append(block)
        count = 0 if memory is None else memory
        assert count == len(blocks) - 1
        rows = np.arange(BLOCK) + BLOCK * count
        # Numbers beyond 2,048 are not exact in float16: in two digits they are.
        return count + 1, {"latents": np.stack([rows // 100, rows % 100], -1)[:, None].astype(np.float16)}

    cached = cache_latents(dataset, encode, "sha256:1", tmp_path / "latents", told.append)
    assert cached.lengths.tolist() == lengths
    assert told == np.cumsum(lengths).tolist()
    latents = np.concatenate([episode.arrays["latents"][:, 0] for episode in cached])
    np.testing.assert_array_equal(latents @ [100, 1], np.arange(sum(lengths)))
    seen = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    frames = np.concatenate([episode.arrays["frames"] for episode in dataset])
    np.testing.assert_array_equal(seen["frames"][: len(frames)], frames)
    assert (seen["frames"][len(frames) :] == frames[-1]).all()
    assert np.flatnonzero(seen["began"][: len(frames)]).tolist() == np.cumsum([0, *lengths[:-1]]).tolist()
    assert len(blocks) == -(-sum(lengths) // BLOCK)
    again = cache_latents(dataset, encode, "sha256:1", tmp_path / "latents")
    assert (len(again), len(blocks)) == (len(lengths), -(-sum(lengths) // BLOCK))
