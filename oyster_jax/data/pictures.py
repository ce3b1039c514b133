"""The size that a world's frames have, and bringing pictures of other sizes to it."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from oyster_jax.data.errors import DatasetError

#: Sides of a world's frames are multiples of this: patches of 8 pixels, merged in twos.
STEP = 16

#: Frames up to this many pixels a side stay as they are, if they fit.
LARGEST = 128

#: The shorter side of frames that are brought to another size.
SIDE = 64


#: Arrays of bytes are pictures from this many pixels a side on; smaller ones are tables of symbols, as MiniGrid's.
SMALLEST = 32


def is_picture(shape: Sequence[int], dtype: np.dtype | type | None) -> bool:
    """Returns whether arrays of this shape and dtype are pictures, colours first, last or not at all."""
    sides = [side for side in shape if side not in (1, 3, 4)]
    return dtype == np.uint8 and len(shape) in (2, 3) and len(sides) == 2 and min(sides) >= SMALLEST


def fitting(height: int, width: int) -> tuple[int, int]:
    """Returns the size for frames that come as `height × width`: theirs where it fits, or one like it.

    The shorter side then has 64 pixels, the longer one so many that the proportions are kept as nearly as multiples of
    16 can, at most 128.
    """
    if max(height, width) <= LARGEST and height % STEP == width % STEP == 0:
        return height, width
    scale = SIDE / min(height, width)
    sides = (max(SIDE, min(LARGEST, round(side * scale / STEP) * STEP)) for side in (height, width))
    return next(sides), next(sides)


def parse_size(text: str) -> tuple[int, int]:
    """Returns height and width that a text such as `64x96` tells.

    Raises:
      DatasetError: it is not written so, or the sides are no multiples of 16.
    """
    found = re.fullmatch(r"(\d+)[x×](\d+)", text.strip())
    sides = (int(found[1]), int(found[2])) if found else (0, 0)
    if min(sides) < STEP or any(side % STEP for side in sides):
        raise DatasetError(
            f"'{text}' is no size for frames; write HEIGHTxWIDTH, both multiples of {STEP}, as in 64x96."
        )
    return sides


def resized(picture: UInt8[np.ndarray, "height width 3"], size: tuple[int, int]) -> UInt8[np.ndarray, "rows columns 3"]:
    """Returns a picture of `size`, each pixel the mean of what it covers of the other."""
    if picture.shape[:2] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize((size[1], size[0]), Image.Resampling.BOX))


def as_rgb(picture: np.ndarray) -> UInt8[np.ndarray, "height width 3"]:
    """Returns a picture as RGB: grey is repeated, an alpha channel left out, colours moved from the front to the back.

    Raises:
      DatasetError: it is no picture of bytes.
    """
    found = f"{picture.dtype} {list(picture.shape)}"
    if picture.ndim == 2:
        picture = picture[:, :, None]
    if picture.ndim == 3 and picture.shape[2] not in (1, 3, 4) and picture.shape[0] in (1, 3, 4):
        picture = picture.transpose(1, 2, 0)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (1, 3, 4):
        raise DatasetError(f"A picture is uint8 [height, width, 1, 3 or 4], but this one is {found}; convert it.")
    return np.ascontiguousarray(picture.repeat(3, axis=2) if picture.shape[2] == 1 else picture[:, :, :3])


def fitted(data: bytes, height: int, width: int) -> UInt8[np.ndarray, "height width 3"]:
    """Returns the middle of somebody's picture, of any size, as a frame.

    Raises:
      DatasetError: it is no picture, or damaged.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return np.asarray(ImageOps.fit(upright, (width, height), Image.Resampling.LANCZOS))
    except (OSError, SyntaxError, ValueError) as error:
        raise DatasetError("This is no picture in PNG, JPEG or WebP that can be read; bring another file.") from error


def fitted_file(path: Path, height: int, width: int) -> UInt8[np.ndarray, "height width 3"]:
    """Returns the middle of the picture in a file as a frame; see `fitted`.

    Raises:
      DatasetError: the file cannot be read, or is no picture.
    """
    data = picture_bytes(path)
    try:
        return fitted(data, height, width)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def picture_bytes(path: Path) -> bytes:
    """Returns what somebody's file holds that should be a picture.

    Raises:
      DatasetError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror or error}); give a PNG, JPEG or WebP.") from error


def decoded(data: bytes) -> UInt8[np.ndarray, "height width 3"]:
    """Returns a picture that was stored as PNG or JPEG.

    Raises:
      DatasetError: it is neither, or damaged.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"A stored picture cannot be decoded ({error}); restore the file.") from error
