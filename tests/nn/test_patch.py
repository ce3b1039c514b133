"""Cutting frames into patches and grids into coarser grids."""

import jax.numpy as jnp
import numpy as np

from oyster_jax.nn.patch import merge_tokens, patchify, split_tokens, unpatchify


def test_patches_come_row_by_row() -> None:
    frame = jnp.arange(4 * 6).reshape(4, 6, 1).astype(jnp.float32)
    patches = patchify(frame, 2)
    assert patches.shape == (6, 4)
    np.testing.assert_array_equal(patches[0], [0, 1, 6, 7])
    np.testing.assert_array_equal(patches[1], [2, 3, 8, 9])
    np.testing.assert_array_equal(unpatchify(patches, 2, 3), frame)


def test_merging_tokens_and_splitting_them_again_changes_nothing() -> None:
    tokens = jnp.arange(2 * 16 * 3).reshape(2, 16, 3).astype(jnp.float32)
    merged = merge_tokens(tokens, 2, 4)
    assert merged.shape == (2, 4, 12)
    # The second coarse token holds columns 2 and 3 of the first two rows.
    np.testing.assert_array_equal(merged[0, 1].reshape(4, 3), tokens[0, jnp.array([2, 3, 6, 7])])
    np.testing.assert_array_equal(split_tokens(merged, 2, 2), tokens)
