"""Recordings of held-out levels for a world that brings none: made once, kept in the user's cache."""

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import FIRST_HELD_OUT_LEVEL, MANIFEST
from oyster_jax.data.record import Progress, RecordConfig, record
from oyster_jax.data.sources.craftax import GAMES, Craftax
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.data.sources.source import Source

#: In CoinRun one episode in 29 outlives 264 ticks under the sticky policy: so many frames hold some 65 of these, enough
#: to look 256 ticks ahead in different episodes.
FRAMES = 200_000
#: Craftax's episodes last for hundreds of ticks.
CRAFTAX_FRAMES = 60_000
LEVELS = (FIRST_HELD_OUT_LEVEL, FIRST_HELD_OUT_LEVEL + 10_000)
SEED = 2

#: The options of Procgen that change what is seen.
_OPTIONS = ("game", "distribution", "backgrounds", "themes")

_INSTEAD = "give a recording of held-out levels with --data"


def cache_home() -> Path:
    """Returns the user's cache folder for Oyster, `$XDG_CACHE_HOME/oyster` or `~/.cache/oyster`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "oyster"


def held_out_source(training: Mapping[str, Any]) -> Source:
    """Returns the simulator of the game that a world learned, with the look that it learned, entities included.

    Args:
      training: the entry of that name in the world's `world.json`; its `config.recording` says what it learned from.

    Raises:
      DatasetError: it does not say, or it was neither a Procgen game nor Craftax.
    """
    try:
        learned = training["config"]["recording"]["source"]
        if learned["game"] in GAMES:
            # Left alone: what is made to happen is known to nobody whom it is not told.
            return Craftax(game=learned["game"])
        # Entities tell where the camera stood, and so what had been on screen before.
        return Procgen(**{name: learned[name] for name in _OPTIONS}, entities=True)
    except (KeyError, TypeError) as error:
        raise DatasetError(f"The world does not say of which game it was learned; {_INSTEAD}.") from error


def held_out_recording(training: Mapping[str, Any]) -> RecordConfig:
    """Returns how to record levels that a world has not seen, of the game and with the look that it learned.

    Args:
      training: the entry of that name in the world's `world.json`; its `config.recording` says what it learned from.

    Raises:
      DatasetError: it does not say, or it was neither a Procgen game nor Craftax.
    """
    source = held_out_source(training)
    policy = training["config"]["recording"].get("policy", "sticky")
    frames = CRAFTAX_FRAMES if isinstance(source, Craftax) else FRAMES
    return RecordConfig(source=source, frames=frames, levels=LEVELS, policy=policy, seed=SEED)


def held_out_data(config: RecordConfig, cache: Path, progress: Progress | None = None) -> EpisodeDataset:
    """Returns the recording that `config` describes, from the cache or recorded into it now.

    Args:
      config: as `held_out_recording` returned it.
      cache: folder of such recordings, one folder each.
      progress: told the frames recorded so far; not called where the recording is there.

    Raises:
      DatasetError: the simulator is not installed, or the recording in the cache is damaged.
    """
    described = json.dumps(dataclasses.asdict(config), sort_keys=True)
    name = config.source.name.replace(":", "-")
    folder = cache / f"{name}-{hashlib.sha256(described.encode()).hexdigest()[:12]}"
    if not (folder / MANIFEST).exists():
        temporary = cache / f".{folder.name}.{os.getpid()}"
        try:
            record(config, temporary, progress)
            _put(temporary, folder)
        except DatasetError as error:
            raise DatasetError(f"{error} Or {_INSTEAD}.") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return EpisodeDataset(folder)


def _put(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:
        # Somebody else was quicker; the same request records the same bytes.
        if not (folder / MANIFEST).exists():
            raise
