"""Whether this machine has a TPU, and how to have the compiler of TPUs keep quiet where it has none."""

import importlib.util
import os
from collections.abc import MutableMapping
from pathlib import Path

#: What libtpu asks of every machine on which it is loaded; without these answers it complains aloud that it found no
#: TPU, asks the network for one, and lets no second process load it.
_ANSWERS = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_MIN_LOG_LEVEL": "3",
    "TPU_STDERR_LOG_LEVEL": "3",
}

#: How the maker's devices, and its network card, which is no TPU, name themselves on the PCI bus.
_MAKER, _NETWORK_CARD = "0x1ae0", "0x0042"


def answer_libtpu(environment: MutableMapping[str, str] = os.environ) -> None:
    """Tells libtpu that nobody misses a TPU; what the environment says already stays.

    To be called where a program starts, before JAX is used; programs that it starts are told, too. JAX then takes what
    accelerators there are, or the processor.
    """
    for name, value in _ANSWERS.items():
        environment.setdefault(name, value)


def quiet_without_tpu(environment: MutableMapping[str, str] = os.environ, root: Path = Path("/")) -> None:
    """Does what `answer_libtpu` does where libtpu is installed, as with the extra `tpu`, and no TPU is.

    Args:
      environment: of this process.
      root: of the file system whose devices are looked at.
    """
    if importlib.util.find_spec("libtpu") is not None and not _has_tpu(root):
        answer_libtpu(environment)


def _has_tpu(root: Path) -> bool:
    """Whether a TPU may be here: a device file of one, or any device of its maker's on the bus but network cards."""
    if any(root.glob("dev/accel*")) or any(root.glob("dev/vfio/[0-9]*")):
        return True
    vendors = root.glob("sys/bus/pci/devices/*/vendor")
    made = [vendor.parent / "device" for vendor in vendors if vendor.read_text().strip() == _MAKER]
    return any(device.read_text().strip() != _NETWORK_CARD for device in made)
