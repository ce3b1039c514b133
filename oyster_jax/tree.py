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


def _raw(leaf: Any) -> np.ndarray:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)
