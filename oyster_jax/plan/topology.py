"""Topologies: the devices of TPU slices that nobody needs to own to compile for."""

import dataclasses
import functools
import importlib.util
import re
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp

from oyster_jax.parallel.tpu import answer_libtpu
from oyster_jax.plan.errors import PlanError
from oyster_jax.plan.peaks import PEAKS, Peaks

type Effort = Literal["O0", "O1", "O2", "O3"]

_NAMES = "v5e:4x4 or v5e:16x16, v5p:4x4x8, v6e:16x16, tpu7x:4x4x4"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Topology:
    """Slices of one kind of TPU.

    Attributes:
      name: of one slice, as in `v5e:16x16`.
      slices: how many there are.
      peaks: what one chip can do.
      devices: of all slices.
      usable: bytes of HBM that programs may use on one device, as the compiler itself says.
    """

    name: str
    slices: int
    peaks: Peaks
    devices: Sequence[Any]
    usable: int

    @property
    def chips(self) -> int:
        """Chips of all slices."""
        return len(self.devices) // self.peaks.devices

    @property
    def label(self) -> str:
        """For people: `v5e:16x16`, or `2 × v5e:16x16`."""
        return self.name if self.slices == 1 else f"{self.slices} × {self.name}"


def compile_only(effort: Effort = "O1") -> None:
    """Prepares this process for compiling only: no TPU is looked for, and none is missed aloud.

    To be called where a program starts, before JAX is used. What the user has set stays.

    Args:
      effort: how hard the compiler tries to make programs fast. With O1 it took 0.4 of the time that it takes by
        default, and with O0 0.3; both found programs that need some per cent more memory, not less.
    """
    answer_libtpu()
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_optimization_level", effort)
    # Programs that were compiled for absent devices can be kept, but not be read again.
    jax.config.update("jax_enable_compilation_cache", False)


def topology(name: str, slices: int = 1) -> Topology:
    """Returns the devices of `slices` slices.

    Args:
      name: kind and chips of one slice, as in `v5e:16x16`.
      slices: how many.

    Raises:
      PlanError: there is no such topology, or no compiler for it here.
    """
    kind, _, shape = name.partition(":")
    if kind not in PEAKS or not re.fullmatch(r"\d+(x\d+)*", shape):
        raise PlanError(f"There is no topology '{name}'; give one such as {_NAMES}.")
    if slices < 1:
        raise PlanError(f"There is at least one slice, but {slices} were asked for.")
    if importlib.util.find_spec("libtpu") is None:
        raise PlanError(
            "Compiling for a TPU takes no TPU, but it takes the package libtpu, which is for Linux; install it where "
            "Oyster lies with `.venv/bin/pip install -c constraints.txt -e '.[tpu]'`."
        )
    from jax.experimental import topologies

    options = {"num_slices": slices} if slices > 1 else {}
    try:
        found = topologies.get_topology_desc(platform="tpu", topology_name=name, **options)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise PlanError(
            f"The TPU compiler does not know the topology '{name}' ({reason}); give one such as {_NAMES}."
        ) from error
    devices = tuple(found.devices)
    return Topology(
        name=name, slices=slices, peaks=PEAKS[kind], devices=devices, usable=_usable_memory(kind, devices[0])
    )


@functools.cache
def _usable_memory(kind: str, device: Any) -> int:
    """Returns how many bytes of HBM programs may use on one device, as the compiler itself says.

    Args:
      kind: of the TPU; the same for all of its devices.
      device: any device of that kind.
    """
    sharding = jax.sharding.SingleDeviceSharding(device)
    # Asked for more than any chip has, it says how much there is.
    huge = jax.ShapeDtypeStruct((1 << 40,), jnp.uint8, sharding=sharding)
    try:
        jax.jit(lambda x: x + 1).lower(huge).compile()
    except jax.errors.JaxRuntimeError as error:
        if (said := exceeded(str(error))) is not None:
            return said[1]
        raise
    raise PlanError(f"The compiler found room for a terabyte on {kind}; this version of it cannot be planned with.")


def exceeded(message: str) -> tuple[int, int] | None:
    """Returns bytes needed and bytes available that the compiler's out-of-memory message tells of, None in another."""
    found = re.search(r"\(([\d.]+)([KMGT]?)\) exceeds available HBM \(([\d.]+)([KMGT]?)\)", message)
    if found is None:
        return None
    needed, needed_unit, available, available_unit = found.groups()
    return _bytes(needed, needed_unit), _bytes(available, available_unit)


def _bytes(number: str, unit: str) -> int:
    return round(float(number) * 1024 ** ("KMGT".index(unit) + 1 if unit else 0))
