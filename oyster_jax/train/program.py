"""Training as programs for one mesh: what begins a state, and what advances it, with where every array lies.

Nothing here needs the devices of the mesh to exist: the same programs can be compiled for ones that nobody owns.

>>> program = train_program(stage.init, stage.loss, config, mesh)
>>> program.step.lower(program.state, program.abstract_batch(shapes)).compile()
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import AbstractMesh, Mesh, NamedSharding

from oyster_jax.nn.functional import hastily
from oyster_jax.parallel import rules
from oyster_jax.parallel.mesh import MeshError, batch_ways
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.state import TrainState
from oyster_jax.train.step import Loss, make_step
from oyster_jax.typing import Params, PRNGKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainProgram:
    """The programs of one stage on one mesh.

    Attributes:
      mesh: where they run.
      state: shapes, dtypes and shardings of the `TrainState`.
      batch: the sharding of every array of a batch.
      begin: `begin(params, key) → TrainState`, jitted: the state before the first step.
      step: `step(state, batch) → (state, metrics)`, jitted; it gives up the memory of the state that it is given.
    """

    mesh: Mesh
    state: Any
    batch: NamedSharding
    begin: Any
    step: Any

    def abstract_batch(self, batch: Any) -> Any:
        """Returns a batch of arrays or shapes as shapes that know where they lie."""
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self.batch), batch)


def train_program(init: Callable[[PRNGKey], Params], loss: Loss, config: TrainConfig, mesh: Mesh) -> TrainProgram:
    """Returns the programs that train on a mesh; nothing is compiled or computed yet.

    Args:
      init: draws parameters; only its shapes matter here.
      loss: of one batch.
      config: how it trains.
      mesh: where.

    Raises:
      MeshError: the rows of a batch, or of a part of it, do not come out even.
    """
    check_rows(config, mesh)
    key = jax.random.key(0)
    begin = functools.partial(TrainState.begin, optimizer=config.optimizer.build(config.steps))
    abstract = jax.eval_shape(lambda key: begin(init(key), key=key), key)
    shardings = state_shardings(mesh, abstract)
    whole, batch = rules.replicated(mesh), rules.batch_sharding(mesh)
    step = make_step(loss, config, mesh)
    return TrainProgram(
        mesh=mesh,
        state=jax.tree.map(
            lambda x, sharding: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), abstract, shardings
        ),
        batch=batch,
        begin=hastily(lambda params, key: begin(params, key=key), out_shardings=shardings),
        step=jax.jit(step, in_shardings=(shardings, batch), out_shardings=(shardings, whole), donate_argnums=0),
    )


def check_rows(config: TrainConfig, mesh: Mesh | AbstractMesh) -> None:
    """Sees to it that devices get equal shares of a batch.

    Raises:
      MeshError: the rows of a batch, or of a part of it, do not come out even.
    """
    rows, ways = config.batch // config.accumulate, batch_ways(mesh)
    if rows % ways:
        raise MeshError(
            f"{rows} windows at a time cannot be shared evenly by {ways} groups of devices; choose a batch that is a "
            f"multiple of {ways * config.accumulate}, or more tensor ways."
        )


def state_shardings(mesh: Mesh, state: Any) -> Any:
    """Returns where each leaf of a `TrainState`, or of its shapes, lies on a mesh."""
    whole: Any = rules.replicated(mesh)
    return TrainState(
        step=whole,
        key=whole,
        params=rules.param_shardings(mesh, state.params),
        average=rules.update_shardings(mesh, state.average),
        optimizer=rules.update_shardings(mesh, state.optimizer),
    )
