"""What figures were measured on: the machine, and the versions of what ran."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("oyster-jax", "jax", "jaxlib", "flax", "numpy", "procgen-gym")

#: XLA's own way to be told of virtual devices.
DEVICES_FLAG = "--xla_force_host_platform_device_count"
#: Extensions of x86 that decide how fast a matrix product is.
_EXTENSIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that figures depend on, where they are installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, Any]:
    """Returns what computes: processor, cores that this process may use, devices, and how busy the machine is."""
    import jax

    described = _processor()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": described.get("model name", platform.processor()),
        "extensions": [name for name in _EXTENSIONS if name in described.get("flags", "").split()],
        "cores": cores(),
        "devices": [device.device_kind for device in jax.devices()],
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _processor() -> dict[str, str]:
    """Returns what Linux says of the first core; elsewhere nothing."""
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
