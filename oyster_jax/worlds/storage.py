"""The files of a world: `world.json` and its weights, written whole and read with every byte checked."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors

from oyster_jax.core.spec import WorldSpec
from oyster_jax.files import write_whole
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.tree import STORED, named_leaves, nested, packed, tree_digest, unpacked
from oyster_jax.typing import Params
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.record import RECORD, SCHEMA_VERSION, WEIGHTS, read_record
from oyster_jax.worlds.words_storage import has_words, read_words
from oyster_jax.worlds.world import World

IN_MEMORY = ("float32", "bfloat16")


def save_world(folder: Path, model: WorldNetwork, params: Params, record: Mapping[str, Any]) -> None:
    """Writes `world.json` and `weights.safetensors` into `folder`; its other files (the card, prompts) are left alone.

    Both files are complete before the first takes its place.

    Args:
      folder: created when missing.
      model: the world's model.
      params: its parameters, of any floating dtype; stored as bfloat16.
      record: `name`, `licence`, `training` (config, seed, cost …) and `figures` for `world.json`; further entries are
        kept.
    """
    stored = jax.tree.map(lambda leaf: jnp.asarray(leaf, STORED), dict(params))
    weights = packed(stored)
    content = {
        **record,
        "schema_version": SCHEMA_VERSION,
        "spec": model.spec.to_json(),
        "model": model.to_json(),
        "weights": {
            "file": WEIGHTS,
            "sha256": hashlib.sha256(weights).hexdigest(),
            "bytes": len(weights),
            "dtype": STORED,
            "parameters": sum(leaf.size for leaf in jax.tree.leaves(stored)),
        },
        "digest": tree_digest(stored),
    }
    write_whole(folder, {WEIGHTS: weights, RECORD: (json.dumps(content, indent=2) + "\n").encode()})
    read_record(folder)


def read_world(folder: Path, *, dtype: str | None = None) -> World:
    """Loads the world in `folder`, with its words where it has any.

    Args:
      folder: what `save_world` wrote.
      dtype: of the parameters in memory, "float32" (unless given: on a CPU stepping is no faster with bfloat16
        parameters) or "bfloat16".

    Raises:
      WorldError: a file is missing, damaged, foreign or of another version.
    """
    if dtype is not None and dtype not in IN_MEMORY:
        raise WorldError(f"Parameters are kept as {' or '.join(IN_MEMORY)}, not as '{dtype}'.")
    record = read_record(folder)
    path = folder / RECORD
    try:
        model = WorldNetwork.from_json(record["model"], WorldSpec.from_json(record["spec"]))
        expected = jax.eval_shape(model.init, jax.random.key(0))
    except (ValueError, TypeError) as error:
        raise WorldError(f"{path} describes a model that this Oyster does not know: {error}") from error
    stored = _read_weights(folder / record["weights"]["file"], record)
    _check_shapes(folder / record["weights"]["file"], stored, named_leaves(expected))
    params = nested(stored)
    if tree_digest(params) != record["digest"]:
        raise WorldError(f"{path} carries another digest than its weights have; restore both files.")
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype or IN_MEMORY[0]), params)
    words = read_words(folder, model.spec) if has_words(folder) else None
    return World(model=model, params=params, record=record, words=words)


def _read_weights(path: Path, record: Mapping[str, Any]) -> dict[str, np.ndarray]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WorldError(f"{path} cannot be read ({error.strerror}); restore it or install the world again.") from error
    expected = record["weights"]
    if len(data) != expected["bytes"]:
        raise WorldError(
            f"{path} has {len(data)} bytes, but {RECORD} says {expected['bytes']}; restore it or install it again."
        )
    if hashlib.sha256(data).hexdigest() != expected["sha256"]:
        raise WorldError(f"{path} is damaged: its sha256 is not the one in {RECORD}. Restore it or install it again.")
    try:
        return unpacked(data)
    except (safetensors.SafetensorError, KeyError) as error:
        raise WorldError(f"{path} is no safetensors file of {STORED} weights ({error}); restore it.") from error


def _check_shapes(path: Path, stored: Mapping[str, np.ndarray], expected: Mapping[str, Any]) -> None:
    if stored.keys() != expected.keys():
        missing, unknown = sorted(expected.keys() - stored.keys()), sorted(stored.keys() - expected.keys())
        raise WorldError(
            f"{path} does not hold this model's weights: {len(missing)} are missing ({_some(missing)}) and "
            f"{len(unknown)} are unknown ({_some(unknown)}). Restore those that belong to {path.with_name(RECORD)}."
        )
    for name, leaf in expected.items():
        found = stored[name]
        if found.shape != leaf.shape or str(found.dtype) != STORED:
            raise WorldError(
                f"{path} does not hold this model's weights: '{name}' is {found.dtype} {found.shape}, but the model "
                f"needs {STORED} {leaf.shape}. Restore the weights that belong to {path.with_name(RECORD)}."
            )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "") if names else "none"
