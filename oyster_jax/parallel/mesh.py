"""Meshes: devices arranged so that what talks most sits closest.

From the outside in: `slice` (over the data-centre network), `data` (whole copies of the state), `fsdp` (the state cut
up, put together for each layer), `tensor` (a layer's heads and features cut up; the innermost, for it talks the most).
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AbstractMesh, AxisType, Mesh

#: From the outermost to the innermost.
AXES = ("slice", "data", "fsdp", "tensor")


class MeshError(ValueError):
    """Devices cannot be arranged as asked; the message says why and what would fit."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """How many ways each thing is cut. All devices are used; where there are fewer, see `fitting`.

    Attributes:
      data: rows of the batch, within a slice, by devices that hold the same part of the state; as many as are left
        unless given.
      fsdp: the state, and rows of the batch with it (fully sharded data parallelism, arXiv 2304.11277).
      tensor: heads and features of each layer (Megatron-LM, arXiv 1909.08053).
      slices: TPU slices, or other groups of devices, that only a slow network joins; each holds a whole state.
    """

    data: int | None = None
    fsdp: int = 1
    tensor: int = 1
    slices: int = 1

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            ways = getattr(self, field.name)
            if ways is not None and ways < 1:
                raise MeshError(f"A mesh is cut at least one way along {field.name}, but {ways} were asked for.")

    def shape(self, devices: int) -> tuple[int, int, int, int]:
        """Returns the ways along `AXES` for so many devices.

        Raises:
          MeshError: they do not come out even.
        """
        inner = self.slices * self.fsdp * self.tensor
        data = devices // inner if self.data is None else self.data
        if inner * data != devices or not data:
            raise MeshError(
                f"There are {devices} devices, which {self.described} do not use up; choose ways whose product is "
                f"{devices}, or leave data out."
            )
        return self.slices, data, self.fsdp, self.tensor

    @property
    def least(self) -> int:
        """The devices that it takes at the least."""
        return self.slices * (self.data or 1) * self.fsdp * self.tensor

    @property
    def described(self) -> str:
        """The ways that are given and cut anything, as in "fsdp 4, tensor 2"."""
        given = {name: ways for name, ways in dataclasses.asdict(self).items() if ways is not None}
        return ", ".join(f"{name} {ways}" for name, ways in given.items() if ways > 1 or name == "data")

    def fitting(self, devices: int) -> "MeshConfig":
        """Returns the mesh for no more devices than there are: this one, or a smaller one where it takes more.

        Ways are given up from the outside in, and those that stay divide those that were asked for: what came out even,
        as rows of a batch and heads of a layer, still does.

        Raises:
          MeshError: a smaller one would not use all devices.
        """
        if self.least <= devices:
            return self
        if self.least % devices:
            raise MeshError(
                f"There are {devices} devices, to which {self.described} cannot shrink, for {devices} does not divide "
                f"{self.least}; choose ways whose product is {devices}, or leave data out."
            )
        left, ways = devices, {}
        for axis in ("tensor", "fsdp", "data", "slices"):
            ways[axis] = math.gcd(getattr(self, axis) or 1, left)
            left //= ways[axis]
        return dataclasses.replace(self, **ways | {"data": None if self.data is None else ways["data"]})

    def build(self, devices: Sequence[Any] | None = None) -> Mesh:
        """Returns the mesh with the axes `AXES`, all of type Auto.

        Args:
          devices: all of all processes unless given; those of a topology nobody owns will do.

        Raises:
          MeshError: the devices do not come out even, or lie in another number of slices.
        """
        devices = jax.devices() if devices is None else devices
        slices, *within = self.shape(len(devices))
        grids = [
            mesh_utils.create_device_mesh(within, group, allow_split_physical_axes=True)
            for group in _slices(devices, slices)
        ]
        return Mesh(np.stack(grids), AXES, axis_types=(AxisType.Auto,) * len(AXES))


def in_steps(mesh: Mesh | AbstractMesh) -> Mesh | None:
    """Returns the mesh with `far` and `near` in place of `fsdp` and `tensor`, or None.

    XLA makes an exchange among all chips of a TPU slice a sum, which sends twice as much (pytorch/xla#6528, and seen in
    compiled programs). It leaves an exchange among some of them as it is. Put together first along `near`, then along
    `far`, an array sends no more than in one step; its gradient goes the other way. Where a slice has copies within it,
    one step is among some chips already, and a prime number of chips has no two steps.
    """
    if not isinstance(mesh, Mesh) or mesh.shape["data"] > 1:
        return None
    fsdp, near = mesh.shape["fsdp"], mesh.shape["tensor"]
    if near == 1:
        near = min(ways for ways in range(1, fsdp + 1) if fsdp % ways == 0 and ways * ways >= fsdp)
        fsdp //= near
    if 1 in (fsdp, near):
        return None
    grid = mesh.devices.reshape(mesh.shape["slice"], 1, fsdp, near)
    return Mesh(grid, ("slice", "data", "far", "near"), axis_types=mesh.axis_types)


def batch_ways(mesh: Mesh | AbstractMesh) -> int:
    """Returns into how many parts a mesh cuts the rows of a batch."""
    return mesh.size // mesh.shape["tensor"]


def _slices(devices: Sequence[Any], count: int) -> list[list[Any]]:
    """Returns the devices by slice; where they know of none, so many equal parts in their order stand for slices."""
    known = sorted({getattr(device, "slice_index", None) or 0 for device in devices})
    if len(known) == 1:
        return [list(part) for part in np.split(np.asarray(devices, object), count)]
    if len(known) != count:
        raise MeshError(f"The devices lie in {len(known)} slices, but the mesh is to have {count}; set slices to that.")
    return [[device for device in devices if (device.slice_index or 0) == index] for index in known]
