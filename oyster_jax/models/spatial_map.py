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

from oyster_jax.typing import Array, Float, Float32, Frame, UInt8

type Canvas = UInt8[Array, "rows columns 4"]

#: What a look shows where nothing was ever seen: mid-grey.
UNSEEN = 127.0

#: Linearised steps of a registration, and the weight that holds it still (squared brightness a pixel, summed).
REGISTRATIONS, STILLNESS = 4, 1e4

#: Cells a side into which a patch's coverage is divided.
CELLS = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class MapConfig:
    """The size of the canvas, in pixels.

    Attributes:
      rows: from top to bottom.
      columns: from left to right.
    """

    rows: int = 256
    columns: int = 512


def blank(config: MapConfig) -> Canvas:
    """Returns a canvas on which nothing was seen: red, green, blue, and 255 where something was."""
    return jnp.zeros((config.rows, config.columns, 4), jnp.uint8)


def write(canvas: Canvas, position: Float32[Array, "2"], frame: Frame) -> Canvas:
    """Returns the canvas with a frame on it.

    Args:
      canvas: what was seen before.
      position: of the frame's corner, in pixels, x to the right and y downwards; any number, fractions too.
      frame: uint8 `[height, width, 3]`.
    """
    corner = jnp.round(position)
    pixels = frame.astype(jnp.float32)
    for axis, offset in ((1, corner[0] - position[0]), (0, corner[1] - position[1])):
        pixels = _shifted(pixels, offset, axis)
    seen = jnp.full((*frame.shape[:2], 1), 255, jnp.uint8)
    patch = jnp.concatenate([jnp.round(pixels).astype(jnp.uint8), seen], axis=-1)
    rows, columns = _places(canvas, corner, frame.shape[0], frame.shape[1])
    return canvas.at[rows[:, None], columns[None, :]].set(patch, unique_indices=True)


def look(
    canvas: Canvas, position: Float32[Array, "2"], height: int, width: int
) -> tuple[UInt8[Array, "height width 3"], Float32[Array, "height width"]]:
    """Returns what the canvas shows through a camera at `position`, and how much of each pixel was seen, in [0, 1]."""
    corner = jnp.floor(position)
    rows, columns = _places(canvas, corner, height + 1, width + 1)
    found = canvas[rows[:, None], columns[None, :]].astype(jnp.float32)
    x, y = position - corner
    found = (1 - y) * found[:-1] + y * found[1:]
    found = (1 - x) * found[:, :-1] + x * found[:, 1:]
    coverage = found[..., 3:] / 255
    # Pixels never seen are 0 on the canvas: what is left of the others is scaled up again.
    colours = jnp.where(coverage > 0.5, found[..., :3] / jnp.maximum(coverage, 0.5), UNSEEN)
    return jnp.round(jnp.minimum(colours, 255)).astype(jnp.uint8), coverage[..., 0]


def registered(canvas: Canvas, position: Float32[Array, "2"], frame: Frame) -> Float32[Array, "2"]:
    """Returns where a frame fits best what the canvas shows, near `position`.

    Least squares on the linearised shift, over all pixels that were seen (Lucas and Kanade 1981, IJCAI), four times.
    On CoinRun this took errors of 1.5 pixels to 0.2; two frames that the simulator drew differ by as much.
    """
    pixels = frame.astype(jnp.float32)

    def step(position: Array, _: None) -> tuple[Array, None]:
        seen, coverage = look(canvas, position, *frame.shape[:2])
        shown, known = seen.astype(jnp.float32), (coverage > 0.99).astype(jnp.float32)[..., None]
        x, y = known * jnp.gradient(shown, axis=1), known * jnp.gradient(shown, axis=0)
        rest = pixels - shown
        # Without this a view without edges would have no solution.
        xx, xy, yy = jnp.sum(x * x) + STILLNESS, jnp.sum(x * y), jnp.sum(y * y) + STILLNESS
        dx, dy = jnp.sum(x * rest), jnp.sum(y * rest)
        shift = jnp.stack([yy * dx - xy * dy, xx * dy - xy * dx]) / (xx * yy - xy * xy)
        return position + jnp.clip(shift, -1.0, 1.0), None

    return jax.lax.scan(step, position, length=REGISTRATIONS)[0]


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


def _places(canvas: Canvas, corner: Array, height: int, width: int) -> tuple[Array, Array]:
    left, top = corner.astype(jnp.int32)
    return (top + jnp.arange(height)) % canvas.shape[0], (left + jnp.arange(width)) % canvas.shape[1]


def _shifted(pixels: Array, offset: Array, axis: int) -> Array:
    """Returns `pixels` sampled `offset` in [-0.5, 0.5] further along an axis, linearly, edges held."""
    size = pixels.shape[axis]
    padded = jnp.pad(pixels, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
    before, after = (jnp.take(padded, jnp.arange(size) + start, axis=axis) for start in (0, 2))
    share = jnp.abs(offset)
    return (1 - share) * pixels + share * jnp.where(offset > 0, after, before)
