"""How fast a world is: an action at a time, many worlds at once, and in how much memory."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Self

import jax
import numpy as np

from oyster_jax.core.model import WorldModel
from oyster_jax.core.tick import compile_tick
from oyster_jax.data.policies import StickyPolicy
from oyster_jax.evaluate.batch_speed import batch_figure
from oyster_jax.evaluate.chunks import Progress
from oyster_jax.evaluate.figure import Figure
from oyster_jax.evaluate.memory import state_figures
from oyster_jax.evaluate.stepping import EARLY, WARM_UP, paired_flatness, run_world, stepping_figures
from oyster_jax.typing import Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeedConfig:
    """How thoroughly speed is measured.

    Attributes:
      ticks: of the interactive run; 27,000 are half an hour at 15 ticks a second.
      rounds: turns in which the end of that run is compared with its tick 100.
      batches: how many worlds at once.
      batch_ticks: of one rollout of a batch.
      batch_rounds: rollouts of a batch that are measured.
      starts: pairs of a cold and a warm start of a fresh process.
      seed: of the world and of its actions.
    """

    ticks: int = 27_000
    rounds: int = 20
    batches: tuple[int, ...] = (1, 8, 32, 128)
    batch_ticks: int = 16
    batch_rounds: int = 5
    starts: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.ticks <= WARM_UP:
            raise ValueError(
                f"A run has to be longer than its {WARM_UP} ticks of warm-up, but {self.ticks} were asked for."
            )
        if any(batch < 1 for batch in self.batches):
            raise ValueError(f"A batch has at least one world, but the batches were {list(self.batches)}.")
        for name in ("batch_ticks", "batch_rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"The {name} must be at least one, but were {getattr(self, name)}.")
        for name in ("rounds", "starts"):
            if getattr(self, name) < 0:
                raise ValueError(f"The {name} cannot be fewer than none, but were {getattr(self, name)}.")

    @classmethod
    def quick(cls, seed: int = 0) -> Self:
        """Returns a size that takes about half a minute and shows what is grossly wrong."""
        return cls(ticks=600, rounds=3, batches=(1, 8), batch_ticks=8, batch_rounds=2, starts=1, seed=seed)


#: Ticks of one turn of the paired comparison.
TURN = 50


def measure_speed(
    model: WorldModel,
    params: Params,
    config: SpeedConfig,
    *,
    conditions: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> list[Figure]:
    """Measures everything that the report says of speed, but for fresh processes: see `startup.start_figures`.

    Args:
      model: the world's model.
      params: its parameters.
      config: how thoroughly.
      conditions: what every figure shall say of itself, as in `{"world": "coinrun"}`.
      progress: told the ticks of the interactive run done and to do.
    """
    about = dict(conditions or {})
    figures = interactive_figures(model, params, config, conditions=about, progress=progress)
    return figures + list(batch_figures(model, params, config, conditions=about))


def interactive_figures(
    model: WorldModel,
    params: Params,
    config: SpeedConfig,
    *,
    conditions: dict[str, Any],
    progress: Progress | None = None,
) -> list[Figure]:
    """Measures one long run, one action at a time: latency, rate, flatness, memory.

    Args:
      model: the world's model.
      params: its parameters.
      config: how thoroughly.
      conditions: of the figures.
      progress: told the ticks done and to do.
    """
    tick = compile_tick(model, params, donate=True)
    state = jax.jit(model.reset)(params, jax.random.key(config.seed))
    policy = StickyPolicy(model.spec.action, 1, config.seed)
    actions = np.concatenate([policy.act(np.zeros(1, bool)) for _ in range(config.ticks)])
    weights = state_figures(state, tick, conditions)
    run = run_world(tick, state, actions, progress)
    figures = stepping_figures(run, conditions)
    if run.early is not None and config.rounds:
        # Both moments go on from states of the same run under the same actions.
        about = conditions | {"early": EARLY, "late": config.ticks}
        paired = paired_flatness(tick, run.early, run.last, actions[:TURN], rounds=config.rounds, conditions=about)
        figures.append(paired)
    return figures + weights


def batch_figures(
    model: WorldModel, params: Params, config: SpeedConfig, *, conditions: dict[str, Any]
) -> Iterator[Figure]:
    """Yields the rate of each batch as it is measured, see `batch_speed.batch_figure`."""
    for batch in config.batches:
        yield batch_figure(
            model,
            params,
            batch=batch,
            ticks=config.batch_ticks,
            rounds=config.batch_rounds,
            seed=config.seed,
            conditions=conditions,
        )
