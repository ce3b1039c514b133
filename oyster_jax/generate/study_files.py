"""How a study lies on disk: one zarr array a measure, one file for each of its cells, and labels for every axis."""

import functools
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from oyster_jax.data.manifest import Shard, digest
from oyster_jax.files import write_whole
from oyster_jax.generate.branches import row_shapes
from oyster_jax.generate.design import AXES, Design
from oyster_jax.generate.interventions import Intervention
from oyster_jax.generate.layout import ArrayLayout, describe_arrays, write_array
from oyster_jax.generate.policies import policy_digest
from oyster_jax.generate.program import program_digest
from oyster_jax.generate.writer import write_file
from oyster_jax.models.heads import ENTITY_FIELDS
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.typing import Params


def layouts_of(design: Design) -> dict[str, ArrayLayout]:
    """Returns the arrays of all measures, by name.

    Raises:
      ValueError: a measure does not name all of its axes, or has others in one world than in another.
    """
    found, (rows, *others) = (
        {},
        [row_shapes(design.whole(world, 0), design.block) for world in range(len(design.worlds))],
    )
    for name, measure in design.measures.items():
        result = jax.eval_shape(measure.of, rows, rows)
        for other in others:
            if (differs := jax.eval_shape(measure.of, other, other)) != result:
                raise ValueError(
                    f"Measure '{name}' returns {list(result.shape[1:])} in one of the worlds and "
                    f"{list(differs.shape[1:])} in another; study them apart, or measure what they have in common."
                )
        shape = result.shape[1:]
        if result.shape[:1] != (design.block,) or len(measure.dimensions) != len(shape):
            raise ValueError(
                f"Measure '{name}' returns {len(shape)} axes {list(shape)}, but names {list(measure.dimensions)}; name "
                "each, as in Measure(function=…, dimensions=('tick',))."
            )
        file = (1, 1, 1, 1, design.block, *shape)
        found[name] = ArrayLayout(
            name=name,
            shape=(*design.shape, *shape),
            dtype=str(result.dtype),
            dimensions=(*AXES, *measure.dimensions),
            shard=file,
            chunk=file,
            attributes={"units": measure.units, "long_name": measure.about or name},
        )
    return found


def labels_of(design: Design, layouts: Mapping[str, ArrayLayout]) -> dict[str, Any]:
    """Returns the labels along every axis, numbers from zero on where there are no better ones.

    Raises:
      ValueError: measures disagree on the length of an axis, or it is not that of the axis known by this name.
    """
    known: dict[str, Any] = {
        "world": list(design.worlds),
        "policy": list(design.policies),
        "intervention": list(design.interventions),
        "seed": np.asarray(design.seeds),
        "tick": np.arange(design.ticks),
        "axis": ["x", "y"],
        "field": list(ENTITY_FIELDS),
    }
    labels: dict[str, Any] = {}
    for layout in layouts.values():
        for name, length in zip(layout.dimensions, layout.shape, strict=True):
            labels.setdefault(name, known.get(name, np.arange(length)))
            if len(labels[name]) != length:
                raise ValueError(
                    f"Axis '{name}' of measure '{layout.name}' has length {length}, but elsewhere {len(labels[name])}; "
                    "give it another name."
                )
    return labels


def describe(
    layouts: Mapping[str, ArrayLayout], labels: Mapping[str, Any], request: Mapping[str, Any], out: Path
) -> None:
    """Writes labels and descriptions, that of the folder last: with it everything is there."""
    import xarray

    if (out / "zarr.json").exists():
        return
    named = xarray.Dataset(coords={name: (name, values) for name, values in labels.items()})
    with tempfile.TemporaryDirectory() as folder:
        named.to_zarr(folder, consolidated=False, zarr_format=3)
        for path in sorted(Path(folder).glob("*/**/*")):
            if path.is_file():
                write_whole(out / path.relative_to(folder).parent, {path.name: path.read_bytes()})
    for layout in layouts.values():
        write_array(out, layout)
    describe_arrays(out, {"request": request})


def request_of(design: Design) -> dict[str, Any]:
    """Returns all of a design that decides over its numbers, JSON-ready."""
    whole = design.whole(0, 0)
    model, params, rows = whole.model, whole.params, row_shapes(whole, design.block)
    state = jax.eval_shape(model.reset, params, jax.random.key(0))
    return {
        "worlds": list(design.worlds),
        "starts": design.starts.described() | {"count": design.begun, "seed": design.seed},
        "policies": {name: policy_digest(policy, model, params) for name, policy in design.policies.items()},
        "interventions": {
            name: {
                "at": one.at,
                "sampler": dict(one.sampler),
                "actions": None if one.actions is None else np.asarray(one.actions).tolist(),
                "edit": one.edit
                and program_digest(functools.partial(_edited, one, model), params, state, one.arguments),
            }
            for name, one in design.interventions.items()
        },
        "measures": {name: program_digest(one.of, rows, rows) for name, one in design.measures.items()},
        "seeds": list(design.seeds),
        "ticks": design.ticks,
        "beyond": design.beyond,
        "block": design.block,
    }


def _edited(intervention: Intervention, model: WorldNetwork, params: Params, state: Any, arguments: Any) -> Any:
    assert intervention.edit is not None
    return intervention.edit(model, params, state, jax.random.key(0), arguments)


def write_unit(
    design: Design,
    layouts: Mapping[str, ArrayLayout],
    stores: Mapping[str, Any],
    cell: tuple[int, int, int],
    chunk: int,
    values: list[list[np.ndarray]],
    out: Path,
) -> list[Shard]:
    """Writes what was measured from one start with one chunk of seeds; returns the files.

    Args:
      design: what is studied.
      layouts: of the measures, in their order.
      stores: the open arrays.
      cell: numbers of world, start and policy.
      chunk: number of the chunk of seeds.
      values: of each intervention and measure, `[seeds, …]`.
      out: the folder.
    """
    first, count = chunk * design.block, len(design.chunk(chunk))
    writes, names = [], []
    for number, measures in enumerate(values):
        for name, array in zip(layouts, measures, strict=True):
            place = (*cell, number)
            writes.append(write_file(stores[name], np.s_[*place, first : first + count], array[:count]))
            names.append(layouts[name].part(*place, chunk))
    for write in writes:
        write.result()
    return [
        Shard(name=name, bytes=(out / name).stat().st_size, sha256=digest(out / name), lengths=()) for name in names
    ]
