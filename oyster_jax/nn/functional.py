"""The seam between NNX modules and pure functions: parameters leave as plain dicts, modules come back inside jit."""

import contextlib
import contextvars
import dataclasses
import functools
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Literal

import jax
from flax import nnx
from jax.core import Tracer

from oyster_jax.parallel import rules
from oyster_jax.typing import Array, Params, PRNGKey

type Build[Config: Hashable, Module: nnx.Module] = Callable[[Config, nnx.Rngs], Module]


@functools.cache
def _graph[Config: Hashable, Module: nnx.Module](build: Build[Config, Module], config: Config) -> nnx.GraphDef[Module]:
    """Returns the structure of the module that `build` makes of `config`, without computing a single number."""
    return nnx.split(nnx.eval_shape(lambda: build(config, nnx.Rngs(0))))[0]


def init[Config: Hashable, Module: nnx.Module](build: Build[Config, Module], config: Config, key: PRNGKey) -> Params:
    """Draws the parameters of the module that `build` makes of `config`, as nested dicts of arrays."""

    def draw(key: PRNGKey) -> Params:
        return nnx.to_pure_dict(nnx.split(build(config, nnx.Rngs(key)))[1])

    # Within another program, that one says how all is compiled.
    return draw(key) if isinstance(key, Tracer) else hastily(draw)(key)


def hastily(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Returns `jax.jit(function, **options)` for a program that runs once, where compiling is what takes time.

    On a CPU it is compiled with less care: 47 leaves of parameters are drawn after 3 s and not after 18.
    """
    hasty = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    return jax.jit(function, compiler_options=hasty if jax.default_backend() == "cpu" else None, **options)


def bind[Config: Hashable, Module: nnx.Module](build: Build[Config, Module], config: Config, params: Params) -> Module:
    """Returns the module with `params` in it; cheap, and meant to be called inside a traced function."""
    return nnx.merge(_graph(build, config), params)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayersConfig:
    """How a gradient runs through stacked layers; numbers stay the same but for the order of sums.

    Attributes:
      recompute: what of a layer is computed again on the way back instead of being kept: nothing, all but its matrix
        products, or everything (rematerialisation, arXiv 1604.06174). What is then kept of each layer, its input, is
        cut among devices that share the layer (sequence parallelism, arXiv 2205.05198).
      unroll: write all layers out, which the compiler sees through; else one is compiled, and runs again and again.
    """

    recompute: Literal["nothing", "elementwise", "everything"] = "nothing"
    unroll: bool = True


_LAYERS: contextvars.ContextVar[LayersConfig | None] = contextvars.ContextVar("layers", default=None)


@contextlib.contextmanager
def layered(config: LayersConfig) -> Iterator[None]:
    """Lets every `Stack` of the function that is being traced run as `config` says."""
    token = _LAYERS.set(config)
    try:
        yield
    finally:
        _LAYERS.reset(token)


def in_parts(x: Any) -> Any:
    """Says that what passes between layers, `[batch, …, tokens, width]`, is cut among devices that share a layer.

    Only where it is kept, to compute layers again. What a layer adds is then summed up into these parts, and not whole.
    Cut are rows where they come out even, else tokens; a vector has neither.
    """
    if not _kept():
        return x
    return jax.tree.map(lambda leaf: _in_parts(leaf) if leaf.ndim > 2 else leaf, x)


def whole(x: Array) -> Array:
    """Says that what a product takes, rows first, is whole on these devices; its gradient is in parts again.

    Where rows do not come out even this is left to the compiler, for the axis of tokens may lie elsewhere by now.
    """
    return _whole(x) if _kept() and rules.ways("tokens kept") > 1 and _even(x) else x


def _layers() -> LayersConfig:
    return _LAYERS.get() or LayersConfig()


def _kept() -> bool:
    return _layers().recompute != "nothing"


def _even(x: Array) -> bool:
    return x.shape[0] % rules.ways("rows kept") == 0


def _cut(x: Array) -> Array:
    between = [None] * (x.ndim - 3)
    if _even(x):
        return rules.constrain(x, "rows kept", *between, None, None)
    return rules.constrain(x, "batch", *between, "tokens kept", None)


def _uncut(x: Array) -> Array:
    # Said twice, what travels has the dtype of the product, not of what it was made of.
    return rules.constrain(_cut(x), "batch", *[None] * (x.ndim - 1))


_in_parts = jax.custom_vjp(_cut)
_in_parts.defvjp(lambda x: (_cut(x), None), lambda _, gradient: (_uncut(gradient),))
_whole = jax.custom_vjp(_uncut)
_whole.defvjp(lambda x: (_uncut(x), None), lambda _, gradient: (_cut(gradient),))


class Stack(nnx.Module):
    """`depth` copies of one layer with stacked parameters, applied by a scan: few leaves, one compilation.

    Args:
      build: makes one layer from an `nnx.Rngs`; a layer maps `(x, *args, **kwargs)` to `x`, or to `(x, y)`.
      depth: number of layers, at least one.
    """

    def __init__(self, build: Callable[[nnx.Rngs], nnx.Module], depth: int, *, rngs: nnx.Rngs):
        self.depth = depth
        self.layers = nnx.vmap(build, axis_size=depth)(rngs.split(depth))

    def __call__(self, x: Any, apply: Callable[[Any, Any, Any], tuple[Any, Any]], per_layer: Any = None) -> Any:
        """Scans `apply(layer, x, xs) → (x, ys)` over the layers.

        Args:
          x: what passes through the layers.
          apply: applies one layer.
          per_layer: a pytree with a leading `depth` axis, of which each layer gets its part as `xs`.

        Returns:
          The last `x`, and all `ys` stacked over a leading `depth` axis.
        """
        graph, params = nnx.split(self.layers)
        config = _layers()

        def layer(x: Any, scanned: tuple[Any, Any]) -> tuple[Any, Any]:
            layer_params, xs = scanned
            x, ys = apply(nnx.merge(graph, layer_params), x, xs)
            return in_parts(x), ys

        if _kept():
            products = jax.checkpoint_policies.dots_with_no_batch_dims_saveable
            layer = jax.checkpoint(layer, policy=products if config.recompute == "elementwise" else None)
            x = in_parts(x)
        return jax.lax.scan(layer, x, (params, per_layer), unroll=config.unroll)
