"""Permanence: walk away for n ticks and come back. Is it the same place, with the same things?

From an exact simulator state the agent goes away for n ticks and returns under the reversed actions, held a little
longer because it has inertia. The truth is the simulator's own frame at the tick r at which its camera comes nearest to
where it left; trials count in which it then stands within half a tile of that place, was as far away as a slow walk
goes, and nobody died. The learned world saw the frames before leaving and makes the whole way alone.

    PSNR = -10 · log10( Σ (x̂_r - x_r)² / number of values )      pooled over trials, over pixels that are

    seen       of a place of the level that the context showed (`evaluate.seen`), less the boxes of things that moved on
               their own (entities with nothing of their type at their place both at leaving and at return, at either
               place; the agent is one of them)
    hidden     those of them that were off the screen when the agent was farthest: here only memory helps

Beside the model: `departure`, the frame at leaving as it was (copy-last); `turn`, the true frame at the farthest tick,
which is all that a world without memory could know; and `recall`, the context's frames laid where they belong from
where the true camera stands: what perfect memory and a perfect sense of place would show.

Objects: entities read out against the simulator's in view, of one type and within one tile, at leaving and at return:
precision = hits / said, recall = hits / true. `place_error` is the distance in tiles between where the model's camera
says it is and where the simulator's is; with it, the PSNR of a world that remembers the place but stopped elsewhere can
be told from that of a world that forgot. The measure follows the returning trajectories of WorldMem (Xiao et al. 2025,
https://arxiv.org/abs/2504.12369); the masks are this project's own. What was seen long before is not tried.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float32, Int32

from oyster_jax.core.model import WorldModel
from oyster_jax.core.spec import ActionSpec
from oyster_jax.data.sources.source import Source
from oyster_jax.evaluate.bootstrap import Bootstrap, Estimate
from oyster_jax.evaluate.chunks import Progress
from oyster_jax.evaluate.fidelity import psnr
from oyster_jax.evaluate.horizons import check_ascending
from oyster_jax.evaluate.objects import Agreement
from oyster_jax.evaluate.returns import HIDDEN, METHODS, SEEN, Returns, compare_returns, distances_of
from oyster_jax.evaluate.simulation import simulate
from oyster_jax.evaluate.trials import TrialConfig, collect, with_entities
from oyster_jax.typing import Params

#: What is pressed on the way away and on the way back.
PATHS = (("right", "left"), ("right+jump", "left+jump"), ("left+jump", "right+jump"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class PermanenceConfig(TrialConfig):
    """How returns are tried; `trials` are of each path and absence, the rest as in `TrialConfig`.

    Attributes:
      absences: ticks of the way away, ascending.
      longer: ticks that the way back may take beyond them.
      near: tiles from its start within which the true camera must come back.
      pace: tiles for each tick of absence by which it must have been away.

    Raises:
      ValueError: the absences do not ascend.
    """

    trials: int = 8
    patience: int = 360
    absences: tuple[int, ...] = (4, 8, 16, 32)
    longer: int = 8
    near: float = 0.5
    pace: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ascending("Absences", self.absences)
        if self.longer < 0:
            raise ValueError(f"The way back is not shorter than the way away, but {self.longer} was given.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PermanenceMeasurements:
    """What was measured, by absence in ticks."""

    config: PermanenceConfig
    returns: dict[int, Returns]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectFigures:
    """Agreement on objects; None where there was nothing to agree on."""

    precision: Estimate | None
    recall: Estimate | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReturnFigures:
    """Figures of one absence.

    Attributes:
      trials: how many.
      ticks: mean ticks from leaving to the return.
      seen_share: share of the frame that is compared.
      hidden_share: share of the frame that is compared and was off the screen.
      seen: PSNR by method, dB; None where nothing was seen.
      hidden: the same; None where nothing had left the screen.
      departure: objects at leaving; None where the world reads none out.
      arrival: objects at the return.
      place_error: mean, tiles; None where the world reads no position out.
    """

    trials: int
    ticks: float
    seen_share: float
    hidden_share: float
    seen: dict[str, Estimate] | None
    hidden: dict[str, Estimate] | None
    departure: ObjectFigures | None
    arrival: ObjectFigures | None
    place_error: Estimate | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PermanenceFigures:
    """Figures by absence in ticks."""

    absences: dict[int, ReturnFigures]


def measure_permanence(
    model: WorldModel,
    params: Params,
    source: Source,
    config: PermanenceConfig | None = None,
    *,
    progress: Progress | None = None,
) -> PermanenceMeasurements:
    """Tries a world's memory of places against the exact simulator `source`; the same seed gives the same numbers.

    Args:
      model: the world's model.
      params: its parameters.
      source: the simulator that the world was learned from.
      config: how.
      progress: told the trials simulated and those to simulate, at most as many as are wanted.

    Raises:
      DatasetError: the simulator is not installed, tells of no entities, or is not of this world.
      ValueError: the world lacks an action that the trials need.
    """
    config = config or PermanenceConfig()
    spec = with_entities(source).spec
    each, returns = config.trials * len(PATHS), {}
    for number, absence in enumerate(config.absences):
        trials = collect(source, _scripts(spec.action, config, absence), _accept(config, absence), config)

        def told(done: int, total: int, number: int = number) -> None:
            del total
            if progress is not None:
                progress(number * each + done, len(config.absences) * each)

        returns[absence] = compare_returns(trials, simulate(model, params, trials, config, told), absence, config.shown)
    return PermanenceMeasurements(config=config, returns=returns)


def _scripts(spec: ActionSpec, config: PermanenceConfig, absence: int) -> Int32[np.ndarray, "kinds 1 ticks"]:
    scripts = [[spec.parse(away)] * absence + [spec.parse(back)] * (absence + config.longer) for away, back in PATHS]
    return np.array(scripts, np.int32)[:, None]


def _accept(config: PermanenceConfig, absence: int) -> Callable[[int, np.ndarray], Bool[np.ndarray, "environments"]]:
    def accept(kind: int, courses: Float32[np.ndarray, "environments 1 length 4"]) -> np.ndarray:
        del kind
        distances = distances_of(courses[:, 0], config.context)
        away = distances.max(axis=-1) >= config.pace * absence
        return away & (distances[:, absence + 1 :].min(axis=-1) <= config.near)

    return accept


def permanence_figures(measurements: PermanenceMeasurements) -> PermanenceFigures:
    """Returns the figures, with intervals over levels."""
    config = measurements.config
    return PermanenceFigures(
        absences={absence: _return_figures(found, config.seed) for absence, found in measurements.returns.items()}
    )


def _return_figures(returns: Returns, seed: int) -> ReturnFigures:
    bootstrap = Bootstrap(returns.levels, seed=seed)
    pixels = returns.frame_pixels

    def ratings(region: str) -> dict[str, Estimate] | None:
        if not returns.values[region].sum():
            return None
        # A resample may hold no pixel of the region; its error is none too.
        return {
            method: bootstrap.estimate(
                lambda error, values: psnr(error / np.maximum(values, 1e-9)),
                returns.errors[region][method],
                returns.values[region],
            )
            for method in METHODS
        }

    def objects(agreements: tuple[Agreement, ...] | None) -> ObjectFigures | None:
        if agreements is None:
            return None
        hits, said, true = (
            np.array([getattr(one, name) for one in agreements], np.float64) for name in ("hits", "said", "true")
        )

        def share(of: np.ndarray) -> Estimate | None:
            return bootstrap.estimate(lambda a, b: a / np.maximum(b, 1e-9), hits, of) if of.sum() else None

        return ObjectFigures(precision=share(said), recall=share(true))

    errors = returns.place_errors
    return ReturnFigures(
        trials=len(returns.kinds),
        ticks=float(returns.ticks.mean()),
        seen_share=float(returns.values[SEEN].mean() / 3 / pixels),
        hidden_share=float(returns.values[HIDDEN].mean() / 3 / pixels),
        seen=ratings(SEEN),
        hidden=ratings(HIDDEN),
        departure=objects(returns.departure),
        arrival=objects(returns.arrival),
        place_error=None if errors is None else bootstrap.estimate(lambda mean: mean, errors),
    )
