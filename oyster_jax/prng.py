"""Key derivation: every random number of a world follows from its key, its tick and the name of its use."""

import zlib

import jax

from oyster_jax.typing import Int32, PRNGKey


def tick_key(key: PRNGKey, step: Int32[jax.Array, ""], use: str) -> PRNGKey:
    """Returns the key for one named use at one tick; no key is ever split and carried (law 1)."""
    return jax.random.fold_in(jax.random.fold_in(key, step), zlib.crc32(use.encode()) & 0x7FFFFFFF)


def named_key(key: PRNGKey, use: str) -> PRNGKey:
    """Returns a key that depends on `key` and the name of its use only."""
    return jax.random.fold_in(key, zlib.crc32(use.encode()) & 0x7FFFFFFF)
