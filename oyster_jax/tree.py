"""Helpers over pytrees: named leaves, byte sizes, digests."""

import hashlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def named_leaves(tree: Any) -> dict[str, Any]:
    """Returns the leaves of a pytree by their path, as in `{"trunk.in.kernel": array}`, in the tree's own order."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def nested(leaves: dict[str, Any]) -> dict[str, Any]:
    """Rebuilds a nested dict from `named_leaves` of one; numbers in a path stay strings."""
    tree: dict[str, Any] = {}
    for path, leaf in leaves.items():
        *parents, last = path.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = leaf
    return tree


def tree_bytes(tree: Any) -> int:
    """Returns the bytes that the leaves of `tree` hold; a typed PRNG key counts with its words."""
    leaves = jax.tree.leaves(tree)
    return sum(_raw(leaf).nbytes for leaf in leaves)


def tree_digest(tree: Any) -> str:
    """Returns the SHA-256 over names, shapes, dtypes and bytes of all leaves, as `sha256:…`."""
    digest = hashlib.sha256()
    for path, leaf in sorted(named_leaves(tree).items()):
        array = np.ascontiguousarray(_raw(leaf))
        digest.update(f"{path} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return f"sha256:{digest.hexdigest()}"


def tree_fingerprint(tree: Any) -> str:
    """Returns a digest of names, shapes, dtypes and bytes of all leaves, wherever they lie, as `sums:…`.

    Leaves are summed up where they are, in whole numbers with a weight for each place, so that it is the same on any
    mesh and in all processes, and no array is put together for it. One changed bit always changes it.
    """
    digest = hashlib.sha256()
    leaves = sorted(named_leaves(tree).items())
    for (path, leaf), sums in zip(leaves, _weighted_sums([leaf for _, leaf in leaves]), strict=True):
        digest.update(f"{path} {leaf.dtype} {leaf.shape} {np.asarray(sums).tolist()}\n".encode())
    return f"sums:{digest.hexdigest()}"


@jax.jit
def _weighted_sums(leaves: list[Any]) -> list[jax.Array]:
    return [_weighted_sum(leaf) for leaf in leaves]


def _weighted_sum(leaf: jax.Array) -> jax.Array:
    """Returns two sums, modulo 2³², of a leaf's words, each times an odd number that depends on its place."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    if leaf.dtype == jnp.bool_:
        leaf = leaf.astype(jnp.uint8)
    words = jax.lax.bitcast_convert_type(leaf, f"uint{8 * min(leaf.dtype.itemsize, 4)}").astype(jnp.uint32)
    place = jnp.zeros(words.shape, jnp.uint32)
    for axis, size in enumerate(words.shape):
        place = place * jnp.uint32(size) + jax.lax.broadcasted_iota(jnp.uint32, words.shape, axis)
    sums = []
    for start in (0x9E3779B9, 0x85EBCA6B):
        # MurmurHash3's finalizer.
        mixed = place * jnp.uint32(0xCC9E2D51) + jnp.uint32(start)
        for factor, shift in ((0x85EBCA6B, 16), (0xC2B2AE35, 13)):
            mixed = (mixed ^ (mixed >> jnp.uint32(shift))) * jnp.uint32(factor)
        mixed = mixed ^ (mixed >> jnp.uint32(16))
        sums.append(jnp.sum(words * (mixed | jnp.uint32(1)), dtype=jnp.uint32))
    return jnp.stack(sums)


def _raw(leaf: Any) -> np.ndarray:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)
