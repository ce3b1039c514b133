"""Which pixels of a frame show a place of the level that was on screen before.

Nobody can know terrain that was never shown, so an error there says nothing of a world's memory. A pixel counts as seen
if the square of the level that it covers lay wholly inside an earlier frame; the camera's true positions decide, in
fractions of a pixel, so that a pixel of which a sliver is new does not count:

    |c_t + p - c_s| ≤ size / 2 - 1/2   on both axes, for one s < t

with c the middle of a frame in the level and p the middle of the pixel from the middle of its frame. Regions follow
from which frames s count. `SEEN`, the one that figures are about: those that the world was shown, its context. It
grows smaller as the camera goes on, and comes back as the camera does. `EARLIER`: all true frames of the window
before t. It holds nearly everything but the strip that has just scrolled in; a world that goes on alone never saw most
of these frames, so what it had to invent some ticks ago counts there as an error of now. `FORESEEN` is `SEEN` for as
long as the way was known, too: in every frame so far at least 95 % of the half of its height and width in the middle
were seen. Who runs or falls where nothing was shown cannot know where it lands, and from then on not where it is.

What this does not show: things that move by themselves (enemies, the agent) are wherever they are now, in a place that
was seen; and a background that scrolls at another rate than the level is counted by the level.
"""

import numpy as np
from jaxtyping import Bool, Float

#: Places that the context showed, places that any earlier true frame showed, and the first while the way was known.
SEEN, EARLIER, FORESEEN = REGIONS = ("seen", "earlier", "foreseen")

#: Share of the middle of a frame that must have been seen for the way to be known.
_KNOWN = 0.95

#: Pixels by which a camera that stands still may seem to move: positions are float32.
_ROUNDING = 1e-3


def seen_masks(
    positions: Float[np.ndarray, "ticks 2"], height: int, width: int, first: int, *, shown: int | None = None
) -> Bool[np.ndarray, "later height width"]:
    """Returns which pixels of the frames from tick `first` on were on screen before.

    Args:
      positions: the middle of each frame in the level, pixels, x to the right and y downwards.
      height: pixels of a frame.
      width: pixels of a frame.
      first: the first tick of interest; the ticks before it only show places.
      shown: how many frames from the beginning count; all before a frame's own tick unless given.
    """
    masks = np.zeros((len(positions) - first, height, width), bool)
    for tick in range(first, len(positions)):
        moved = positions[tick] - positions[: tick if shown is None else min(tick, shown)]
        columns, rows = (_inside(moved[:, axis], size) for axis, size in enumerate((width, height)))
        # How many earlier frames showed the pixel: one product over them.
        masks[tick - first] = rows.T @ columns > 0
    return masks


def foreseen(masks: Bool[np.ndarray, "ticks height width"]) -> Bool[np.ndarray, "ticks height width"]:
    """Returns masks of what was seen, empty from the first frame on whose middle was not."""
    height, width = masks.shape[1:]
    middle = masks[:, height // 4 : height - height // 4, width // 4 : width - width // 4]
    known = np.logical_and.accumulate(middle.mean((1, 2)) >= _KNOWN)
    return masks & known[:, None, None]


def _inside(moved: np.ndarray, size: int) -> np.ndarray:
    """Returns float32 `[earlier, size]`: 1 where a pixel of now lies wholly within an earlier frame on one axis."""
    middles = np.arange(size) + (1 - size) / 2
    return (np.abs(moved[:, None] + middles) <= (size - 1) / 2 + _ROUNDING).astype(np.float32)
