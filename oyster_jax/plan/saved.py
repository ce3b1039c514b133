"""Compiled programs in files: what `oyster plan --save` leaves, and how a machine that has the chips loads it.

>>> step = load(Path("plan/train.executable"))
>>> state, metrics = step(state, batch)  # laid out as in `train_program`, as many chips as were planned for
"""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from jax.experimental.serialize_executable import deserialize_and_load, serialize

from oyster_jax.files import write_whole
from oyster_jax.plan.errors import PlanError

SUFFIX = ".executable"


def save(folder: Path, name: str, executable: jax.stages.Compiled) -> Path:
    """Writes a compiled program to `folder`, whole or not at all, and returns the file's path."""
    about = {"jax": jax.__version__, "program": pickle.dumps(serialize(executable))}
    write_whole(folder, {name + SUFFIX: pickle.dumps(about)})
    return folder / (name + SUFFIX)


def load(path: Path, devices: Sequence[Any] | None = None) -> jax.stages.Compiled:
    """Returns a program that `save` wrote, ready to be called.

    To read a file is to run it: load only what you, or somebody whom you trust, compiled.

    Args:
      path: of the file.
      devices: to run on, of the kind and the number that it was compiled for; all that there are unless given.

    Raises:
      PlanError: there is no such program, or another version of JAX compiled it.
    """
    try:
        about = pickle.loads(path.read_bytes())
        version, program = about["jax"], about["program"]
    except (OSError, pickle.UnpicklingError, EOFError, KeyError, TypeError) as error:
        raise PlanError(f"{path} is no program that `oyster plan --save` wrote ({error}).") from error
    if version != jax.__version__:
        raise PlanError(
            f"{path} was compiled with JAX {version}, but here is {jax.__version__}; plan again with this version."
        )
    payload, inputs, outputs = pickle.loads(program)
    devices = jax.devices() if devices is None else devices
    return deserialize_and_load(payload, inputs, outputs, backend=devices[0].client, execution_devices=devices)
