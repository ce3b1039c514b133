"""The map gives back what was written, where it was written, and says what it never saw."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.models import spatial_map
from oyster_jax.models.spatial_map import MapConfig

CONFIG = MapConfig(rows=40, columns=48)


def frame(seed: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8))


def smooth(x: float, y: float) -> jax.Array:
    """A 16×16 view of a level without end whose brightness changes evenly, its corner at (x, y)."""
    rows, columns = np.mgrid[:16, :16]
    value = 3 * (rows + y) + 2 * (columns + x)
    return jnp.asarray(np.repeat(np.round(value)[..., None], 3, axis=-1).astype(np.uint8))


@pytest.mark.parametrize("position", [(0.0, 0.0), (7.0, -3.0), (1000.0, -5000.0)])
def test_a_look_from_where_a_frame_was_written_shows_it_exactly(position: tuple[float, float]) -> None:
    where = jnp.array(position)
    canvas = spatial_map.write(spatial_map.blank(CONFIG), where, frame(0))
    seen, coverage = spatial_map.look(canvas, where, 16, 16)
    np.testing.assert_array_equal(seen, frame(0))
    np.testing.assert_array_equal(coverage, 1.0)


def test_what_was_never_seen_is_grey_and_uncovered() -> None:
    canvas = spatial_map.write(spatial_map.blank(CONFIG), jnp.array([0.0, 0.0]), frame(0))
    seen, coverage = spatial_map.look(canvas, jnp.array([10.0, 0.0]), 16, 16)
    np.testing.assert_array_equal(seen[:, :6], frame(0)[:, 10:])
    np.testing.assert_array_equal(coverage[:, :6], 1.0)
    np.testing.assert_array_equal(seen[:, 6:], spatial_map.UNSEEN)
    np.testing.assert_array_equal(coverage[:, 6:], 0.0)


def test_positions_between_pixels_are_interpolated() -> None:
    """On an even slope linear interpolation is exact but for rounding, once on writing and once on looking."""
    canvas = spatial_map.write(spatial_map.blank(CONFIG), jnp.array([2.3, 4.6]), smooth(2.3, 4.6))
    seen, coverage = spatial_map.look(canvas, jnp.array([3.7, 5.2]), 16, 16)
    inside = np.asarray(coverage)[:13, :13]
    np.testing.assert_array_equal(inside, 1.0)
    difference = np.asarray(seen, int)[:13, :13] - smooth(3.7, 5.2).astype(int)[:13, :13]
    assert np.abs(difference).max() <= 2


def test_newer_pixels_replace_older_ones_and_others_stay() -> None:
    canvas = spatial_map.write(spatial_map.blank(CONFIG), jnp.array([0.0, 0.0]), frame(0))
    canvas = spatial_map.write(canvas, jnp.array([8.0, 0.0]), frame(1))
    seen, _ = spatial_map.look(canvas, jnp.array([0.0, 0.0]), 16, 16)
    np.testing.assert_array_equal(seen[:, :8], frame(0)[:, :8])
    np.testing.assert_array_equal(seen[:, 8:], frame(1)[:, :8])


def test_what_is_drawn_again_a_little_otherwise_does_not_blur_the_map() -> None:
    here, changed = jnp.zeros(2), 96
    canvas = spatial_map.write(spatial_map.blank(CONFIG), here, smooth(0, 0), changed)
    again = canvas
    for tick in range(1, 6):
        again = spatial_map.write(again, here, smooth(0.1 * tick, 0), changed)
    np.testing.assert_array_equal(again, canvas)
    old, new = np.asarray(frame(0), int), np.asarray(frame(1), int)
    canvas = spatial_map.write(spatial_map.blank(CONFIG), here, frame(0), changed)
    seen, _ = spatial_map.look(spatial_map.write(canvas, here, frame(1), changed), here, 16, 16)
    moved = np.abs(new - old).max(axis=-1, keepdims=True) >= changed
    assert 0 < moved.mean() < 1
    np.testing.assert_array_equal(seen, np.where(moved, new, old))


@pytest.mark.parametrize("position", [(0.0, 0.0), (7.3, -3.6), (1000.0, -5000.0)])
def test_an_exchange_is_kept_or_undone_bit_for_bit(position: tuple[float, float]) -> None:
    where = jnp.array(position)
    before = spatial_map.write(spatial_map.blank(CONFIG), where + 5, frame(0))
    after, covered = spatial_map.exchange(before, where, frame(1))
    np.testing.assert_array_equal(after, spatial_map.write(before, where, frame(1)))
    assert not np.array_equal(after, before)
    for sound, expected in ((True, after), (False, before)):
        np.testing.assert_array_equal(spatial_map.keep(jnp.array(sound), after, where, covered), expected)


def test_an_exchange_does_not_copy_the_canvas() -> None:
    def tick(canvas: jax.Array, where: jax.Array, frame: jax.Array) -> tuple[jax.Array, jax.Array]:
        canvas, covered = spatial_map.exchange(canvas, where, frame)
        seen, _ = spatial_map.look(canvas, where + 1, 16, 16)
        return spatial_map.keep(jnp.any(seen > 9), canvas, where, covered), seen

    canvas = spatial_map.blank(MapConfig())
    compiled = jax.jit(tick, donate_argnums=0).lower(canvas, jnp.zeros(2), frame(0)).compile()
    memory = compiled.memory_analysis()
    assert memory is not None
    assert memory.alias_size_in_bytes >= canvas.nbytes
    assert memory.temp_size_in_bytes < canvas.nbytes


def test_a_draft_is_zero_where_nothing_was_seen() -> None:
    coverage = jnp.zeros((16, 16)).at[:, :6].set(1.0)
    cells = spatial_map.cell_coverage(coverage, 4)
    assert cells.shape == (16, 4)
    np.testing.assert_array_equal(cells.reshape(4, 4, 2, 2)[:, 1], [[[1.0, 0.0]] * 2] * 4)
    draft = spatial_map.draft(jax.random.normal(jax.random.key(0), (16, 3)), cells)
    assert draft.shape == (16, 7)
    columns = np.asarray(draft).reshape(4, 4, 7)
    assert columns[:, :2, :3].all()
    assert not columns[:, 2:].any()


def waves(x: float, y: float) -> jax.Array:
    """A 16×16 view of a level of soft hills, its corner at (x, y)."""
    rows, columns = np.mgrid[:16, :16]
    value = 128 + 60 * np.sin((columns + x) / 2.5) + 60 * np.cos((rows + y) / 3)
    return jnp.asarray(np.repeat(np.round(value)[..., None], 3, axis=-1).astype(np.uint8))


@pytest.mark.parametrize("error", [(0.0, 0.0), (0.8, -0.6), (-1.3, 1.1)])
def test_a_frame_is_registered_where_it_fits(error: tuple[float, float]) -> None:
    canvas = spatial_map.write(spatial_map.blank(CONFIG), jnp.array([3.0, 5.0]), waves(3.0, 5.0))
    truth = np.array([4.4, 4.3])
    near = jnp.asarray(truth + error, jnp.float32)
    found = spatial_map.registered(canvas, near, waves(*truth), spatial_map.SEARCH)
    np.testing.assert_allclose(found, truth, atol=0.1)
    doubted = spatial_map.registered(canvas, near, waves(*truth), spatial_map.SEARCH, trust=0.25)
    share = 0.25 if np.abs(np.subtract(found, near)).max() < 1 else 1.0
    np.testing.assert_allclose(doubted, near + share * (found - near), atol=1e-5)


def test_on_a_blank_canvas_a_frame_stays_where_it_is_said_to_be() -> None:
    where = jnp.array([1.5, -2.25])
    found = spatial_map.registered(spatial_map.blank(CONFIG), where, frame(0), spatial_map.SEARCH)
    np.testing.assert_allclose(found, where, atol=1e-6)


def test_a_frame_is_not_placed_by_what_the_camera_follows() -> None:
    """In an empty sky the only thing to see is the agent, which is in the middle of every frame."""
    sky = jnp.full((16, 16, 3), 20, jnp.uint8).at[6:10, 6:10].set(230)
    canvas = spatial_map.write(spatial_map.blank(CONFIG), jnp.zeros(2), sky)
    moved = jnp.array([2.0, 1.0])
    drawn_back = spatial_map.registered(canvas, moved, sky, spatial_map.SEARCH)
    np.testing.assert_allclose(drawn_back, 0.0, atol=0.2)
    found = spatial_map.registered(canvas, moved, sky, spatial_map.SEARCH, followed=10)
    np.testing.assert_allclose(found, moved, atol=1e-6)
