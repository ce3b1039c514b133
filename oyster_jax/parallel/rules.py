"""What is cut along which axis of the mesh: one table from logical axes to mesh axes, and who has which logical axes.

Parameters are stored cut up over `fsdp` and `tensor` together and put together, layer by layer, where they are needed.
The layers know of heads and hidden features, which stay cut over `tensor` while they compute. Updates (gradients,
moments, averages) are cut along the longer side of each matrix, so that what Muon exchanges are small square matrices.
"""

import contextlib
import contextvars
import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from oyster_jax.parallel.mesh import AXES, in_steps
from oyster_jax.typing import Array

#: Logical axis → the mesh axes that cut it, the outermost first. Whatever is not here is whole on every device.
RULES: Mapping[str, tuple[str, ...]] = {
    "batch": ("slice", "data", "fsdp"),
    "stored": ("fsdp", "tensor"),
    "gathered": ("fsdp",),
    "heads": ("tensor",),
    "rows kept": ("slice", "data", "fsdp", "tensor"),
    "tokens kept": ("tensor",),
}

#: The last two axes of matrices, by the end of their names; the first that fits counts. They are stored along the side
#: that is not cut while they are used, so that an exchange among neighbours turns one into the other.
MATRICES: Mapping[str, tuple[str | None, str | None]] = {
    "outward.kernel": (None, "stored"),
    "kernel": ("stored", None),
}

_MESH: contextvars.ContextVar[Mesh | None] = contextvars.ContextVar("mesh", default=None)


@contextlib.contextmanager
def on(mesh: Mesh) -> Iterator[None]:
    """Lets `constrain` and `ways` know of the mesh that the function which is being traced will run on."""
    token = _MESH.set(mesh)
    try:
        yield
    finally:
        _MESH.reset(token)


def ways(logical: str) -> int:
    """Returns into how many parts the present mesh cuts a logical axis; one without a mesh."""
    mesh = _current()
    return 1 if mesh is None else math.prod(mesh.shape[axis] for axis in _usable(mesh, logical))


def constrain(x: Array, *axes: str | None) -> Array:
    """Says how `x` is cut on the present mesh; returns it as it is where there is none.

    Args:
      x: an array.
      *axes: logical axes of its last axes, None for those that are whole; all axes before are left to the compiler.
    """
    mesh = _current()
    # Where all axes are split by hand there is nothing left to say.
    if mesh is None or mesh.size == 1 or AxisType.Auto not in mesh.axis_types:
        return x
    free = [PartitionSpec.UNCONSTRAINED] * (x.ndim - len(axes))
    cut = [_fitting(mesh, axis, size) for axis, size in zip(axes, x.shape[x.ndim - len(axes) :], strict=True)]
    return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, PartitionSpec(*free, *cut)))


def constrain_halfway(x: Array, axis: int) -> Array:
    """Says that `axis`, which is cut like "stored", is on the way to being whole, or back, where that takes two steps.

    Args:
      x: an array.
      axis: from the first on; all others are whole.
    """
    mesh = _current()
    steps = None if mesh is None else in_steps(mesh)
    if steps is None or x.shape[axis] % (steps.shape["far"] * steps.shape["near"]):
        return x
    spec = PartitionSpec(*("far" if number == axis else None for number in range(x.ndim)))
    return jax.lax.with_sharding_constraint(x, NamedSharding(steps, spec))


def replicated(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of what is whole on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of arrays whose first axis is the batch."""
    return NamedSharding(mesh, PartitionSpec(RULES["batch"]))


def param_shardings(mesh: Mesh, params: Any, *, logical: str = "stored") -> Any:
    """Returns how parameters are stored, as a pytree of shardings.

    Args:
      mesh: the mesh.
      params: arrays, or shapes in their place.
      logical: what cuts them: "stored", as in training, or "heads", whole but along `tensor`, as rollouts hold them.
    """

    def sharding(path: Any, leaf: Any) -> NamedSharding:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        found = next((axes for end, axes in MATRICES.items() if f".{name}".endswith(f".{end}")), None)
        cut = [axis and logical for axis in found or ()] if leaf.ndim >= 2 else []
        return _sharding(mesh, leaf, tuple(cut))

    return jax.tree_util.tree_map_with_path(sharding, params)


def update_shardings(mesh: Mesh, tree: Any) -> Any:
    """Returns how gradients, moments of an optimizer and averages are stored, as a pytree of shardings.

    Args:
      mesh: the mesh.
      tree: arrays, or shapes in their place; matrices are the leaves whose names end in `kernel`.
    """

    def sharding(path: Any, leaf: Any) -> NamedSharding:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        if not name.endswith("kernel") or leaf.ndim < 2:
            return _sharding(mesh, leaf, ())
        # A square counts as wide, as Muon takes it.
        longer_first = leaf.shape[-2] > leaf.shape[-1]
        return _sharding(mesh, leaf, ("stored", None) if longer_first else (None, "stored"))

    return jax.tree_util.tree_map_with_path(sharding, tree)


def _sharding(mesh: Mesh, leaf: Any, axes: tuple[str | None, ...]) -> NamedSharding:
    whole = [None] * (leaf.ndim - len(axes))
    cut = [_fitting(mesh, axis, size) for axis, size in zip(axes, leaf.shape[len(whole) :], strict=True)]
    return NamedSharding(mesh, PartitionSpec(*whole, *cut))


def _current() -> Any:
    """Returns the mesh that is being traced for: inside a `shard_map` its own, which knows what is split by hand."""
    inside = jax.sharding.get_abstract_mesh()
    return inside if set(AXES) <= set(inside.axis_names) else _MESH.get()


def _usable(mesh: Any, logical: str) -> tuple[str, ...]:
    """Returns the mesh axes of a logical axis that are left to the compiler and cut anything at all."""
    automatic = dict(zip(mesh.axis_names, mesh.axis_types, strict=True))
    return tuple(axis for axis in RULES[logical] if automatic[axis] is AxisType.Auto and mesh.shape[axis] > 1)


def _fitting(mesh: Any, logical: str | None, size: int) -> tuple[str, ...] | None:
    """Returns as many of a logical axis's mesh axes, the outermost first, as `size` can be cut along evenly."""
    if logical is None:
        return None
    cut: list[str] = []
    for axis in _usable(mesh, logical):
        if size % (math.prod(mesh.shape[other] for other in cut) * mesh.shape[axis]) == 0:
            cut.append(axis)
    return tuple(cut) or None
