"""The programs that a plan compiles: the very training step and batched rollout, from shapes alone."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec

from oyster_jax.core.rollout import rollout
from oyster_jax.evaluate.flops import matmul_flops
from oyster_jax.models import dynamics
from oyster_jax.nn.functional import LayersConfig, layered
from oyster_jax.parallel import rules
from oyster_jax.parallel.batch import over_worlds, sharded
from oyster_jax.parallel.mesh import batch_ways
from oyster_jax.plan.topology import Topology
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import dynamics_loss
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.program import train_program
from oyster_jax.train.step import Loss
from oyster_jax.typing import Array, Params, PRNGKey

#: Ticks that a planned rollout advances in one call.
TICKS = 64

#: Windows of the batch that costs are counted on: all of them grow with the batch, of which every fourth row learns
#: larger steps.
_COUNTED = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
    """One program for one mesh, not compiled yet.

    Attributes:
      name: `train` or `rollout`.
      mesh: of the devices that it is for; its shape is all that figures need.
      lower: lowers it.
      arguments: what it is given, by category: pytrees of shapes that know where they lie.
      activations: bytes a device keeps from the way forward for the way back.
      gradients: bytes a device that the gradient takes.
      model_flops: operations of all matrix products of one call that the model itself asks for, on all devices.
      device_flops: the same with what is computed twice and with the optimizer.
      rows: windows or worlds of one call, over all devices.
      ticks: frames of each.
      layers: how its layers run.
    """

    name: str
    mesh: Mesh | AbstractMesh
    lower: Callable[[], Any]
    arguments: Mapping[str, Any]
    activations: int
    gradients: int
    model_flops: int
    device_flops: int
    rows: int
    ticks: int
    layers: LayersConfig

    @property
    def frames(self) -> int:
        """Frames that one call learns from or makes."""
        return self.rows * self.ticks


def training(experiment: ExperimentConfig, config: TrainConfig, mesh: Mesh) -> Program:
    """Returns one step of the dynamics' training.

    Args:
      experiment: what is trained.
      config: how, with the batch of this plan.
      mesh: where.

    Raises:
      MeshError: the batch does not come out even.
    """
    init, loss = _parts(experiment)
    program = train_program(init, loss, config, mesh)
    batch = program.abstract_batch(batch_shapes(experiment, config.batch, config.window))
    costs = _costs(experiment, dataclasses.replace(config, batch=_COUNTED, accumulate=1))
    return Program(
        name="train",
        mesh=mesh,
        lower=lambda: program.step.lower(program.state, batch),
        arguments={
            "parameters": program.state.params,
            "average": program.state.average,
            "optimizer": program.state.optimizer,
            "batch": batch,
        },
        activations=_kept(experiment, costs, mesh) * config.batch // (_COUNTED * config.accumulate * batch_ways(mesh)),
        gradients=bytes_on_device(_with(program.state.params, rules.update_shardings(mesh, program.state.params))),
        model_flops=costs.model * config.batch // _COUNTED,
        device_flops=costs.device * config.batch // _COUNTED + costs.update,
        rows=config.batch,
        ticks=config.window,
        layers=config.layers,
    )


def rolling(experiment: ExperimentConfig, mesh: Mesh, worlds: int, ticks: int = TICKS) -> Program:
    """Returns a rollout of many worlds with their frames.

    Args:
      experiment: whose world is rolled out.
      mesh: where.
      worlds: how many at once, over all devices.
      ticks: that each advances.
    """
    network = experiment.network
    row = NamedSharding(mesh, PartitionSpec(rules.RULES["batch"]))
    params = jax.eval_shape(network.init, _key())
    params = _with(params, rules.param_shardings(mesh, params, logical="heads"))
    states = jax.eval_shape(jax.vmap(network.reset, (None, 0)), params, jax.ShapeDtypeStruct((worlds,), _key().dtype))
    states = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=row), states)
    actions = jax.ShapeDtypeStruct((worlds, ticks), jnp.int32, sharding=row)

    def run(params: Params, state: Any, actions: Array) -> Any:
        return rollout(network, params, state, actions)

    def lower() -> Any:
        with layered(LayersConfig(unroll=False)):
            return sharded(run, mesh).lower(params, states, actions)

    with layered(LayersConfig(unroll=False)):
        flops = matmul_flops(functools.partial(over_worlds, run), params, states, actions)
    return Program(
        name="rollout",
        mesh=mesh,
        lower=lower,
        arguments={
            "parameters": params,
            "ring": states.cache,
            "memory": states.memory,
            "rest of the worlds": (states.latent, states.readout, states.step, states.key, states.status),
            "actions": actions,
        },
        activations=0,
        gradients=0,
        model_flops=flops,
        device_flops=flops,
        rows=worlds,
        ticks=ticks,
        layers=LayersConfig(unroll=False),
    )


def rolling_tensor(experiment: ExperimentConfig, topology: Topology) -> int:
    """Returns by how many ways devices must share a world, so that parameters take at most half of their memory."""
    params = jax.eval_shape(experiment.network.init, _key())
    half = topology.usable / 2
    whole = sum(map(_size, jax.tree.leaves(params)))
    heads = experiment.dynamics.heads
    return next((ways for ways in (1, 2, 4, 8, 16) if heads % ways == 0 and whole / ways <= half), 1)


def batch_shapes(experiment: ExperimentConfig, rows: int, window: int) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns the arrays of a batch of the dynamics' training, named as in `Episode`."""
    config, spec = experiment.dynamics, experiment.recording.source.spec
    shapes: dict[str, tuple[tuple[int, ...], Any]] = {
        "latents": ((config.tokens, config.channels), jnp.float16),
        "actions": ((), jnp.int32),
        "rewards": ((), jnp.float32),
        "terminals": ((), jnp.bool_),
    }
    if spec.entity is not None:
        shapes["entities"] = ((spec.entity.capacity, len(spec.entity.fields)), jnp.float32)
        shapes["entity_mask"] = ((spec.entity.capacity,), jnp.bool_)
    if config.map is not None:
        shapes["drafts"] = ((config.tokens, config.draft_channels), jnp.float16)
        shapes["motion"] = ((2,), jnp.float32)
    return {name: jax.ShapeDtypeStruct((rows, window, *shape), dtype) for name, (shape, dtype) in shapes.items()}


def bytes_on_device(tree: Any) -> int:
    """Returns the bytes that each device holds of a pytree of shapes that know where they lie."""
    leaves = jax.tree.leaves(tree)
    return sum(_size(jax.ShapeDtypeStruct(leaf.sharding.shard_shape(leaf.shape), leaf.dtype)) for leaf in leaves)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Costs:
    """What a batch of `_COUNTED` windows costs.

    Attributes:
      model: operations of the loss and its gradient.
      device: the same with what is computed again.
      update: operations of the optimizer.
      kept: bytes that the way forward keeps for the way back.
      between: those of them that pass from layer to layer, and are cut over tokens.
    """

    model: int
    device: int
    update: int
    kept: int
    between: int


def _kept(experiment: ExperimentConfig, costs: _Costs, mesh: Mesh) -> int:
    """Returns what devices that share a batch's rows keep of all of it, each of them."""
    with rules.on(mesh):
        ways = rules.ways("tokens kept")
    slots = experiment.dynamics.coarse + experiment.dynamics.registers
    return costs.kept - costs.between + costs.between // (ways if slots % ways == 0 else 1)


@functools.cache
def _costs(experiment: ExperimentConfig, config: TrainConfig) -> _Costs:
    init, loss = _parts(experiment)
    params = jax.eval_shape(init, _key())
    optimizer = config.optimizer.build(config.steps)
    batch, twice = (batch_shapes(experiment, times * config.batch, config.window) for times in (1, 2))

    def flops(layers: LayersConfig) -> int:
        with layered(dataclasses.replace(layers, unroll=False)):
            return matmul_flops(jax.grad(loss, has_aux=True), params, batch, _key())

    def update(gradient: Any, moments: Any, params: Params) -> Any:
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            return optimizer.update(gradient, moments, params)

    def kept(batch: Any) -> list[Any]:
        def forward(params: Any, batch: Any, key: PRNGKey) -> Any:
            return jax.vjp(lambda params: loss(params, batch, key)[0], params)[1]

        with layered(dataclasses.replace(config.layers, unroll=False)):
            return jax.tree.leaves(jax.eval_shape(forward, params, batch, _key()))

    # What is kept of parameters does not grow with the batch, so it falls out of the difference.
    grown = [(one.shape, _size(other) - _size(one)) for one, other in zip(kept(batch), kept(twice), strict=True)]
    stream = (experiment.dynamics.coarse + experiment.dynamics.registers, experiment.dynamics.features)
    # `[layer, row, tick, token, feature]`: a stack keeps its stream in parts only where it computes layers again.
    between = [size for shape, size in grown if len(shape) == 5 and shape[-2:] == stream]
    return _Costs(
        model=flops(LayersConfig()),
        device=flops(config.layers),
        update=matmul_flops(update, params, jax.eval_shape(optimizer.init, params), params),
        kept=sum(size for _, size in grown),
        between=0 if config.layers.recompute == "nothing" else sum(between),
    )


@functools.cache
def _key() -> Any:
    """Returns the shape of a key."""
    return jax.eval_shape(lambda: jax.random.key(0))


def _parts(experiment: ExperimentConfig) -> tuple[Callable[[PRNGKey], Params], Loss]:
    """Returns what draws the parameters of the dynamics, and its loss."""
    spec = experiment.recording.source.spec

    def init(key: PRNGKey) -> Params:
        return dynamics.init(experiment.dynamics, key)

    def loss(params: Params, batch: Any, key: PRNGKey) -> tuple[Array, dict[str, Array]]:
        return dynamics_loss(experiment.dynamics, experiment.dynamics_loss, spec, params, batch, key)

    return init, loss


def _size(leaf: Any) -> int:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.eval_shape(jax.random.key_data, leaf)
    return leaf.size * leaf.dtype.itemsize


def _with(tree: Any, shardings: Any) -> Any:
    return jax.tree.map(lambda x, where: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where), tree, shardings)
