"""Frames as coloured half blocks: one character cell shows two pixels, one above the other."""

import functools

import numpy as np
from jaxtyping import UInt8
from PIL import Image

#: A cell is drawn anew when a colour differs by more than this from what it shows: less is not seen, and a learned
#: world's still places are never quite still.
TOLERANCE = 4

_BEGIN, _END = "\x1b[?2026h", "\x1b[0m\x1b[?2026l"  # both in one go, where the terminal knows how


def fit(frame: UInt8[np.ndarray, "height width 3"], columns: int, rows: int) -> UInt8[np.ndarray, "tall wide 3"]:
    """Enlarges a frame by a whole factor, or shrinks it, to fit into `columns` × `rows` character cells."""
    height, width, _ = frame.shape
    room = min(columns / width, 2 * rows / height)
    if room >= 1:
        frame = frame.repeat(int(room), 0).repeat(int(room), 1)
    else:
        size = max(1, int(width * room)), max(1, int(height * room))
        frame = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))
    return np.pad(frame, ((0, frame.shape[0] % 2), (0, 0), (0, 0)))


class Screen:
    """Remembers what a terminal shows, and says how to change it into the next frame."""

    def __init__(self) -> None:
        self._cells: np.ndarray | None = None
        self._lines: list[str] = []
        self._size = (0, 0)

    def draw(self, frame: UInt8[np.ndarray, "height width 3"], lines: list[str], columns: int, rows: int) -> str:
        """Returns what to print so that a terminal of `columns` × `rows` shows `frame` with `lines` below it."""
        out = [_BEGIN]
        if (columns, rows) != self._size:
            self._cells, self._lines, self._size = None, [], (columns, rows)
            out.append("\x1b[0m\x1b[2J")
        pixels = fit(frame, columns, max(1, rows - len(lines)))
        cells = np.concatenate([pixels[0::2], pixels[1::2]], axis=-1)
        out += self._changes(cells)
        below = len(cells)
        for index, line in enumerate(lines):
            if index >= len(self._lines) or self._lines[index] != line:
                out.append(f"\x1b[{below + index + 1};1H\x1b[0m{line[:columns]}\x1b[K")
        self._lines = list(lines)
        return "".join([*out, _END])

    def _changes(self, cells: np.ndarray) -> list[str]:
        """Returns cursor movements, colours and blocks for the cells that differ; updates what is remembered."""
        if self._cells is None or self._cells.shape != cells.shape:
            changed = np.ones(cells.shape[:2], bool)
            self._cells = cells.copy()
        else:
            changed = np.any(np.abs(cells.astype(np.int16) - self._cells) > TOLERANCE, axis=-1)
            self._cells[changed] = cells[changed]
        packed = cells.astype(np.int32) @ np.kron(np.eye(2, dtype=np.int32), np.array([[65536], [256], [1]], np.int32))
        places = np.argwhere(changed).tolist()
        out, upper, lower, cursor = [], -1, -1, (-1, -1)
        for (row, column), (above, below) in zip(places, packed[changed].tolist(), strict=True):
            if (row, column) != cursor:
                out.append(f"\x1b[{row + 1};{column + 1}H")
            cursor = (row, column + 1)
            if below != lower:
                out.append(_colour(48, below))
                lower = below
            if above == below:
                out.append(" ")
                continue
            if above != upper:
                out.append(_colour(38, above))
                upper = above
            out.append("▀")
        return out


@functools.lru_cache(maxsize=65536)
def _colour(layer: int, packed: int) -> str:
    return f"\x1b[{layer};2;{packed >> 16};{packed >> 8 & 255};{packed & 255}m"
