"""Frames on their way to people: pictures, contact sheets and clips."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

CLIP_ENDINGS = (".mp4", ".webp", ".npz")


def contact_sheet(rows: Sequence[Any], *, scale: int = 1, gap: int = 1) -> np.ndarray:
    """Lays frames out in rows, uint8.

    Args:
      rows: each a uint8 array or sequence `[columns, height, width, 3]`; all of one shape.
      scale: every pixel becomes `scale × scale`.
      gap: white pixels between frames, before scaling.
    """
    cells = np.stack([np.asarray(row) for row in rows])
    cells = np.pad(cells, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=255)
    count, columns, height, width, _ = cells.shape
    sheet = cells.transpose(0, 2, 1, 3, 4).reshape(count * height, columns * width, 3)
    return sheet[: sheet.shape[0] - gap, : sheet.shape[1] - gap].repeat(scale, 0).repeat(scale, 1)


def write_image(path: Path, image: np.ndarray) -> None:
    """Writes a uint8 picture `[height, width, 3]`; the ending names the format. Nothing half-written is left."""
    from PIL import Image

    temporary = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    Image.fromarray(image).save(temporary)
    temporary.replace(path)


def write_clip(
    path: Path, frames: Iterable[Any], *, rate: float, scale: int = 1, about: str = "", **arrays: Any
) -> None:
    """Writes frames as a clip; the ending of `path` chooses among .mp4 (H.264), .webp (lossless) and .npz (exact).

    Args:
      path: where to; an existing file is replaced once the new one is whole.
      frames: uint8 `[ticks, height, width, 3]`.
      rate: frames a second.
      scale: every pixel becomes `scale × scale`; not for .npz, which keeps frames as they are.
      about: where it comes from, for programs: the comment of .mp4, the description of .webp (EXIF), an array of .npz.
      **arrays: further arrays that .npz keeps beside `frames`.

    Raises:
      ValueError: the ending is none of the three, or there is no frame.
    """
    if path.suffix not in CLIP_ENDINGS:
        raise ValueError(f"A clip ends in {', '.join(CLIP_ENDINGS)}, but '{path.name}' does not.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if path.suffix == ".npz":
            stack = np.stack([np.asarray(frame) for frame in frames])
            if about:
                arrays["about"] = about
            np.savez_compressed(temporary, frames=stack, rate=rate, **arrays)
        else:
            # One at a time: half an hour of large frames does not fit into memory.
            enlarged = (np.asarray(frame).repeat(scale, 0).repeat(scale, 1) for frame in frames)
            (_write_webp if path.suffix == ".webp" else _write_mp4)(temporary, enlarged, rate, about)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


#: What EXIF calls a description.
_DESCRIPTION = 0x010E


def _write_webp(path: Path, frames: Iterator[np.ndarray], rate: float, about: str) -> None:
    from PIL import Image

    images = [Image.fromarray(frame) for frame in frames]
    if not images:
        raise ValueError("A clip has at least one frame, but there is none.")
    first, *rest = images
    exif = Image.Exif()
    if about:
        exif[_DESCRIPTION] = about
    duration = round(1000 / rate)
    first.save(path, save_all=True, append_images=rest, duration=duration, loop=0, lossless=True, exif=exif)


def _write_mp4(path: Path, frames: Iterator[np.ndarray], rate: float, about: str) -> None:
    from fractions import Fraction

    import av

    first = next(frames, None)
    if first is None:
        raise ValueError("A clip has at least one frame, but there is none.")
    with av.open(str(path), "w") as container:
        if about:
            container.metadata["comment"] = about
        stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000))
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "12", "preset": "veryfast"}
        for frame in itertools.chain([first], frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
