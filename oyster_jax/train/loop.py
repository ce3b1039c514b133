"""The training loop: the same for every stage, resumable after any death."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from oyster_jax.nn.functional import hastily
from oyster_jax.parallel import rules
from oyster_jax.parallel.distributed import StopRequest, alive, leads, on_host
from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.parallel.rows import local_rows, spread
from oyster_jax.prng import named_key
from oyster_jax.train.checkpoint import Checkpoints
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.metrics import MetricsLog
from oyster_jax.train.program import TrainProgram, train_program
from oyster_jax.train.state import TrainState
from oyster_jax.train.step import Loss, leaf_names
from oyster_jax.typing import Params, PRNGKey


class StoppedError(RuntimeError):
    """Training was told to end and did, with nothing lost; the message says where it is."""


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


@runtime_checkable
class Batches(Protocol):
    """Opens the data from its beginning."""

    def __call__(self, rows: Sequence[int] | None = None) -> BatchIterator:
        """Returns an iterator over batches, or over these rows of each."""
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
      batches: opens the data from its beginning, some rows of each batch or all of them.
      sample: shows what the parameters have learned, where there is something to see.
    """

    name: str
    init: Callable[[PRNGKey], Params]
    loss: Loss
    batches: Batches
    sample: Sample | None = None


def fit(stage: Stage, config: TrainConfig, folder: Path, seed: int, mesh: MeshConfig | None = None) -> TrainState:
    """Trains a stage to its last step, going on from the newest checkpoint in `folder` where there is one.

    A run that was killed at any moment and started again gives the losses of one that was not (on one backend and
    mesh); on another mesh they differ by the order of sums. Without a
    `mesh` all devices are used, each with a whole copy of the state.

    Raises:
      StoppedError: the program was told to end; all that was done is saved.
      DivergedError: a gradient was not finite; the last good checkpoint is kept.
      CheckpointError: there are checkpoints but none is sound.
      MeshError: the devices, or the rows of a batch on them, do not come out even.
    """
    program = train_program(stage.init, stage.loss, config, (mesh or MeshConfig()).build())
    rows = local_rows(program.batch, config.batch)
    iterator, step = stage.batches(rows), 0
    checkpoints = Checkpoints(folder / "checkpoints")
    try:
        if (restored := checkpoints.restore(program.state)) is not None:
            state, step = restored.state, restored.step
            iterator.set_state(restored.iterator)
        else:
            state = _begun(stage, program, named_key(jax.random.key(seed), stage.name))
        if step < config.steps:
            run = _Run(
                stage=stage, config=config, program=program, rows=rows, folder=folder, checkpoints=checkpoints,
                names=leaf_names(program.state.params), schedule=config.optimizer.schedule(config.steps),
            )  # fmt: skip
            state = run.to_the_end(state, iterator, step)
    finally:
        checkpoints.close()
    return state


def _begun(stage: Stage, program: TrainProgram, key: PRNGKey) -> TrainState:
    init_key = named_key(key, "init")
    if program.mesh.size == 1:
        return program.begin(stage.init(init_key), key)
    # Drawn where they will lie: no device has to hold all of them.
    cut = hastily(stage.init, out_shardings=rules.param_shardings(program.mesh, program.state.params))
    return program.begin(cut(init_key), key)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Run:
    """One stage on its way; see `fit`."""

    stage: Stage
    config: TrainConfig
    program: TrainProgram
    rows: list[int]
    folder: Path
    checkpoints: Checkpoints
    names: list[str]
    schedule: optax.Schedule

    def to_the_end(self, state: TrainState, iterator: BatchIterator, start: int) -> TrainState:
        """Returns the state after the last step, from that after `start`."""
        config = self.config
        with self._log(start) as log, StopRequest() as stop:
            since, since_step = time.perf_counter(), start
            for step, batch in zip(range(start + 1, config.steps + 1), _endless(iterator), strict=False):
                whole = spread(batch, self.program.batch, self.rows, config.batch)
                state, metrics = self.program.step(state, whole)
                _check_finite(metrics, self.names, step, self.checkpoints)
                alive()
                last = step == config.steps
                if log is not None and (step % config.log_every == 0 or last):
                    now = time.perf_counter()
                    # The first window holds the compilation, so its rate would mislead.
                    rate = (step - since_step) * config.batch * config.window / (now - since)
                    log.write(step, self._figures(step, metrics, rate))
                    since, since_step = now, step
                stopped = stop.after_step()
                if step % config.checkpoint_every == 0 or last or stopped:
                    self.checkpoints.save(step, state, iterator.get_state())
                if self.stage.sample is not None and (step % config.sample_every == 0 or last):
                    self._sample(state.average, step)
                    since, since_step = time.perf_counter(), step
                if stopped:
                    raise StoppedError(f"Training stopped after step {step} of the {self.stage.name}, which is saved.")
        return state

    def _log(self, start: int) -> contextlib.AbstractContextManager[MetricsLog | None]:
        if not leads():
            return contextlib.nullcontext()
        config, name = self.config, self.stage.name
        return MetricsLog(self.folder, name, config.steps, start=start, wandb_project=config.wandb_project)

    def _figures(self, step: int, metrics: dict[str, jax.Array], rate: float) -> dict[str, float]:
        figures = {name: float(value) for name, value in metrics.items() if name != "finite"}
        figures["learning_rate"] = float(jnp.asarray(self.schedule(jnp.float32(step - 1))))
        return figures | {"frames_per_second": rate}

    def _sample(self, average: Params, step: int) -> None:
        assert self.stage.sample is not None, "only stages with something to see are asked"
        average = on_host(average)
        if leads():
            self.stage.sample(average, self.folder / f"sample-{step:06d}")


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
