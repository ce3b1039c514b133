"""The figures of a long run: the first and the last minute beside real frames. What they mean: `evaluate.drift`."""

import dataclasses
from collections.abc import Callable

import numpy as np

from oyster_jax.evaluate.action_score import macro_f1
from oyster_jax.evaluate.appearance import APPEARANCE
from oyster_jax.evaluate.bootstrap import PERCENTILES, Estimate
from oyster_jax.evaluate.drift import EARLY, LATE, PHASES, DriftMeasurements
from oyster_jax.evaluate.fidelity import psnr
from oyster_jax.evaluate.readings import BLOCK, Readings

RESAMPLES = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhaseFigures:
    """One minute of a run, or the real frames beside it.

    Attributes:
      sharpness: mean gradient of grey, pixels in [0, 1].
      entropy: of grey levels, in bits.
      colours: mean of red, green and blue, in [0, 1].
      contrasts: their standard deviations over a frame.
      one_agent: share of frames in which exactly one agent is seen; None without a judge.
      macro_f1: action F1 of the judge, mean over buttons; None without a judge.
      effect: root mean squared distance in [0, 1] between futures under different actions; None of real frames.
      effect_psnr: the same as a PSNR in dB; None of real frames.
      noise_psnr: of futures under the same actions with other noise; None of real frames.
    """

    sharpness: Estimate
    entropy: Estimate
    colours: tuple[Estimate, Estimate, Estimate]
    contrasts: tuple[Estimate, Estimate, Estimate]
    one_agent: Estimate | None
    macro_f1: Estimate | None
    effect: Estimate | None = None
    effect_psnr: Estimate | None = None
    noise_psnr: Estimate | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DriftFigures:
    """How a world is after a long run, against how it began and against real frames.

    Attributes:
      ticks: of the run, of each world.
      worlds: how many.
      policy: who acted.
      early: the first minute.
      late: the last minute.
      real: frames of held-out levels under the same policy.
      sharpness_ratio: sharpness of the last minute over that of real frames; 1 is right.
      contrast_ratio: the same of the contrast, mean over the colours.
      entropy_ratio: the same of the entropy.
      control_loss: one minus the effect of actions in the last minute over that in the first; 0 is right.
      delta_psnr_loss: the same of ΔPSNR, which is `noise_psnr - effect_psnr`; of a world in which noise
        changes nothing the first is the largest PSNR there is, and this says little.
      f1_loss: one minus macro F1 in the last minute over that in the first; None without a judge.
      respawns: how often a world ended, in each 1,000 ticks of one world.
      real_respawns: how often an episode of the recording ended.
      broken: share of ticks at which a world stood still because of a non-finite number.
      minutes: by statistic, its mean in each stretch of a minute, over all worlds; `one_agent` among them.
    """

    ticks: int
    worlds: int
    policy: str
    early: PhaseFigures
    late: PhaseFigures
    real: PhaseFigures
    sharpness_ratio: Estimate
    contrast_ratio: Estimate
    entropy_ratio: Estimate
    control_loss: Estimate | None
    delta_psnr_loss: Estimate | None
    f1_loss: Estimate | None
    respawns: float
    real_respawns: float
    broken: float
    minutes: dict[str, list[float]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Resampled:
    """A figure, and what it comes to when the groups that it is from are drawn again."""

    value: float
    drawn: np.ndarray

    @property
    def estimate(self) -> Estimate:
        low, high = np.percentile(self.drawn, PERCENTILES)
        return Estimate(value=self.value, low=float(low), high=float(high))

    def against(self, other: "_Resampled", figure: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> "_Resampled":
        """Returns a figure of two that were drawn apart from each other."""
        value = figure(np.asarray(self.value), np.asarray(other.value))
        return _Resampled(value=float(value), drawn=figure(self.drawn, other.drawn))


class _Groups:
    """Draws whole groups of samples, as `bootstrap.Bootstrap` does, from sums over each: long runs have many frames."""

    def __init__(self, groups: np.ndarray, seed: int) -> None:
        names, self._members = np.unique(groups, return_inverse=True)
        self._count = len(names)
        generator = np.random.default_rng(seed)
        self._drawn = generator.multinomial(self._count, np.full(self._count, 1 / self._count), size=RESAMPLES)

    def figure(self, figure: Callable[..., np.ndarray], *samples: np.ndarray) -> _Resampled:
        """Returns `figure(sum of samples[0], sum of samples[1], …)`; samples are `[samples]` or scalars for each."""
        sums = [np.bincount(self._members, weights=np.asarray(s, float), minlength=self._count) for s in samples]
        value = figure(*(np.asarray(part.sum()) for part in sums))
        return _Resampled(value=float(value), drawn=figure(*(self._drawn @ part for part in sums)))

    def mean(self, samples: np.ndarray, figure: Callable[[np.ndarray], np.ndarray] = np.asarray) -> _Resampled:
        """Returns `figure` of the mean over all samples."""
        return self.figure(lambda total, count: figure(total / count), samples, np.ones(len(samples)))


def drift_figures(measurements: DriftMeasurements) -> DriftFigures:
    """Returns the figures of a long run, with intervals from resampling stretches of `BLOCK` ticks and episodes."""
    phases = {phase: _phase(measurements, phase) for phase in PHASES}
    real = _seen(
        measurements.real_looks, measurements.real_episodes, measurements.real_agents, measurements.real_episodes, 97
    ) | _f1(measurements.real_readings, 98)
    early, late = phases[EARLY], phases[LATE]

    def compared(name: str, against: dict[str, _Resampled], figure: Callable[..., np.ndarray]) -> Estimate | None:
        return late[name].against(against[name], figure).estimate if name in late and name in against else None

    def over(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.asarray(one / np.maximum(other, 1e-12))

    def lost(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.asarray(1 - over(one, other))

    ratios = {name: compared(name, real, over) for name in ("sharpness", "contrast", "entropy")}
    assert all(ratios.values()), "frames have a look, whoever judges them"
    return DriftFigures(
        ticks=measurements.looks.shape[1],
        worlds=measurements.looks.shape[0],
        policy=measurements.policy,
        early=_as_figures(early),
        late=_as_figures(late),
        real=_as_figures(real),
        **{f"{name}_ratio": ratio for name, ratio in ratios.items()},  # pyright: ignore[reportArgumentType]
        control_loss=compared("effect", early, lost),
        delta_psnr_loss=compared("delta_psnr", early, lost),
        f1_loss=compared("macro_f1", early, lost),
        respawns=1000 * float(measurements.ended.mean()),
        real_respawns=measurements.real_ends,
        broken=float(measurements.broken.mean()),
        minutes=_minutes(measurements),
    )


def _phase(measurements: DriftMeasurements, phase: str) -> dict[str, _Resampled]:
    config = measurements.config
    ticks, length = measurements.looks.shape[1], config.phase_chunks * config.chunk
    first = 0 if phase == EARLY else ticks - length
    at, seed = np.arange(first, first + length), config.seed + PHASES.index(phase)
    looks = measurements.looks[:, at]
    groups = _blocks(measurements.looks.shape[0], at)
    agents, agent_groups = None, None
    if measurements.agents is not None:
        looked = np.arange(0, ticks, config.look_every)
        inside = np.flatnonzero((looked >= first) & (looked < first + length))
        agents = measurements.agents[:, inside].reshape(-1)
        agent_groups = _blocks(len(measurements.agents), looked[inside])
    found = _seen(looks.reshape(-1, looks.shape[-1]), groups, agents, agent_groups, seed)
    found |= _f1(measurements.readings.get(phase), seed)
    futures = measurements.futures[phase]
    if count := len(futures.other_actions):
        # Pairs leave from states that are as far from each other as the blocks of the other figures.
        bootstrap = _Groups(np.arange(count), seed)
        found["effect"] = bootstrap.mean(futures.other_actions, np.sqrt)
        found["effect_psnr"] = bootstrap.mean(futures.other_actions, psnr)
        found["noise_psnr"] = bootstrap.mean(futures.other_noise, psnr)
        found["delta_psnr"] = found["noise_psnr"].against(found["effect_psnr"], np.subtract)
    return found


def _blocks(worlds: int, ticks: np.ndarray) -> np.ndarray:
    """Returns a number for each tick of each world, the same within a block of ticks."""
    return (np.arange(worlds)[:, None] * 1_000_000 + ticks[None, :] // BLOCK).reshape(-1)


def _seen(
    looks: np.ndarray, groups: np.ndarray, agents: np.ndarray | None, agent_groups: np.ndarray | None, seed: int
) -> dict[str, _Resampled]:
    bootstrap = _Groups(groups, seed)
    found = {name: bootstrap.mean(looks[:, index]) for index, name in enumerate(APPEARANCE)}
    contrasts = [APPEARANCE.index(f"{colour}_contrast") for colour in ("red", "green", "blue")]
    found["contrast"] = bootstrap.mean(looks[:, contrasts].mean(1))
    if agents is not None and agent_groups is not None and len(agents):
        found["one_agent"] = _Groups(agent_groups, seed).mean(agents == 1)
    return found


def _f1(readings: Readings | None, seed: int) -> dict[str, _Resampled]:
    if readings is None or len(readings.groups) == 0:
        return {}
    return {"macro_f1": _Groups(readings.groups, seed).figure(macro_f1, *readings.right.T, *readings.wrong.T)}


def _as_figures(found: dict[str, _Resampled]) -> PhaseFigures:
    def estimate(name: str) -> Estimate | None:
        return found[name].estimate if name in found else None

    red, green, blue = (found[name].estimate for name in ("red", "green", "blue"))
    contrasts = (found[f"{name}_contrast"].estimate for name in ("red", "green", "blue"))
    return PhaseFigures(
        sharpness=found["sharpness"].estimate,
        entropy=found["entropy"].estimate,
        colours=(red, green, blue),
        contrasts=(next(contrasts), next(contrasts), next(contrasts)),
        **{name: estimate(name) for name in ("one_agent", "macro_f1", "effect", "effect_psnr", "noise_psnr")},
    )


def _minutes(measurements: DriftMeasurements) -> dict[str, list[float]]:
    config = measurements.config
    ticks = measurements.looks.shape[1]
    length = min(config.phase, ticks)

    def over_time(samples: np.ndarray, at: np.ndarray) -> list[float]:
        minute = np.minimum(at // length, max(ticks // length, 1) - 1)
        sums = np.bincount(minute, weights=samples.mean(0))
        return (sums / np.bincount(minute)).round(6).tolist()

    found = {name: over_time(measurements.looks[..., index], np.arange(ticks)) for index, name in enumerate(APPEARANCE)}
    if measurements.agents is not None and measurements.agents.size:
        looked = np.arange(0, ticks, config.look_every)
        found["one_agent"] = over_time((measurements.agents == 1).astype(float), looked)
    return found
