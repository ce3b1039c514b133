"""The spatial map: what was seen, where it was seen; a fixed-size memory of the place for as long as a world lives.

A canvas in the coordinates of the level holds the newest pixels of every place that was on screen. The dynamics says
how the camera moves; the canvas, looked at through the moved camera, is what the coming frame should show of places
already seen. The denoiser gets it as an encoded draft with its coverage, and corrects it: what moves, what is new, what
blurred. So terrain stays where it was, however long ago that was, at a cost that does not grow.

After the shifted external memory of GameGAN (arXiv 2005.12126) and Neural Map (arXiv 1702.08360), but written with
pixels, so that nothing of it must be learned. It suits cameras that translate; others switch it off.

The canvas wraps around: places further apart than its sides overwrite each other.
"""

import dataclasses

import jax
import jax.numpy as jnp

from oyster_jax.typing import Array, Bool, Float, Float32, Frame, UInt8

type Canvas = UInt8[Array, "rows columns 4"]

#: Pixels of the canvas under a frame, as they are on it.
type Patch = UInt8[Array, "height width 4"]

#: What a look shows where nothing was ever seen: mid-grey.
UNSEEN = 127

#: What the canvas's fourth number is where something was seen.
SEEN = 255

#: Places between two pixels that are told apart. All is interpolated in whole numbers, so that the last bit of no pixel
#: depends on how a program was compiled.
FRACTIONS = 64

#: Sides of the squares of pixels that become one, and linearised steps on pictures that coarse.
type Pyramid = tuple[tuple[int, int], ...]

#: For frames whose place is only guessed, and for frames that were drawn for their place.
SEARCH: Pyramid = ((4, 4), (2, 2), (1, 2))
TOUCH: Pyramid = ((1, 2),)

#: Holds a registration still where the view has no edges; in squared brightness, summed over pixels.
STILLNESS = 1e4

#: Cells a side into which a patch's coverage is divided.
CELLS = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class MapConfig:
    """The canvas and how frames get onto it; sizes in pixels.

    Attributes:
      rows: from top to bottom.
      columns: from left to right.
      changed: difference in any colour, of 255, below which a place keeps the pixel that it has; 0 writes all. Drawn
        frames are a little blurred, and written over each other again and again they blur what was once seen sharply.
      given_trust: share of a correction of less than a pixel that a given frame makes to its place; see `registered`.
        With a camera of its own that is the least, and the first frames of a world make more; see `tracking`.
      drawn_trust: the same of a frame that the world drew. With a camera of its own that lies where it was drawn for.
      followed: side of the square in the middle of a frame by which no frame is placed, for what the camera follows is
        there: it looks the same wherever it stands, and on the map is where it stood a tick ago.
    """

    rows: int = 256
    columns: int = 512
    changed: int = 0
    given_trust: float = 1.0
    drawn_trust: float = 1.0
    followed: int = 0


def blank(config: MapConfig) -> Canvas:
    """Returns a canvas on which nothing was seen: red, green, blue, and 255 where something was."""
    return jnp.zeros((config.rows, config.columns, 4), jnp.uint8)


def write(canvas: Canvas, position: Float32[Array, "2"], frame: Frame, changed: int = 0) -> Canvas:
    """Returns the canvas with a frame on it; see `exchange`."""
    drawn = _drawn(position, frame)
    if changed:
        drawn = _changed(_cut(canvas, position, *frame.shape[:2]), drawn, changed)
    return _pasted(canvas, position, drawn)


def exchange(canvas: Canvas, position: Float32[Array, "2"], frame: Frame, changed: int = 0) -> tuple[Canvas, Patch]:
    """Puts a frame on the canvas.

    Args:
      canvas: what was seen before.
      position: of the frame's corner, in pixels, x to the right and y downwards; any number, fractions too.
      frame: uint8 `[height, width, 3]`.
      changed: see `MapConfig`.

    Returns:
      The canvas with the frame on it, and what was there before, for `keep`.
    """
    covered = _cut(canvas, position, *frame.shape[:2])
    # What is covered must be read before it is written over, or the compiler keeps a copy of the whole canvas.
    covered, frame = jax.lax.optimization_barrier((covered, frame))
    return write(canvas, position, frame, changed), covered


def keep(sound: Bool[Array, ""], canvas: Canvas, position: Float32[Array, "2"], covered: Patch) -> Canvas:
    """Returns the canvas of an `exchange` at `position` if that is `sound`, else the one from before it.

    It chooses between two patches. Between two canvases, the choice would move 500 KB a tick.
    """
    drawn = _cut(canvas, position, *covered.shape[:2])
    return _pasted(canvas, position, jnp.where(sound, drawn, covered))


def look(
    canvas: Canvas, position: Float32[Array, "2"], height: int, width: int
) -> tuple[UInt8[Array, "height width 3"], Float32[Array, "height width"]]:
    """Returns what the canvas shows through a camera at `position`, and how much of each pixel was seen, in [0, 1]."""
    corner = jnp.floor(position)
    rows, columns = _places(canvas, corner, height + 1, width + 1)
    found = canvas[rows[:, None], columns[None, :]].astype(jnp.int32)
    x, y = _fraction(position - corner)
    found = (FRACTIONS - y) * found[:-1] + y * found[1:]
    found = (FRACTIONS - x) * found[:, :-1] + x * found[:, 1:]
    whole, seen = SEEN * FRACTIONS**2, found[..., 3:]
    # Pixels never seen are 0 on the canvas: what is left of the others is scaled up again.
    colours = (SEEN * found[..., :3] + seen // 2) // jnp.maximum(seen, 1)
    colours = jnp.where(2 * seen > whole, colours, UNSEEN)
    return jnp.minimum(colours, 255).astype(jnp.uint8), seen[..., 0].astype(jnp.float32) / whole


def registered(
    canvas: Canvas,
    position: Float32[Array, "2"],
    frame: Frame,
    pyramid: Pyramid,
    trust: float = 1.0,
    followed: int = 0,
) -> Float32[Array, "2"]:
    """Returns where a frame fits best what the canvas shows, near `position`.

    Least squares on the linearised shift, over all pixels that were seen (Lucas and Kanade 1981, IJCAI), from coarse to
    fine. On CoinRun errors of 5 pixels came down to 0.2, by which two frames that the simulator itself draws differ.

    Args:
      canvas: what was seen before.
      position: of the frame's corner as far as is known.
      frame: uint8 `[height, width, 3]`.
      pyramid: how often, and on how coarse pictures.
      trust: share of a correction of less than a pixel that is made: a frame's place is read to 0.2 pixels, and a
        camera that has learned how it moves knows better.
      followed: see `MapConfig`.
    """
    height, width, _ = frame.shape
    telling = _around_the_middle(height, width, followed)

    def step(size: int, position: Array) -> Array:
        seen, coverage = look(canvas, position, *frame.shape[:2])
        shown, pixels = (_pooled(x.astype(jnp.float32), size) for x in (seen, frame))
        known = (_pooled((coverage * telling)[..., None], size) > 0.99).astype(jnp.float32)
        x, y = (known * jnp.asarray(jnp.gradient(shown, axis=axis)) for axis in (1, 0))
        rest, still = pixels - shown, STILLNESS / size**2
        xx, xy, yy = jnp.sum(x * x) + still, jnp.sum(x * y), jnp.sum(y * y) + still
        dx, dy = jnp.sum(x * rest), jnp.sum(y * rest)
        shift = size * jnp.stack([yy * dx - xy * dy, xx * dy - xy * dx]) / (xx * yy - xy * xy)
        return position + jnp.clip(shift, -3.0, 3.0)

    found = position
    for size, times in pyramid:
        found = jax.lax.fori_loop(0, times, lambda _, found, size=size: step(size, found), found)
    if trust == 1:
        return found
    correction = found - position
    return position + jnp.where(jnp.max(jnp.abs(correction)) < 1.0, trust, 1.0) * correction


def cell_coverage(coverage: Float[Array, "*batch height width"], patch: int) -> Float[Array, "*batch tokens cells"]:
    """Returns how much of each quarter of each patch was seen, in [0, 1]."""
    *batch, height, width = coverage.shape
    size = patch // CELLS
    cells = coverage.reshape(*batch, height // patch, CELLS, size, width // patch, CELLS, size).mean((-1, -4))
    cells = cells.swapaxes(-3, -2)
    return cells.reshape(*batch, -1, CELLS * CELLS)


def draft(
    latents: Float[Array, "*batch tokens channels"], cells: Float[Array, "*batch tokens cells"]
) -> Float[Array, "*batch tokens features"]:
    """Joins the latents of a look with their coverage; where nothing was seen both are zero."""
    known = jnp.max(cells, axis=-1, keepdims=True) > 0
    return jnp.concatenate([jnp.where(known, latents, 0.0), cells], axis=-1)


def known(draft: Float[Array, "*batch tokens features"], share: float) -> Bool[Array, "*batch tokens 1"]:
    """Returns of which tokens of a draft at least that `share` of every quarter of the patch was seen, in [0, 1]."""
    return jnp.min(draft[..., -(CELLS**2) :], axis=-1, keepdims=True) >= share


def _drawn(position: Array, frame: Frame) -> Patch:
    """Returns a frame moved by less than a pixel to whole places, marked as seen."""
    corner = jnp.round(position)
    pixels = frame.astype(jnp.int32)
    for axis, offset in ((1, corner[0] - position[0]), (0, corner[1] - position[1])):
        pixels = _shifted(pixels, _fraction(offset), axis)
    pixels = (pixels + FRACTIONS**2 // 2) // FRACTIONS**2
    seen = jnp.full((*frame.shape[:2], 1), SEEN, jnp.uint8)
    return jnp.concatenate([pixels.astype(jnp.uint8), seen], axis=-1)


def _changed(before: Patch, drawn: Patch, least: int) -> Patch:
    """Returns a drawn patch with the pixels of before where the two differ by less than `least` in every colour."""
    difference = jnp.max(jnp.abs(drawn.astype(jnp.int32) - before.astype(jnp.int32)), axis=-1, keepdims=True)
    # A pixel that was never seen differs in its fourth number, by all there is.
    return jnp.where(difference < least, before, drawn)


def _cut(canvas: Canvas, position: Array, height: int, width: int) -> Patch:
    rows, columns = _places(canvas, jnp.round(position), height, width)
    return canvas[rows[:, None], columns[None, :]]


def _pasted(canvas: Canvas, position: Array, patch: Patch) -> Canvas:
    rows, columns = _places(canvas, jnp.round(position), *patch.shape[:2])
    return canvas.at[rows[:, None], columns[None, :]].set(patch, unique_indices=True)


def _places(canvas: Canvas, corner: Array, height: int, width: int) -> tuple[Array, Array]:
    left, top = corner.astype(jnp.int32)
    return (top + jnp.arange(height)) % canvas.shape[0], (left + jnp.arange(width)) % canvas.shape[1]


def _around_the_middle(height: int, width: int, side: int) -> Float32[Array, "height width"]:
    """Returns 0 within a square of `side` in the middle of a frame, 1 around it."""
    across, down = (
        jnp.abs(jnp.arange(size, dtype=jnp.float32) + (1 - size) / 2) < side / 2 for size in (width, height)
    )
    return jnp.where(down[:, None] & across[None, :], 0.0, 1.0)


def _pooled(pixels: Array, size: int) -> Array:
    """Returns the means of `size × size` squares of `[height, width, colours]`."""
    height, width, colours = pixels.shape
    return pixels.reshape(height // size, size, width // size, size, colours).mean((1, 3))


def _fraction(offset: Array) -> Array:
    return jnp.round(offset * FRACTIONS).astype(jnp.int32)


def _shifted(pixels: Array, offset: Array, axis: int) -> Array:
    """Returns `FRACTIONS` times `pixels`, sampled `offset` fractions further along an axis, linearly, edges held."""
    size = pixels.shape[axis]
    padded = jnp.pad(pixels, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
    before, after = (jnp.take(padded, jnp.arange(size) + start, axis=axis) for start in (0, 2))
    share = jnp.abs(offset)
    return (FRACTIONS - share) * pixels + share * jnp.where(offset > 0, after, before)
