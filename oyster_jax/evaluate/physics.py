"""Whether a learned world knows gravity: jumps and falls from exact simulator states, against the simulator's own.

The agent stands on ground, jumps (on the spot, to the left, to the right) or walks off an edge; the learned world saw
the frames before and flies on alone. Trials are clean flights in the simulator (`evaluate.flight`). The model's
vertical speed v̂ is told by up to three sources, each compared with the simulator's v in tiles a tick (the difference of
heights; for entities, the speed that the simulator's own table says, which at a landing is another):

    position   differences of the camera's height that the world reads out
    entities   the agent's vertical speed in the entities that the world reads out
    probe      camera motion that a frozen network sees in the world's frames (`evaluate.judge`); `floor` is the same
               network on the true frames, so that a source can be told from the error of the ruler

With heights ĥ(t) = Σ v̂ from the moment before the script:

    apex error      |max ĥ - max h| over the ticks until the true landing, in tiles; of jumps
    landing error   |t̂ - t| in ticks, where landing is the first tick at which an agent that fell no longer falls; a
                    flight without end counts as landing with the last tick
    gravity         slope of the least-squares line through v̂ over the ticks of true free flight, in tiles a tick²
    gravity error   100 · |mean slope / mean true slope - 1|, in percent; beside it the mean of |slope / true slope - 1|
    speed RMSE      √ mean (v̂ - v)² over the ticks until the true landing, in tiles a tick

The measures are this project's own; asking a world model for its gravity follows PhyWorld (Kang et al. 2024,
https://arxiv.org/abs/2411.02385), which measures velocities of rendered objects. They say nothing of collisions on the
way, of horizontal motion, or of whether the terrain is right: a world that lands in time may land on the wrong thing.
Falls are short and begin where the world thinks the edge is, so that one that begins a tick late counts against its
gravity too; the gravity of jumps, which begin with the script, is the sharper figure.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, UInt8

from oyster_jax.core.model import WorldModel
from oyster_jax.core.spec import ActionSpec
from oyster_jax.data.sources.source import Source
from oyster_jax.evaluate.bootstrap import Bootstrap, Estimate
from oyster_jax.evaluate.chunks import Progress
from oyster_jax.evaluate.flight import EXACT, Flight, find_flight, find_landing, slope
from oyster_jax.evaluate.objects import PRESENT
from oyster_jax.evaluate.simulation import Simulated, simulate
from oyster_jax.evaluate.trials import COURSE, TrialConfig, Trials, collect, with_entities
from oyster_jax.typing import Params

#: The kinds of trials: what is pressed while the jump is held, and after it. Without a jump it is a fall.
KINDS = {
    "jump": ("jump", "noop"),
    "left jump": ("left+jump", "left"),
    "right jump": ("right+jump", "right"),
    "left fall": ("left", "left"),
    "right fall": ("right", "right"),
}
JUMPS, FALLS = "jumps", "falls"

#: Who tells of the agent's vertical speed; the floor is the probe on true frames.
POSITION, ENTITIES, PROBE, FLOOR = SOURCES = ("position", "entities", "probe", "floor")

#: Camera motion `[ticks - 1, 2]` in tiles a tick (x right, y up) between frames `[ticks, height, width, 3]`.
type Motion = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhysicsConfig(TrialConfig):
    """How jumps and falls are tried; the rest as in `TrialConfig`.

    Attributes:
      ticks: length of a trial, in which the agent must have landed.
      held: ticks for which a jump is pressed.
      shortest_jump: ticks of free flight that a jump takes at least; a shorter one hit something.
      shortest_fall: the same of a fall.

    Raises:
      ValueError: a flight does not fit into the ticks.
    """

    ticks: int = 24
    held: int = 4
    shortest_jump: int = 12
    shortest_fall: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.shortest_fall >= 2 or not self.shortest_jump >= 2 or not 1 <= self.held < self.ticks:
            raise ValueError("A flight takes at least 2 ticks, and a jump is pressed for less than the whole trial.")
        if max(self.shortest_jump, self.shortest_fall) >= self.ticks:
            raise ValueError(
                f"A flight of {max(self.shortest_jump, self.shortest_fall)} ticks and its landing do not fit into "
                f"{self.ticks} ticks; give more ticks."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhysicsMeasurements:
    """What was measured in each trial.

    Attributes:
      config: how.
      kinds: int32 `[trials]`, index into `KINDS`.
      levels: int32 `[trials]`.
      flights: each trial's flight in the simulator.
      speeds: float64 `[trials, ticks]`, the simulator's vertical speeds in tiles a tick, by differences of heights.
      table_speeds: the same by its entity table.
      read: by source, float64 of the same shape; None where the world or the caller has no such source.
      truth: uint8 `[shown, 1 + ticks, height, width, 3]`.
      frames: the same shape, what the world showed.
    """

    config: PhysicsConfig
    kinds: Int32[np.ndarray, "trials"]
    levels: Int32[np.ndarray, "trials"]
    flights: tuple[Flight, ...]
    speeds: Float64[np.ndarray, "trials ticks"]
    table_speeds: Float64[np.ndarray, "trials ticks"]
    read: dict[str, np.ndarray | None]
    truth: UInt8[np.ndarray, "shown ticks height width 3"]
    frames: UInt8[np.ndarray, "shown ticks height width 3"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlightFigures:
    """What one source says of one group of flights.

    Attributes:
      apex_error: mean, tiles; None for falls.
      landing_within_one: share of flights that land within one tick of the true landing.
      landing_error: mean, ticks.
      gravity: mean slope, tiles a tick².
      gravity_error: percent of the true gravity by which the mean slope is off.
      gravity_error_of_trials: mean of the percents by which single slopes are off.
      speed_rmse: tiles a tick.
    """

    apex_error: Estimate | None
    landing_within_one: Estimate
    landing_error: Estimate
    gravity: Estimate
    gravity_error: Estimate
    gravity_error_of_trials: Estimate
    speed_rmse: Estimate


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhysicsFigures:
    """Figures of jumps and falls.

    Attributes:
      trials: how many of each kind.
      true_gravity: mean slope in the simulator by group, tiles a tick²; None where no trial was found.
      sources: by group and source; None where there is no such source or no trial.
    """

    trials: dict[str, int]
    true_gravity: dict[str, float | None]
    sources: dict[str, dict[str, FlightFigures | None]]


def measure_physics(
    model: WorldModel,
    params: Params,
    source: Source,
    config: PhysicsConfig | None = None,
    *,
    motion: Motion | None = None,
    progress: Progress | None = None,
) -> PhysicsMeasurements:
    """Tries a world's gravity against the exact simulator `source`; the same seed gives the same numbers.

    Args:
      model: the world's model.
      params: its parameters.
      source: the simulator that the world was learned from.
      config: how.
      motion: sees camera motion in frames, as `Judge.motion` does; without it there is no probe and no floor.
      progress: told the trials simulated and those to simulate.

    Raises:
      DatasetError: the simulator is not installed, tells of no entities, or is not of this world.
      ValueError: the world lacks an action that the trials need.
    """
    config = config or PhysicsConfig()
    trials = collect(source, _scripts(with_entities(source).spec.action, config), _accept(config), config)
    return compare_flights(trials, simulate(model, params, trials, config, progress), config, motion)


def compare_flights(
    trials: Trials, simulated: Simulated, config: PhysicsConfig, motion: Motion | None = None
) -> PhysicsMeasurements:
    """Sets what a world did beside what the simulator did."""
    heights = trials.courses[:, 0, trials.context - 1 :, COURSE.index("y")].astype(np.float64)
    flights = [find_flight(course, shortest=config.shortest_fall) for course in heights]
    agent = trials.entities[0, 0, 0, 0, trials.spec.entity.column("type")] if trials.spec.entity else 0
    frames, truth = simulated.frames[:, 0], trials.truth[:, 0]
    return PhysicsMeasurements(
        config=config,
        kinds=trials.kinds,
        levels=trials.levels,
        flights=tuple(flight for flight in flights if flight is not None),
        speeds=np.diff(heights),
        table_speeds=trials.courses[:, 0, trials.context :, COURSE.index("vy")].astype(np.float64),
        read={
            POSITION: None if simulated.positions is None else np.diff(simulated.positions[:, 0, :, 1].astype(float)),
            ENTITIES: _agent_speeds(simulated, float(agent)),
            PROBE: None if motion is None else _seen_speeds(motion, frames),
            FLOOR: None if motion is None else _seen_speeds(motion, truth),
        },
        truth=truth[trials.examples(config.shown)],
        frames=frames[trials.examples(config.shown)],
    )


def _scripts(spec: ActionSpec, config: PhysicsConfig) -> Int32[np.ndarray, "kinds 1 ticks"]:
    scripts = [
        [spec.parse(first)] * config.held + [spec.parse(later)] * (config.ticks - config.held)
        for first, later in KINDS.values()
    ]
    return np.array(scripts, np.int32)[:, None]


def _is_jump(kind: int) -> bool:
    return "jump" in tuple(KINDS)[kind]


def _accept(config: PhysicsConfig) -> Callable[[int, np.ndarray], Bool[np.ndarray, "environments"]]:
    """Returns the judgement of trials: the agent stood, flew cleanly, and landed no higher than it had stood."""

    def accept(kind: int, courses: Float32[np.ndarray, "environments 1 length 4"]) -> np.ndarray:
        y = courses[:, 0, config.context - 2 :, COURSE.index("y")]
        stood = np.abs(y[:, 1] - y[:, 0]) < EXACT
        shortest = config.shortest_jump if _is_jump(kind) else config.shortest_fall
        flights = [find_flight(course[1:], shortest=shortest) for course in y]
        # A jump leaves the ground at once and upwards, a fall after a walk and downwards.
        begins = [
            flight is not None
            and ((flight.begin == 0 and up > EXACT) if _is_jump(kind) else (flight.begin > 0 and up < EXACT))
            for flight, up in zip(flights, (y[:, 1:] - y[:, 1:2]).max(axis=1), strict=True)
        ]
        return stood & np.array(begins) & (y[:, -1] < y[:, 1] + EXACT)

    return accept


def _agent_speeds(simulated: Simulated, kind: float) -> np.ndarray | None:
    """Returns the vertical speed of the most probable agent at each tick, 0 where none is probable enough."""
    if simulated.entities is None or simulated.entity_mask is None:
        return None
    table, mask = simulated.entities[:, 0, 1:], simulated.entity_mask[:, 0, 1:]
    probable = np.where(table[..., 0] == kind, mask, 0)
    row = probable.argmax(axis=-1)[..., None]
    speeds = np.take_along_axis(table[..., 4], row, axis=-1)[..., 0]
    there = np.take_along_axis(probable, row, axis=-1)[..., 0] >= PRESENT
    return np.where(there, speeds, 0).astype(np.float64)


def _seen_speeds(motion: Motion, frames: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(motion(one))[:, 1] for one in frames]).astype(np.float64)


def physics_figures(measurements: PhysicsMeasurements) -> PhysicsFigures:
    """Returns the figures, with intervals over levels."""
    jumps = np.array([_is_jump(int(kind)) for kind in measurements.kinds])
    groups = {JUMPS: np.flatnonzero(jumps), FALLS: np.flatnonzero(~jumps)}
    return PhysicsFigures(
        trials={name: int(np.sum(measurements.kinds == kind)) for kind, name in enumerate(KINDS)},
        true_gravity={
            group: float(np.mean([_true_slope(measurements, int(index)) for index in members]))
            if len(members)
            else None
            for group, members in groups.items()
        },
        sources={
            group: {name: _flight_figures(measurements, name, members, group) for name in SOURCES}
            for group, members in groups.items()
        },
    )


def _true_slope(measurements: PhysicsMeasurements, index: int) -> float:
    flight = measurements.flights[index]
    return slope(measurements.speeds[index, flight.begin : flight.end])


def _landing(speeds: np.ndarray, flight: Flight) -> int:
    """Returns the tick of landing by some source, the end of the trial where it never lands."""
    found = find_landing(speeds[flight.begin :])
    return len(speeds) if found is None else flight.begin + found


def _flight_figures(
    measurements: PhysicsMeasurements, name: str, members: np.ndarray, group: str
) -> FlightFigures | None:
    read = measurements.read[name]
    if read is None or len(members) == 0:
        return None
    truth = measurements.table_speeds if name == ENTITIES else measurements.speeds
    rows = []
    for index in members:
        flight, true, said = measurements.flights[index], truth[index], read[index]
        landing, found = (_landing(speeds, flight) for speeds in (true, said))
        free, until, late = slice(flight.begin, flight.end), slice(0, landing), abs(found - landing)
        apex = [max(np.cumsum(speeds[until]).max(), 0) for speeds in (said, true)]
        ratio = slope(said[free]) / slope(true[free])
        squared = np.square(said[until] - true[until])
        rows.append((abs(apex[0] - apex[1]), late <= 1, late, slope(said[free]), ratio, abs(ratio - 1), squared.mean()))
    apex, within, late, gravity, ratio, off, squared = np.array(rows, np.float64).T
    bootstrap = Bootstrap(measurements.levels[members], seed=measurements.config.seed)

    def mean(sample: np.ndarray) -> Estimate:
        return bootstrap.estimate(lambda average: average, sample)

    return FlightFigures(
        apex_error=mean(apex) if group == JUMPS else None,
        landing_within_one=mean(within),
        landing_error=mean(late),
        gravity=mean(gravity),
        gravity_error=bootstrap.estimate(lambda average: 100 * np.abs(average - 1), ratio),
        gravity_error_of_trials=mean(100 * off),
        speed_rmse=bootstrap.estimate(np.sqrt, squared),
    )
