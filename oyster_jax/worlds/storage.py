"""The files of a world: `world.json` and its weights, written whole and read with every byte checked."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from oyster_jax.core.spec import WorldSpec
from oyster_jax.files import write_whole
from oyster_jax.models.description import network_from_json, network_to_json
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.tree import nested, tree_digest
from oyster_jax.typing import Params
from oyster_jax.weights import STORED, described, packed, read_weights
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
        "model": network_to_json(model),
        "weights": described(WEIGHTS, weights) | {"dtype": STORED},
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
        model = network_from_json(record["model"], WorldSpec.from_json(record["spec"]))
        expected = jax.eval_shape(model.init, jax.random.key(0))
    except (ValueError, TypeError) as error:
        raise WorldError(f"{path} describes a model that this Oyster does not know: {error}") from error
    try:
        params = nested(read_weights(folder, record["weights"], expected))
    except ValueError as error:
        raise WorldError(f"{error}. Restore the weights that belong to {path} or install the world again.") from error
    if tree_digest(params) != record["digest"]:
        raise WorldError(f"{path} carries another digest than its weights have; restore both files.")
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype or IN_MEMORY[0]), params)
    words = read_words(folder, model.spec) if has_words(folder) else None
    return World(model=model, params=params, record=record, words=words, folder=folder)
