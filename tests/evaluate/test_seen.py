import numpy as np
import pytest

from oyster_jax.evaluate.fidelity import HIGHEST_PSNR
from oyster_jax.evaluate.open_loop import CEILING, COPY_LAST, MODEL, OpenLoopConfig, measure_open_loop
from oyster_jax.evaluate.open_loop_figures import open_loop_figures
from oyster_jax.evaluate.seen import EARLIER, FORESEEN, SEEN, foreseen, seen_masks
from tests.evaluate import scroller
from tests.evaluate.scroller import Walker

CONFIG = OpenLoopConfig(windows=12, context=3, horizons=(1, 4, 16), chunk=5, shown=2, random=False)


@pytest.fixture(scope="module")
def level(tmp_path_factory):
    return scroller.write(tmp_path_factory.mktemp("level") / "data")


def walk(*positions):
    return np.asarray(positions, np.float32)


def test_a_camera_that_stands_still_has_seen_everything():
    assert seen_masks(walk((3, 4), (3, 4), (3, 4)), 6, 8, 1).all()


def test_what_scrolls_into_view_was_not_seen():
    right, down = seen_masks(walk((0, 0), (3, 0), (3, 2)), 6, 8, 1)
    np.testing.assert_array_equal(right, np.broadcast_to(np.arange(8) < 5, (6, 8)))
    np.testing.assert_array_equal(down, np.broadcast_to(np.arange(6)[:, None] < 4, (6, 8)))


def test_a_pixel_of_which_a_sliver_is_new_does_not_count():
    (mask,) = seen_masks(walk((0, 0), (2.1, 0)), 6, 8, 1)
    np.testing.assert_array_equal(mask[0], np.arange(8) < 5)


def test_a_corner_that_no_frame_showed_was_not_seen():
    # To the right, then back and down: the frame to the right and below has one corner that neither showed.
    mask = seen_masks(walk((0, 0), (4, 0), (0, 3), (4, 3)), 6, 8, 3)[0]
    expected = np.ones((6, 8), bool)
    expected[3:, 4:] = False
    np.testing.assert_array_equal(mask, expected)


def test_places_seen_long_ago_count():
    far = seen_masks(walk((0, 0), (100, 0), (200, 0), (0, 0)), 6, 8, 1)
    assert not far[0].any()
    assert not far[1].any()
    assert far[2].all()


def test_only_frames_that_were_shown_count():
    mask = seen_masks(walk((0, 0), (3, 0), (6, 0), (9, 0)), 6, 8, 2, shown=2)
    np.testing.assert_array_equal(mask[:, 0], [np.arange(8) < 5, np.arange(8) < 2])


def test_who_left_what_was_shown_is_not_foreseen_even_once_back():
    away = walk((0, 0), (2, 0), (0, 0), (9, 0), (0, 0))
    seen = seen_masks(away, 8, 8, 1, shown=1)
    known = foreseen(seen)
    np.testing.assert_array_equal(known[:2], seen[:2])
    assert not known[2:].any()
    assert seen[3].all()


def test_the_masks_agree_with_a_canvas_of_the_level():
    positions = np.cumsum(np.random.default_rng(0).integers(-3, 4, (30, 2)), 0).astype(np.float32)
    masks = seen_masks(positions, 6, 8, 2)
    canvas = np.zeros((300, 300), bool)
    for tick, (x, y) in enumerate(positions.astype(int) + 150):
        view = canvas[y - 3 : y + 3, x - 4 : x + 4]
        if tick >= 2:
            np.testing.assert_array_equal(masks[tick - 2], view)
        view[:] = True


def test_a_world_that_remembers_is_right_where_something_was_seen(level):
    found = open_loop_figures([measure_open_loop(Walker(), {}, level, CONFIG)])
    assert found.seen is not None
    assert found.earlier is not None
    assert found.seen.share[1] > found.seen.share[16] > 0.2
    for horizon in CONFIG.horizons:
        # New columns scroll in and are black; those that the context showed are perfect.
        assert found.psnr[MODEL][horizon].value < 30
        assert found.seen.psnr[MODEL][horizon].value == HIGHEST_PSNR
    assert found.seen.psnr[CEILING][16].value == HIGHEST_PSNR
    assert found.seen.psnr[COPY_LAST][16].value < 20
    # What scrolled in some ticks ago is still black, though true frames have shown it since.
    assert found.earlier.share[16] > found.seen.share[16]
    assert found.earlier.psnr[MODEL][16].value < 20


def test_a_known_error_in_the_seen_region_gives_the_known_figure(level):
    measured = measure_open_loop(Walker(remembers=False), {}, level, CONFIG)
    found = open_loop_figures([measured])
    # After 16 ticks no walker's way was known any more.
    for region, figures, horizon in (
        (SEEN, found.seen, 16), (EARLIER, found.earlier, 16), (FORESEEN, found.foreseen, 4),
    ):  # fmt: skip
        assert figures is not None
        at = CONFIG.horizons.index(horizon)
        truth, masks = measured.real[:, at] / 255, measured.regions[region].masks[:, at]
        expected = -10 * np.log10((np.square(truth).mean(-1) * masks).sum() / masks.sum())
        assert figures.psnr[MODEL][horizon].value == pytest.approx(expected, abs=1e-3)


def test_a_recording_without_entities_has_no_seen_region(dataset):
    from tests.evaluate.toy import Exact

    measured = measure_open_loop(Exact(), {}, dataset, CONFIG)
    assert measured.regions == {}
    assert open_loop_figures([measured]).seen is None
