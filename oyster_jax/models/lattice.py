"""The lattice: how the tiles that a level is made of lie under the camera.

Platformers are made of square tiles, and what a body stands on or runs into are their edges. How far a frame lies
between two tiles is read off its latents to about a hundredth of a tile; what is read of many frames is summed up on
the spatial map, and looked at between tiles everything solid is in the same few places, whatever the camera does.

A reading is a vector `(length · cos, length · sin)` an axis, turned by one whole turn a tile and the longer the surer
it is. So readings of places that lie a known way apart can be turned to one another and added.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from oyster_jax.nn.dense import Dense, lifted
from oyster_jax.typing import Array, Float, Frames, Latents

#: What a colour is divided by, and how far grey is then from black.
CONTRAST, GREY = 128.0, 1.0


class LatticeReader(nnx.Module):
    """Reads the lattice off each latent token by itself, and adds that up over the frame."""

    def __init__(self, channels: int, features: int, tile: float, *, rngs: nnx.Rngs):
        self.tile = tile
        self.embed = Dense(channels, features, rngs=rngs, bias=True)
        self.hidden = Dense(features, features, rngs=rngs, bias=True)
        self.out = Dense(features, 4, rngs=rngs)

    def __call__(self, latents: Latents, columns: int, patch: int) -> Float[Array, "*batch 2 2"]:
        """Returns the reading of a frame for the place in its middle.

        Args:
          latents: of the frame.
          columns: of the latent grid.
          patch: side in pixels of what a token shows.
        """
        x = jax.nn.gelu(self.embed(latents.astype(jnp.float32)))
        said = self.out(jax.nn.gelu(self.hidden(x))).reshape(*latents.shape[:-1], 2, 2)
        rows = latents.shape[-2] // columns
        row, column = np.divmod(np.arange(latents.shape[-2]), columns)
        away = (np.stack([column, row], axis=-1) - np.array([columns - 1, rows - 1]) / 2) * patch / self.tile
        away = jnp.broadcast_to(jnp.asarray(away, jnp.float32), said.shape[:-1])
        return jnp.sum(turned(said, -away), axis=-3)


def turned(reading: Float[Array, "*batch 2 2"], tiles: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2 2"]:
    """Returns the reading of a place that lies so many tiles further to the right and down."""
    cos, sin = jnp.cos(2 * jnp.pi * tiles), jnp.sin(2 * jnp.pi * tiles)
    x, y = reading[..., 0], reading[..., 1]
    return jnp.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)


def between(reading: Float[Array, "*batch 2 2"]) -> Float[Array, "*batch 2"]:
    """Returns how far the place of a reading lies between two tiles, in tiles, in [-0.5, 0.5]."""
    return jnp.arctan2(reading[..., 1], reading[..., 0]) / (2 * jnp.pi)


def apart(known: Float[Array, "*batch 2 2"], read: Float[Array, "*batch 2 2"]) -> Float[Array, "*batch 2"]:
    """Returns how much further a reading lies than a known one, in tiles: the less the less sure it is.

    Nothing, where nothing is known.
    """
    lengths = (jnp.linalg.norm(reading, axis=-1) for reading in (known, read))
    sure = jnp.minimum(1.0, functools.reduce(jnp.minimum, lengths))
    return sure * between(turned(read, -between(known)))


def surroundings(
    frames: Frames, place: Float[Array, "*batch 2"], tile: float, reach: tuple[int, int], samples: int
) -> Float[Array, "*batch rows columns 3"]:
    """Returns what a frame shows around its middle, `samples × samples` places a tile, the same ones of each tile.

    Args:
      frames: uint8 `[*batch, height, width, 3]`.
      place: how far the middle of each lies between two tiles, in tiles, x to the right and y downwards.
      tile: pixels a tile.
      reach: tiles to see beside the one in the middle, and tiles above and below it.
      samples: places a tile, along each axis.

    Returns:
      Colours around zero, about within [-1, 1]; zero beyond the frame.
    """
    height, width = frames.shape[-3:-1]
    beside, above = reach
    # What lies further away is not looked at: half of the work is to make numbers of pixels.
    right, down = (min(size // 2, math.ceil((tiles + 2) * tile)) for size, tiles in ((width, beside), (height, above)))
    frames = frames[..., height // 2 - down : height // 2 + down, width // 2 - right : width // 2 + right, :]
    pixels = frames.astype(jnp.float32) / CONTRAST - GREY
    place = place - jnp.floor(place)
    rows = _samples(place[..., 1], above, tile, samples, 2 * down)
    columns = _samples(place[..., 0], beside, tile, samples, 2 * right)
    return jnp.einsum("...rh,...cw,...hwk->...rck", rows, columns, pixels)


def _samples(
    place: Float[Array, "*batch"], reach: int, tile: float, samples: int, size: int
) -> Float[Array, "*batch samples size"]:
    """Returns with which weight each of `size` pixels is part of each place: a triangle, as wide as two of them."""
    step = tile / samples
    ahead = (jnp.arange(samples * (2 * reach + 1), dtype=jnp.float32) + 0.5) / samples - reach
    at = (lifted(ahead, place.ndim + 1) - place[..., None]) * tile + size / 2
    away = jnp.abs(at[..., None] - lifted(jnp.arange(size, dtype=jnp.float32) + 0.5, place.ndim + 2))
    weight = jnp.maximum(0.0, 1 - away / step)
    return weight / jnp.maximum(jnp.sum(weight, axis=-1, keepdims=True), 0.1)
