"""`world.json`: what a stored world says of itself."""

import json
from pathlib import Path
from typing import Any

from oyster_jax.worlds.errors import WorldError

SCHEMA_VERSION = 1

RECORD = "world.json"
WEIGHTS = "weights.safetensors"
CARD = "CARD.md"

#: What a record must hold, and of which kind.
FIELDS: dict[str, type] = {
    "name": str,
    "spec": dict,
    "model": dict,
    "weights": dict,
    "digest": str,
    "training": dict,
    "figures": dict,
    "licence": str,
}
WEIGHTS_FIELDS: dict[str, type] = {"file": str, "sha256": str, "bytes": int, "dtype": str, "parameters": int}

_KINDS = {str: "a text", dict: "an object", int: "a whole number"}


def read_record(folder: Path) -> dict[str, Any]:
    """Returns the content of a world's `world.json`, checked for its version and its fields.

    Raises:
      WorldError: it is missing, is not JSON, is of another version, or lacks a field.
    """
    path = folder / RECORD
    try:
        record = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise WorldError(f"{path} is missing, so {folder} is no world; give a folder that holds one.") from error
    except (ValueError, OSError) as error:
        raise WorldError(
            f"{path} cannot be read as JSON ({error}); restore the file or install the world again."
        ) from error
    if not isinstance(record, dict):
        raise WorldError(f"{path} does not describe a world: it holds no JSON object. Restore the file.")
    version = record.get("schema_version")
    if version != SCHEMA_VERSION:
        raise WorldError(
            f"{path} has schema version {version!r}, but this Oyster reads version {SCHEMA_VERSION}; "
            "use the Oyster that wrote it or release the world again."
        )
    _check_fields(path, record, FIELDS, "")
    _check_fields(path, record["weights"], WEIGHTS_FIELDS, "weights.")
    file = record["weights"]["file"]
    if Path(file).name != file:
        raise WorldError(f"{path} says that the weights are in '{file}'; they must be a file beside it.")
    return record


def _check_fields(path: Path, data: dict[str, Any], fields: dict[str, type], prefix: str) -> None:
    for name, kind in fields.items():
        if not isinstance(data.get(name), kind):
            found = "missing" if name not in data else repr(data[name])
            raise WorldError(
                f"{path} does not describe a world: '{prefix}{name}' must be {_KINDS[kind]}, but is {found}. "
                "Restore the file."
            )
