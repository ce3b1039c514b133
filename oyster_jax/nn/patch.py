"""Frames to patches and back; grids to coarser grids and back."""

from oyster_jax.typing import Array, Float


def patchify(x: Float[Array, "*batch height width channels"], size: int) -> Float[Array, "*batch tokens features"]:
    """Cuts a grid into `size × size` patches, row by row; `features = size² · channels`."""
    *batch, height, width, channels = x.shape
    rows, columns = height // size, width // size
    x = x.reshape(*batch, rows, size, columns, size, channels)
    x = x.swapaxes(-4, -3)
    return x.reshape(*batch, rows * columns, size * size * channels)


def unpatchify(x: Float[Array, "*batch tokens features"], size: int, columns: int) -> Array:
    """Inverse of `patchify` for a grid of `columns` patches a row: `[*batch, height, width, channels]`."""
    *batch, tokens, features = x.shape
    rows, channels = tokens // columns, features // size**2
    x = x.reshape(*batch, rows, columns, size, size, channels)
    x = x.swapaxes(-4, -3)
    return x.reshape(*batch, rows * size, columns * size, channels)


def merge_tokens(x: Float[Array, "*batch tokens channels"], size: int, columns: int) -> Array:
    """Joins `size × size` neighbouring tokens of a grid with `columns` tokens a row into one."""
    *batch, tokens, channels = x.shape
    return patchify(x.reshape(*batch, tokens // columns, columns, channels), size)


def split_tokens(x: Float[Array, "*batch tokens channels"], size: int, columns: int) -> Array:
    """Inverse of `merge_tokens`; `columns` counts the coarse grid."""
    x = unpatchify(x, size, columns)
    return x.reshape(*x.shape[:-3], -1, x.shape[-1])
