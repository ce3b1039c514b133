"""The files of a world's words, `words.json` and `words.safetensors`: written whole, read with every byte checked."""

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from oyster_jax.core.facts import Fact
from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.scenes import Scenes
from oyster_jax.files import write_whole
from oyster_jax.models import scene, text
from oyster_jax.models.scene import SceneConfig
from oyster_jax.models.text import TextConfig
from oyster_jax.train.words import TrainedWords
from oyster_jax.tree import nested
from oyster_jax.weights import described, packed, read_weights
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.words import Words

RECORD = "words.json"
WEIGHTS = "words.safetensors"
SCHEMA_VERSION = 1


def save_words(folder: Path, learned: TrainedWords, facts: Mapping[str, Any] | None = None) -> None:
    """Puts words into a world's folder; its other files are left alone.

    Args:
      folder: of the world; created when missing.
      learned: what was trained.
      facts: what was measured and how it was trained, JSON-ready.
    """
    weights = packed({"text": learned.text_params, "scene": learned.scene_params})
    record = {
        "schema_version": SCHEMA_VERSION,
        **learned.lexicon.to_json(),
        "scenes": learned.scenes.to_json(),
        "text": dataclasses.asdict(learned.text),
        "scene": dataclasses.asdict(learned.scene),
        "weights": described(WEIGHTS, weights),
        **(facts or {}),
    }
    write_whole(folder, {WEIGHTS: weights, RECORD: (json.dumps(record, indent=1) + "\n").encode()})


def has_words(folder: Path) -> bool:
    """Whether words were saved in a folder."""
    return (folder / RECORD).is_file()


def read_words(folder: Path, spec: WorldSpec) -> Words:
    """Loads the words in the folder of a world with the specification `spec`.

    Raises:
      WorldError: there are none, or they are damaged, of another version or of another world.
    """
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        if record["schema_version"] != SCHEMA_VERSION:
            raise ValueError(
                f"they have version {record['schema_version']}, but version {SCHEMA_VERSION} is understood"
            )
        reads, draws = TextConfig.from_json(record["text"]), SceneConfig.from_json(record["scene"])
        expected = {
            "text": jax.eval_shape(functools.partial(text.init, reads), jax.random.key(0)),
            "scene": jax.eval_shape(functools.partial(scene.init, draws), jax.random.key(0)),
        }
        leaves = read_weights(folder, record["weights"], expected)
        params = nested({name: leaf.astype("float32") for name, leaf in leaves.items()})
        return Words(
            scenes=Scenes.from_json(spec, record["scenes"]),
            facts=[Fact.from_json(fact) for fact in record["facts"]],
            events=record["events"],
            vocabulary=record["words"],
            text_config=reads,
            text_params=params["text"],
            scene_config=draws,
            scene_params=params["scene"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorldError(f"The words in {folder} cannot be used: {error}. Restore {RECORD} and {WEIGHTS}.") from error
