"""The stages that can be planned: what each begins with and minimizes, and the batches that it is given."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.camera import follows_agent
from oyster_jax.data.episode import STRUCTURE
from oyster_jax.models import dynamics, tokenizer
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import dynamics_loss
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.step import Loss
from oyster_jax.train.tokenizer import tokenizer_loss
from oyster_jax.typing import Params, PRNGKey

type Name = Literal["tokenizer", "dynamics"]

#: Shape of an array at one tick, and its dtype.
type _Array = tuple[tuple[int, ...], Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlannedStage:
    """A stage as far as a plan must know it.

    Attributes:
      name: of the stage.
      training: how the experiment trains it.
      init: draws its parameters.
      loss: of one batch.
      stream: tokens and features of what passes from layer to layer.
      arrays: of a batch, as shape at one tick and dtype, named as in `Episode`.
    """

    name: Name
    training: TrainConfig
    init: Callable[[PRNGKey], Params]
    loss: Loss
    stream: tuple[int, int]
    arrays: Mapping[str, _Array]

    def batch_shapes(self, rows: int, window: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Returns the arrays of a batch of so many windows."""
        return {
            name: jax.ShapeDtypeStruct((rows, window, *shape), dtype) for name, (shape, dtype) in self.arrays.items()
        }


def planned_stage(experiment: ExperimentConfig, name: Name = "dynamics") -> PlannedStage:
    """Returns a stage of an experiment."""
    return _tokenizer(experiment) if name == "tokenizer" else _dynamics(experiment)


def _tokenizer(experiment: ExperimentConfig) -> PlannedStage:
    config, recorded = experiment.tokenizer, _recorded(experiment.recording.source.spec)
    names = ("frames",) if config.structure is None else ("frames", *STRUCTURE)
    return PlannedStage(
        name="tokenizer",
        training=experiment.tokenizer_training,
        init=functools.partial(tokenizer.init, config),
        loss=functools.partial(tokenizer_loss, config, experiment.tokenizer_loss),
        stream=(config.tokens, config.features),
        arrays={name: recorded[name] for name in names},
    )


def _dynamics(experiment: ExperimentConfig) -> PlannedStage:
    config, spec = experiment.dynamics, experiment.recording.source.spec
    arrays = _recorded(spec) | {"latents": ((config.tokens, config.channels), jnp.float16)}
    del arrays["frames"]
    if follows_agent(spec):
        arrays["motion"] = ((2,), jnp.float32)
    if config.map is not None:
        arrays["drafts"] = ((config.tokens, config.draft_channels), jnp.float16)
    return PlannedStage(
        name="dynamics",
        training=experiment.dynamics_training,
        init=functools.partial(dynamics.init, config),
        loss=functools.partial(dynamics_loss, config, experiment.dynamics_loss, spec),
        stream=(config.coarse + config.registers, config.features),
        arrays=arrays,
    )


def _recorded(spec: WorldSpec) -> dict[str, _Array]:
    """Returns what a recording holds of each tick: all that its specification tells of."""
    found: dict[str, _Array] = {
        "actions": ((), jnp.int32),
        "rewards": ((), jnp.float32),
        "terminals": ((), jnp.bool_),
        "frames": (spec.frame.shape, jnp.uint8),
    }
    if spec.entity is not None:
        found["entities"] = ((spec.entity.capacity, len(spec.entity.fields)), jnp.float32)
        found["entity_mask"] = ((spec.entity.capacity,), jnp.bool_)
    if spec.tiles is not None:
        found["tiles"] = ((spec.tiles.rows, spec.tiles.columns), jnp.uint8)
    if spec.quantities is not None:
        found["quantities"] = ((len(spec.quantities.names),), jnp.float32)
    if spec.events is not None:
        found["events"] = ((), jnp.int32)
    return found
