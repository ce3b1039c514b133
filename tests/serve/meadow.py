"""A world in a folder that knows words and events, and whose episodes never end."""

import dataclasses
from pathlib import Path

import jax

from oyster_jax.core.spec import EventSpec
from oyster_jax.worlds.storage import save_world
from oyster_jax.worlds.words_storage import save_words
from tests.data.meadow_words import learned, recording
from tests.models.structured import network, shaken


def store_meadow(place: Path) -> Path:
    """Trains its words in a folder; returns the world's own folder in there."""
    plain = network()
    spec = dataclasses.replace(plain.spec, events=EventSpec(names=("night_falls", "cow_dies")))
    model = dataclasses.replace(plain, spec=spec, dynamics=dataclasses.replace(plain.dynamics, events=2))
    params = shaken(model.init(jax.random.key(0)))
    bias = params["dynamics"]["readouts"]["summary"]["bias"]
    params["dynamics"]["readouts"]["summary"]["bias"] = bias.at[1].set(-100.0)
    save_world(place / "meadow", model, params, {"name": "meadow", "licence": "", "training": {}, "figures": {}})
    save_words(place / "meadow", learned(recording(place / "recording"), place / "run"))
    return place / "meadow"
