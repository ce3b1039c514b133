"""Weights in a file, beside a record that vouches for them: described alike, read with every byte and shape checked."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from oyster_jax.tree import named_leaves

#: What weights are stored as: half the bytes, and their loss is below what training noise leaves.
STORED = "bfloat16"

_DTYPES = {"BF16": jnp.bfloat16, "F32": np.float32, "F16": np.float16}


def packed(tree: Any) -> bytes:
    """Returns floating arrays as the content of a safetensors file, in `STORED`."""
    return safetensors.numpy.save(
        {name: np.asarray(jnp.asarray(leaf, STORED)) for name, leaf in named_leaves(tree).items()}
    )


def described(file: str, data: bytes) -> dict[str, Any]:
    """Returns what a record says of a file of weights, so that `read_weights` can check it.

    Args:
      file: its name, beside the record.
      data: its content, as of `packed`.
    """
    return {
        "file": file,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "parameters": sum(leaf.size for leaf in _unpacked(data).values()),
    }


def read_weights(folder: Path, said: Mapping[str, Any], expected: Any) -> dict[str, np.ndarray]:
    """Returns the weights in a file by their names, as `tree.nested` takes them.

    Args:
      folder: in which the file lies.
      said: of the file, as by `described`.
      expected: a tree of shapes, as `jax.eval_shape` returns it for what makes such weights.

    Raises:
      ValueError: the file is missing, damaged, or holds other weights; its message names the file, without a full stop.
      KeyError: `said` lacks something.
    """
    path = folder / said["file"]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from error
    if len(data) != said["bytes"]:
        raise ValueError(f"{path} has {len(data)} bytes, but its record says {said['bytes']}")
    if hashlib.sha256(data).hexdigest() != said["sha256"]:
        raise ValueError(f"the sha256 of {path} is not the one in its record, so it is damaged")
    try:
        leaves = _unpacked(data)
    except (safetensors.SafetensorError, KeyError) as error:
        raise ValueError(f"{path} is no safetensors file of {STORED} weights ({error})") from error
    _check_shapes(path, leaves, named_leaves(expected))
    return leaves


def _unpacked(data: bytes) -> dict[str, np.ndarray]:
    # The library's own loaders know no bfloat16 without torch.
    return {
        name: np.frombuffer(view["data"], _DTYPES[view["dtype"]]).reshape(view["shape"])
        for name, view in safetensors.deserialize(data)
    }


def _check_shapes(path: Path, leaves: Mapping[str, np.ndarray], expected: Mapping[str, jax.ShapeDtypeStruct]) -> None:
    if leaves.keys() != expected.keys():
        missing, unknown = sorted(expected.keys() - leaves.keys()), sorted(leaves.keys() - expected.keys())
        raise ValueError(
            f"{path} holds the weights of another network: {len(missing)} are missing ({_some(missing)}) and "
            f"{len(unknown)} are unknown ({_some(unknown)})"
        )
    for name, leaf in expected.items():
        found = leaves[name]
        if found.shape != leaf.shape or str(found.dtype) != STORED:
            raise ValueError(
                f"{path} holds the weights of another network: '{name}' is {found.dtype} {found.shape}, but {STORED} "
                f"{leaf.shape} is needed"
            )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "") if names else "none"
