"""Truth and simulation, laid side by side for people."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

_STRIP = 18
_GAP = 4
_TEXT = (230, 230, 230)


def side_by_side(
    left: UInt8[np.ndarray, "ticks height width 3"],
    right: UInt8[np.ndarray, "ticks height width 3"],
    labels: tuple[str, str],
    scale: int,
) -> UInt8[np.ndarray, "ticks tall wide 3"]:
    """Enlarges two clips of one shape and lays them beside each other under a strip that names them.

    Both sides of the result are even, as video coders want them.
    """
    left, right = (clip.repeat(scale, 1).repeat(scale, 2) for clip in (left, right))
    ticks, height, width, _ = left.shape
    shape = (ticks, _even(_STRIP + height), _even(2 * width + _GAP), 3)
    canvas = np.zeros(shape, np.uint8)
    canvas[:, :_STRIP] = _strip(shape[2], [(0, labels[0]), (width + _GAP, labels[1])])
    canvas[:, _STRIP : _STRIP + height, :width] = left
    canvas[:, _STRIP : _STRIP + height, width + _GAP : 2 * width + _GAP] = right
    return canvas


def _strip(width: int, labels: list[tuple[int, str]]) -> np.ndarray:
    strip = Image.new("RGB", (width, _STRIP))
    draw = ImageDraw.Draw(strip)
    for column, label in labels:
        draw.text((column + 4, 3), label, fill=_TEXT, font=ImageFont.load_default())
    return np.asarray(strip)


def _even(length: int) -> int:
    return length + length % 2
