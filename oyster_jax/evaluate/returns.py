"""Returns to a place: which tick is the return, what was shown there, and what should have been.

`evaluate.permanence` says what is compared and why.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int32, UInt8

from oyster_jax.data.camera import camera_positions, pixels_per_tile
from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.objects import Agreement, Things, agreement
from oyster_jax.evaluate.seen import seen_masks
from oyster_jax.evaluate.simulation import Simulated
from oyster_jax.evaluate.trials import Trials

#: What is compared with the truth at the return.
MODEL, DEPARTURE, TURN, RECALL = METHODS = ("model", "departure", "turn", "recall")

#: Which pixels are compared.
SEEN, HIDDEN = REGIONS = ("seen", "hidden")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Returns:
    """What was measured in the trials of one absence.

    Attributes:
      kinds: int32 `[trials]`, index into `PATHS`.
      levels: int32 `[trials]`.
      ticks: int32 `[trials]`, ticks from leaving to the return.
      errors: by region and method, sums of squared errors in [0, 1] over values, float64 `[trials]`.
      values: by region, how many values those are, float64 `[trials]`.
      departure: agreement on objects at leaving; None where the world reads none out.
      arrival: the same at the return.
      place_errors: float64 `[trials]`, tiles; None where the world reads no position out.
      truth: uint8 `[shown, 1 + ticks, height, width, 3]`.
      frames: the same shape, what the world showed.
      masks: bool `[shown, height, width]`, the seen pixels at the return.
    """

    kinds: Int32[np.ndarray, "trials"]
    levels: Int32[np.ndarray, "trials"]
    ticks: Int32[np.ndarray, "trials"]
    errors: dict[str, dict[str, np.ndarray]]
    values: dict[str, np.ndarray]
    departure: tuple[Agreement, ...] | None
    arrival: tuple[Agreement, ...] | None
    place_errors: np.ndarray | None
    truth: np.ndarray
    frames: np.ndarray
    masks: np.ndarray

    @property
    def frame_pixels(self) -> int:
        """Pixels of a frame."""
        return self.truth.shape[-3] * self.truth.shape[-2]


def distances_of(courses: np.ndarray, context: int) -> np.ndarray:
    """Returns tiles `[…, 1 + ticks]` from the place of leaving, from courses `[…, length, 4]`."""
    places = courses[..., context - 1 :, :2]
    return np.linalg.norm(places - places[..., :1, :], axis=-1)


def return_ticks(distances: np.ndarray, absence: int) -> np.ndarray:
    """Returns the tick on the way back at which each camera is nearest to where it left."""
    return absence + 1 + distances[..., absence + 1 :].argmin(axis=-1)


def compare_returns(trials: Trials, simulated: Simulated, absence: int, shown: int) -> Returns:
    """Sets what a world showed at each return beside what the simulator showed.

    Args:
      trials: what the simulator did.
      simulated: what the world did.
      absence: ticks of the way away.
      shown: trials whose frames are kept.
    """
    distances = distances_of(trials.courses[:, 0], trials.context)
    ticks = return_ticks(distances, absence)
    turns = distances.argmax(axis=-1)
    rows = [
        _compare(simulated, _scene(trials, index, int(tick), int(min(turn, tick - 1))))
        for index, (tick, turn) in enumerate(zip(ticks, turns, strict=True))
    ]
    examples = trials.examples(shown)
    has_objects, has_position = simulated.entities is not None, simulated.positions is not None
    return Returns(
        kinds=trials.kinds,
        levels=trials.levels,
        ticks=ticks.astype(np.int32),
        errors={
            region: {method: np.array([row.errors[region][method] for row in rows]) for method in METHODS}
            for region in REGIONS
        },
        values={region: np.array([row.values[region] for row in rows]) for region in REGIONS},
        departure=tuple(row.agreements[0] for row in rows) if has_objects else None,
        arrival=tuple(row.agreements[1] for row in rows) if has_objects else None,
        place_errors=np.array([row.place_error for row in rows]) if has_position else None,
        truth=trials.truth[examples, 0],
        frames=simulated.frames[examples, 0],
        masks=np.stack([row.mask for row in rows])[examples],
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Row:
    errors: dict[str, dict[str, float]]
    values: dict[str, float]
    agreements: tuple[Agreement, ...]
    place_error: float
    mask: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Scene:
    """One trial: `ticks` are those of leaving, of the farthest place and of the return, counted from the first frame.

    Cameras are in pixels, y down; middles, the same places, in tiles, y up.
    """

    trials: Trials
    index: int
    ticks: tuple[int, int, int]
    things: tuple[Things, Things]
    cameras: np.ndarray
    middles: np.ndarray
    scale: float

    def masks(self) -> dict[str, np.ndarray]:
        """Returns the pixels that are compared, by region."""
        leaving, turn, back = self.ticks
        height, width = self.size
        covered = np.zeros(self.size, bool)
        for things, other in (self.things, self.things[::-1]):
            moved = things.moved_since(other)
            # The agent's pose is its own even where it stands where it stood.
            moved[0] = True
            covered |= things.pixels(moved, self.middles[back], self.scale, height, width)
        seen = self.seen(leaving + 1) & ~covered
        at_turn = seen_masks(self.cameras[[turn, back]], height, width, 1)[0]
        return {SEEN: seen, HIDDEN: seen & ~at_turn}

    def seen(self, context: int) -> np.ndarray:
        """Returns the pixels at the return of places that the first frames showed."""
        return seen_masks(self.cameras[[*range(context), self.ticks[2]]], *self.size, context)[0]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.trials.spec.frame.height, self.trials.spec.frame.width

    def agreements(self, simulated: Simulated) -> tuple[Agreement, ...]:
        """Returns the agreement on objects at leaving and at the return."""
        if simulated.entities is None or simulated.entity_mask is None:
            return ()
        leaving, _, back = self.ticks
        before, after = self.things
        found = []
        for things, tick, ignored, inside in (
            (before, leaving, np.zeros(len(before.types), bool), np.ones(self.size, bool)),
            (after, back, after.moved_since(before), self.seen(leaving + 1)),
        ):
            said, mask = (array[self.index, 0, tick - leaving] for array in (simulated.entities, simulated.entity_mask))
            found.append(agreement(things, ignored, self.middles[tick], said, mask, inside, self.scale))
        return tuple(found)


def _scene(trials: Trials, index: int, tick: int, turn: int) -> _Scene:
    """Returns one trial, of which `tick` is the return and `turn` the farthest tick, counted from leaving."""
    if trials.spec.entity is None:
        raise DatasetError(f"The recording of '{trials.spec.name}' has no entities; record with them.")
    leaving = trials.context - 1
    tables, masks = trials.entities[index, 0], trials.entity_mask[index, 0]
    before, after = (Things.of(trials.spec.entity, tables[at], masks[at]) for at in (leaving, leaving + tick))
    return _Scene(
        trials=trials,
        index=index,
        ticks=(leaving, leaving + turn, leaving + tick),
        things=(before, after),
        cameras=camera_positions(trials.spec, tables),
        middles=trials.courses[index, 0, :, :2],
        scale=pixels_per_tile(trials.spec),
    )


def _compare(simulated: Simulated, scene: _Scene) -> _Row:
    index, (leaving, turn, back) = scene.index, scene.ticks
    frames, masks = scene.trials.frames[index, 0], scene.masks()
    shown = {
        MODEL: simulated.frames[index, 0, back - leaving],
        DEPARTURE: frames[leaving],
        TURN: frames[turn],
        RECALL: recall(frames[: leaving + 1], scene.cameras[: leaving + 1], scene.cameras[back]),
    }
    squared = {
        method: np.square((frame.astype(np.float64) - frames[back]) / 255).sum(axis=-1)
        for method, frame in shown.items()
    }
    place_error = np.nan
    if simulated.positions is not None:
        gone = scene.middles[back] - scene.middles[leaving]
        place_error = float(np.linalg.norm(simulated.positions[index, 0, back - leaving] - gone))
    return _Row(
        errors={
            region: {method: float(error[mask].sum()) for method, error in squared.items()}
            for region, mask in masks.items()
        },
        values={region: 3.0 * mask.sum() for region, mask in masks.items()},
        agreements=scene.agreements(simulated),
        place_error=place_error,
        mask=masks[SEEN],
    )


def recall(
    frames: UInt8[np.ndarray, "earlier height width 3"],
    cameras: Float[np.ndarray, "earlier 2"],
    camera: Float[np.ndarray, "2"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Lays earlier frames where they belong in a frame from `camera`, the latest on top, to the nearest pixel.

    Args:
      frames: uint8.
      cameras: the middle of each of them in the level, pixels, x to the right and y downwards.
      camera: the middle of the frame that is wanted.
    """
    height, width = frames.shape[1:3]
    laid = np.zeros(frames.shape[1:], np.uint8)
    for frame, moved in zip(frames, np.rint(camera - cameras).astype(int), strict=True):
        columns, rows = np.arange(width) + moved[0], np.arange(height) + moved[1]
        right, down = (columns >= 0) & (columns < width), (rows >= 0) & (rows < height)
        laid[np.ix_(down, right)] = frame[np.ix_(rows[down], columns[right])]
    return laid
