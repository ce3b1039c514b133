"""Where tiles lie under the camera."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.models.lattice import LatticeReader, apart, between, surroundings, turned
from oyster_jax.nn import functional

TILE = 4.5
READER = functional.init(lambda _, rngs: LatticeReader(3, 8, TILE, rngs=rngs), None, jax.random.key(0))


@pytest.mark.parametrize("tiles", [-0.4, 0.0, 0.3])
def test_a_reading_says_how_far_its_place_lies_between_tiles(tiles: float) -> None:
    reading = turned(jnp.array([[2.0, 0.0], [0.5, 0.0]]), jnp.array([tiles, 3.0 + tiles]))
    np.testing.assert_allclose(between(reading), [tiles, tiles], atol=1e-5)


def test_a_sum_of_readings_is_nearest_to_the_surest() -> None:
    sure, unsure = (
        turned(jnp.array([[length, 0.0]] * 2), jnp.full((2,), at)) for length, at in ((9.0, 0.1), (1.0, 0.2))
    )
    np.testing.assert_allclose(between(sure + unsure), 0.11, atol=0.002)


def test_how_far_readings_lie_apart_counts_as_far_as_they_are_sure() -> None:
    def reading(tiles: float, length: float = 1.0) -> jax.Array:
        return turned(jnp.array([[length, 0.0]] * 2), jnp.full((2,), tiles))

    np.testing.assert_allclose(apart(reading(0.4, 5.0), reading(0.6)), 0.2, atol=1e-5)
    np.testing.assert_allclose(apart(reading(0.6), reading(0.4)), -0.2, atol=1e-5)
    np.testing.assert_allclose(apart(reading(0.4), reading(0.6, 0.5)), 0.1, atol=1e-5)
    np.testing.assert_array_equal(apart(jnp.zeros((2, 2)), reading(0.6)), 0.0)


def test_what_a_token_says_holds_for_the_middle_of_the_frame() -> None:
    """One token among others of the same look: all say the same of themselves, and lie whole tokens apart."""
    reader = functional.bind(lambda _, rngs: LatticeReader(3, 8, TILE, rngs=rngs), None, READER)
    latents = jax.random.normal(jax.random.key(1), (12, 3))
    whole = reader(latents, 4, 8)
    x = jax.nn.gelu(reader.hidden(jax.nn.gelu(reader.embed(latents))))
    said = reader.out(x).reshape(3, 4, 2, 2)
    summed = jnp.zeros((2, 2))
    for row in range(3):
        for column in range(4):
            away = jnp.array([(1.5 - column) * 8 / TILE, (1 - row) * 8 / TILE])
            summed = summed + turned(said[row, column], away)
    np.testing.assert_allclose(whole, summed, rtol=1e-4, atol=1e-5)


def _level(place: jax.Array, size: int = 40) -> jax.Array:
    """Returns a frame of a level of light and dark tiles whose middle lies at `place` of it, in tiles."""
    fine = 8
    at = (jnp.arange(size * fine, dtype=jnp.float32) + 0.5) / fine - size / 2
    column, row = (jnp.floor(at / TILE + place[axis]).astype(jnp.int32) for axis in range(2))
    bright = 200.0 * ((3 * row[:, None] + 5 * column[None, :]) % 7 < 3).astype(jnp.float32)
    pixels = bright.reshape(size, fine, size, fine).mean((1, 3))
    return jnp.broadcast_to(pixels[..., None], (size, size, 3)).astype(jnp.uint8)


def test_around_the_middle_tiles_look_the_same_wherever_it_lies_between_two() -> None:
    look = functools.partial(surroundings, tile=TILE, reach=(1, 2), samples=2)
    corner = jnp.array([11.0, 7.0])
    shifts = jnp.array([[0.02, 0.02], [0.3, 0.6], [0.5, 0.5], [0.97, 0.1]])
    seen = jnp.stack([look(_level(corner + shift), corner + shift) for shift in shifts])
    assert seen.shape == (4, 10, 6, 3)
    np.testing.assert_allclose(seen, jnp.broadcast_to(seen[:1], seen.shape), atol=0.35)
    # A place that lies in another tile shows what is a tile further on.
    further = look(_level(corner + jnp.array([1.0, 0.0])), corner)
    np.testing.assert_allclose(further[:, :-2], seen[0][:, 2:], atol=0.35)
    assert float(jnp.max(jnp.abs(further - seen[0]))) > 1.0


def test_beyond_the_frame_nothing_is_seen() -> None:
    seen = surroundings(jnp.full((8, 8, 3), 255, jnp.uint8), jnp.zeros(2), TILE, (3, 3), 1)
    np.testing.assert_array_equal(seen[0], 0.0)
    assert float(seen[3, 3, 0]) > 0.9
