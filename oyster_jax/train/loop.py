"""The training loop: the same for every stage, resumable after any death."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.prng import named_key
from oyster_jax.train.checkpoint import Checkpoints, abstract_like
from oyster_jax.train.metrics import MetricsLog
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.state import TrainState
from oyster_jax.train.step import Loss, Step, leaf_names, make_step
from oyster_jax.typing import Params, PRNGKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long and how one stage trains.

    Attributes:
      steps: updates.
      batch: windows a step.
      window: ticks a window.
      average_decay: of the exponential moving average of the parameters.
      optimizer: what updates them.
      log_every: steps between lines of metrics.
      checkpoint_every: steps between checkpoints.
      sample_every: steps between sample clips.
      wandb_project: also log to Weights & Biases under this name.
    """

    steps: int
    batch: int
    window: int
    average_decay: float = 0.999
    optimizer: OptimizerConfig = OptimizerConfig()
    log_every: int = 10
    checkpoint_every: int = 200
    sample_every: int = 500
    wandb_project: str | None = None


class DivergedError(RuntimeError):
    """A gradient was not finite; the message names the leaves and the checkpoint to go back to."""


@runtime_checkable
class BatchIterator(Protocol):
    """An endless iterator over batches whose place can be saved and restored (a Grain iterator)."""

    def __next__(self) -> Any: ...

    def get_state(self) -> Any:
        """Returns its place, JSON-ready."""
        ...

    def set_state(self, state: Any) -> None:
        """Goes to a place that `get_state` returned."""
        ...


#: Writes a picture or clip of what parameters can do to a path that has no ending yet.
type Sample = Callable[[Params, Path], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """What differs between stages.

    Attributes:
      name: names the stage's folder inside the run.
      init: draws the first parameters.
      loss: of one batch.
      batches: opens the data from its beginning.
      sample: shows what the parameters have learned, where there is something to see.
    """

    name: str
    init: Callable[[PRNGKey], Params]
    loss: Loss
    batches: Callable[[], BatchIterator]
    sample: Sample | None = None


def fit(stage: Stage, config: TrainConfig, folder: Path, seed: int) -> TrainState:
    """Trains a stage to its last step, going on from the newest checkpoint in `folder` where there is one.

    A run that was killed at any moment and started again gives the losses of one that was not (on one backend).

    Raises:
      DivergedError: a gradient was not finite; the last good checkpoint is kept.
      CheckpointError: there are checkpoints but none is sound.
    """
    optimizer = config.optimizer.build(config.steps)
    key = named_key(jax.random.key(seed), stage.name)
    state = TrainState.begin(stage.init(named_key(key, "init")), optimizer, key)
    iterator, step = stage.batches(), 0
    checkpoints = Checkpoints(folder / "checkpoints")
    try:
        if (restored := checkpoints.restore(abstract_like(state))) is not None:
            state, step = restored.state, restored.step
            iterator.set_state(restored.iterator)
        if step < config.steps:
            advance = make_step(stage.loss, optimizer, config.average_decay)
            state = _run(stage, config, advance, folder, state, iterator, step, checkpoints)
    finally:
        checkpoints.close()
    return state


def _run(
    stage: Stage,
    config: TrainConfig,
    advance: Step,
    folder: Path,
    state: TrainState,
    iterator: BatchIterator,
    start: int,
    checkpoints: Checkpoints,
) -> TrainState:
    schedule, names = config.optimizer.schedule(config.steps), leaf_names(state.params)
    frames = config.batch * config.window
    with MetricsLog(folder, stage.name, config.steps, start=start, wandb_project=config.wandb_project) as log:
        since, since_step = time.perf_counter(), start
        for step, batch in zip(range(start + 1, config.steps + 1), _endless(iterator), strict=False):
            state, metrics = advance(state, batch)
            _check_finite(metrics, names, step, checkpoints)
            if step % config.log_every == 0 or step == config.steps:
                now = time.perf_counter()
                record = {name: float(value) for name, value in metrics.items() if name != "finite"}
                record["learning_rate"] = float(jnp.asarray(schedule(jnp.float32(step - 1))))
                # The first window holds the compilation, so its rate would mislead.
                record["frames_per_second"] = (step - since_step) * frames / (now - since)
                log.write(step, record)
                since, since_step = now, step
            if step % config.checkpoint_every == 0 or step == config.steps:
                checkpoints.save(step, state, iterator.get_state())
            if stage.sample is not None and (step % config.sample_every == 0 or step == config.steps):
                stage.sample(state.average, folder / f"sample-{step:06d}")
                since, since_step = time.perf_counter(), step
    return state


def _endless(iterator: BatchIterator) -> Iterator[Any]:
    while True:
        yield next(iterator)


def _check_finite(metrics: dict[str, jax.Array], names: list[str], step: int, checkpoints: Checkpoints) -> None:
    finite = np.asarray(metrics["finite"])
    if finite.all() and np.isfinite(metrics["loss"]):
        return
    leaves = [name for name, fine in zip(names, finite, strict=True) if not fine]
    raise DivergedError(
        f"Training stopped at step {step}: the loss was {float(metrics['loss'])} and the gradient was not finite in "
        f"{', '.join(leaves) or 'no leaf'}. The last good checkpoint is kept in {checkpoints.folder}; lower the "
        "learning rate or the clip and start again to go on from it."
    )
