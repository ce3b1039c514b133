import re

import numpy as np
import pytest

from oyster_jax.cli.screen import TOLERANCE, Screen, fit


def shown(text, canvas):
    """Applies what a screen printed to `canvas`, a dict from (row, column) to (upper, lower) colours."""
    row = column = 0
    colours = {38: (0, 0, 0), 48: (0, 0, 0)}
    for move, colour, mark in re.findall(r"\x1b\[(\d+;\d+)H|\x1b\[([34]8;2;\d+;\d+;\d+)m|([▀ ])", text):
        if move:
            row, column = (int(number) - 1 for number in move.split(";"))
        elif colour:
            layer, _, red, green, blue = map(int, colour.split(";"))
            colours[layer] = (red, green, blue)
        else:
            canvas[row, column] = (colours[38] if mark == "▀" else colours[48], colours[48])
            column += 1
    return canvas


def pixels(canvas, height, width):
    image = np.zeros((height, width, 3), np.uint8)
    for (row, column), (upper, lower) in canvas.items():
        image[2 * row, column], image[2 * row + 1, column] = upper, lower
    return image


@pytest.fixture
def frames():
    first = np.random.default_rng(0).integers(256, size=(16, 16, 3), dtype=np.uint8)
    second = first.copy()
    second[4:7, 5:9] = 255 - second[4:7, 5:9]
    return first, second


def test_a_frame_is_shown_and_then_changed_where_it_differs(frames):
    screen, canvas = Screen(), {}
    first = screen.draw(frames[0], [], 16, 8)
    np.testing.assert_array_equal(pixels(shown(first, canvas), 16, 16), frames[0])
    change = screen.draw(frames[1], [], 16, 8)
    np.testing.assert_array_equal(pixels(shown(change, canvas), 16, 16), frames[1])
    assert len(change) < len(first) / 4


def test_a_still_frame_costs_nothing_and_faint_noise_does_not_pile_up(frames):
    screen, canvas = Screen(), {}
    still = np.clip(frames[0], 8, 240)
    shown(screen.draw(still, [], 16, 8), canvas)
    assert "▀" not in screen.draw(still, [], 16, 8)
    for faint in range(1, 8):
        shown(screen.draw(still + np.uint8(faint), [], 16, 8), canvas)
        difference = pixels(canvas, 16, 16).astype(int) - (still + faint)
        assert np.abs(difference).max() <= TOLERANCE


def test_lines_stand_below_the_frame_and_are_cut_to_the_width(frames):
    text = Screen().draw(frames[0], ["a line that is longer than that"], 16, 9)
    assert "\x1b[9;1H\x1b[0ma line that is l\x1b[K" in text


def test_another_size_draws_all_anew(frames):
    screen = Screen()
    first = screen.draw(frames[0], ["line"], 16, 9)
    screen.draw(frames[0], ["line"], 20, 9)
    again = screen.draw(frames[0], ["line"], 16, 9)
    assert again == first
    assert "\x1b[2J" in again


@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [(64, 32, (64, 64)), (80, 22, (44, 44)), (200, 70, (128, 128)), (10, 40, (10, 10)), (64, 33, (64, 64))],
)
def test_frames_fit(columns, rows, expected):
    frame = np.full((64, 64, 3), 90, np.uint8)
    fitted = fit(frame, columns, rows)
    assert fitted.shape == (*expected, 3)
    assert (fitted == 90).all()
