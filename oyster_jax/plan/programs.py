"""The programs that a plan compiles: the very training step and batched rollout, from shapes alone."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, Mesh, NamedSharding

from oyster_jax.core.tick import COMPILER_OPTIONS
from oyster_jax.evaluate.flops import matmul_flops
from oyster_jax.generate.devices import beginning, held, layers_on, playing_on
from oyster_jax.generate.episodes import Kept
from oyster_jax.generate.policies import make_policy
from oyster_jax.generate.starts import Dreams
from oyster_jax.nn.functional import LayersConfig, layered
from oyster_jax.parallel import rules
from oyster_jax.parallel.mesh import batch_ways
from oyster_jax.plan.stages import Name, planned_stage
from oyster_jax.plan.topology import Topology
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.program import train_program
from oyster_jax.typing import Params, PRNGKey

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
      stage: that is trained.
      mesh: of the devices that it is for; its shape is all that figures need.
      lower: lowers it.
      options: that the compiler is given for it.
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
    stage: Name | None = None
    mesh: Mesh | AbstractMesh
    lower: Callable[[], Any]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
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


def training(experiment: ExperimentConfig, config: TrainConfig, mesh: Mesh, stage: Name = "dynamics") -> Program:
    """Returns one step of training.

    Args:
      experiment: what is trained.
      config: how, with the batch of this plan.
      mesh: where.
      stage: of the experiment.

    Raises:
      MeshError: the batch does not come out even.
    """
    planned = planned_stage(experiment, stage)
    program = train_program(planned.init, planned.loss, config, mesh)
    batch = program.abstract_batch(planned.batch_shapes(config.batch, config.window))
    costs = _costs(experiment, dataclasses.replace(config, batch=_COUNTED, accumulate=1), stage)
    kept = _kept(config.batch // config.accumulate, planned.stream[0], costs, mesh)
    return Program(
        name="train",
        stage=stage,
        mesh=mesh,
        lower=lambda: program.step.lower(program.state, batch),
        arguments={
            "parameters": program.state.params,
            "average": program.state.average,
            "optimizer": program.state.optimizer,
            "batch": batch,
        },
        activations=kept * config.batch // (_COUNTED * config.accumulate * batch_ways(mesh)),
        gradients=bytes_on_device(_with(program.state.params, rules.update_shardings(mesh, program.state.params))),
        model_flops=costs.model * config.batch // _COUNTED,
        device_flops=costs.device * config.batch // _COUNTED + costs.update,
        rows=config.batch,
        ticks=config.window,
        layers=config.layers,
    )


def rolling(experiment: ExperimentConfig, mesh: Mesh, worlds: int, ticks: int = TICKS) -> Program:
    """Returns a rollout of many worlds with their frames: what `oyster generate` runs, by its own policy from dreams.

    Args:
      experiment: whose world is rolled out.
      mesh: where.
      worlds: how many at once, over all devices.
      ticks: that each advances.
    """
    network, key, row = experiment.network, _key(), rules.batch_sharding(mesh)
    policy = make_policy("sticky", network.spec.action)
    whole = jax.eval_shape(lambda key: (network.init(key), policy, Dreams()), key)
    whole = tuple(map(_laid, whole, held(mesh, whole)))
    indices = jax.ShapeDtypeStruct((worlds,), jnp.int32, sharding=row)
    playing = _laid(jax.eval_shape(beginning(network, mesh, seed=0), whole, indices), row)
    play, layers = playing_on(network, mesh, ticks=ticks, kept=Kept()), layers_on(mesh)

    def lower() -> Any:
        with layered(layers):
            return play.lower(whole, playing)

    with layered(layers):
        # Each group of devices runs its own worlds.
        flops = batch_ways(mesh) * matmul_flops(play, whole, playing)
    world = playing.world
    return Program(
        name="rollout",
        mesh=mesh,
        lower=lower,
        options=COMPILER_OPTIONS,
        arguments={
            "parameters": whole[0],
            "ring": world.cache,
            "memory": world.memory,
            "rest of the worlds": (world.latent, world.readout, world.step, world.key, world.status),
            "policy": (whole[1:], playing.policy),
            "episodes": (playing.key, playing.tick, playing.alive, playing.length, playing.status),
        },
        activations=0,
        gradients=0,
        model_flops=flops,
        device_flops=flops,
        rows=worlds,
        ticks=ticks,
        layers=layers,
    )


def rolling_tensor(experiment: ExperimentConfig, topology: Topology) -> int:
    """Returns by how many ways devices must share a world, so that parameters take at most half of their memory."""
    params = jax.eval_shape(experiment.network.init, _key())
    half = topology.usable / 2
    whole = sum(map(_size, jax.tree.leaves(params)))
    heads = experiment.dynamics.heads
    return next((ways for ways in (1, 2, 4, 8, 16) if heads % ways == 0 and whole / ways <= half), 1)


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
      between: those of them that pass from layer to layer, and are cut among devices that share a layer.
    """

    model: int
    device: int
    update: int
    kept: int
    between: int


def _kept(rows: int, slots: int, costs: _Costs, mesh: Mesh) -> int:
    """Returns what devices that share a batch's rows keep of all of it, each of them."""
    with rules.on(mesh):
        ways, even = rules.ways("tokens kept"), rows % rules.ways("rows kept") == 0
    return costs.kept - costs.between + costs.between // (ways if even or slots % ways == 0 else 1)


@functools.cache
def _costs(experiment: ExperimentConfig, config: TrainConfig, stage: Name) -> _Costs:
    planned = planned_stage(experiment, stage)
    loss, params = planned.loss, jax.eval_shape(planned.init, _key())
    optimizer = config.optimizer.build(config.steps)
    batch, twice = (planned.batch_shapes(times * config.batch, config.window) for times in (1, 2))

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
    # `[layer, row, tick, token, feature]`, or with frames in one row: a stack keeps its stream in parts only where it
    # computes layers again.
    between = [size for shape, size in grown if len(shape) > 3 and shape[-2:] == planned.stream]
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


def _size(leaf: Any) -> int:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.eval_shape(jax.random.key_data, leaf)
    return leaf.size * leaf.dtype.itemsize


def _with(tree: Any, shardings: Any) -> Any:
    return jax.tree.map(lambda x, where: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where), tree, shardings)


def _laid(tree: Any, where: Any) -> Any:
    """Returns shapes that know where they lie: each as a pytree of shardings says, or all of them at one place."""
    return _with(tree, jax.tree.map(lambda _: where, tree) if isinstance(where, NamedSharding) else where)
