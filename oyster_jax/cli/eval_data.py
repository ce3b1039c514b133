"""What `oyster eval` makes for itself, once, in the user's cache: held-out recordings, and a probe that reads tiles."""

import contextlib
import dataclasses
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oyster_jax.data.dataset import EpisodeDataset
    from oyster_jax.data.record import RecordConfig
    from oyster_jax.evaluate.suite import Report
    from oyster_jax.models.tile_probe import ProbeConfig
    from oyster_jax.typing import Params
    from oyster_jax.worlds.world import World

#: Share of ticks at which something is made to happen in the recording that events are measured on, and its frames.
EVENTFUL, EVENTFUL_FRAMES = 0.06, 60_000

#: Frames of the recording of which a world is told what is in them.
SCENIC_FRAMES = 20_000

#: What the probe learns from, and for how long.
PROBE_FRAMES, PROBE_STEPS, PROBE_SEED = 40_000, 1_000, 3


def held_out(world: "World", report: "Report") -> "EpisodeDataset":
    """Returns a recording of levels that a world has not seen.

    Raises:
      DatasetError: it is not known what the world learned from, or the simulator is not installed.
    """
    from oyster_jax.evaluate.held_out import held_out_recording

    return _recorded(held_out_recording(world.record["training"]), "held-out", "recording held-out levels", report)


def eventful(world: "World", report: "Report") -> "EpisodeDataset":
    """Returns a recording of such levels in which things are made to happen.

    Raises:
      DatasetError: as `held_out`, or nothing can be made to happen in the game.
    """
    from oyster_jax.data.errors import DatasetError
    from oyster_jax.data.sources.craftax import Craftax
    from oyster_jax.evaluate.held_out import held_out_recording

    request = held_out_recording(world.record["training"])
    if not isinstance(request.source, Craftax):
        raise DatasetError(f"Nothing can be made to happen in {request.source.name} beside what actions do.")
    source = dataclasses.replace(request.source, events=EVENTFUL)
    request = dataclasses.replace(request, source=source, frames=EVENTFUL_FRAMES)
    return _recorded(request, "held-out", "recording events", report)


def scenic(world: "World", report: "Report") -> "EpisodeDataset":
    """Returns a recording of such levels that says what is in its frames.

    Raises:
      DatasetError: as `held_out`, or the simulator does not know it.
    """
    from oyster_jax.data.errors import DatasetError
    from oyster_jax.data.sources.procgen import Procgen
    from oyster_jax.evaluate.held_out import held_out_recording

    request = held_out_recording(world.record["training"])
    if not isinstance(request.source, Procgen):
        raise DatasetError(f"There is no recording of {request.source.name} for a painter.")
    request = dataclasses.replace(
        request, source=dataclasses.replace(request.source, scenery=True), frames=SCENIC_FRAMES
    )
    return _recorded(request, "held-out", "recording scenery", report)


def probe(world: "World", report: "Report") -> "tuple[ProbeConfig, Params]":
    """Returns a network that reads tiles, creatures and counts off frames, trained on real frames of training levels.

    Raises:
      DatasetError: as `held_out`, or the world has no structure.
    """
    import hashlib
    import json

    from oyster_jax.data.errors import DatasetError
    from oyster_jax.evaluate.held_out import cache_home, held_out_recording
    from oyster_jax.models.tile_probe import ProbeConfig
    from oyster_jax.train.config import TrainConfig
    from oyster_jax.train.loop import fit
    from oyster_jax.train.optimizer import OptimizerConfig
    from oyster_jax.train.probe import probe_stage

    structure = world.model.tokenizer.structure
    if structure is None:
        raise DatasetError(f"The world '{world.name}' does not tell what is in its frames.")
    held = held_out_recording(world.record["training"])
    request = dataclasses.replace(held, frames=PROBE_FRAMES, levels=(0, held.levels[0]), seed=PROBE_SEED)
    data = _recorded(request, "probes/data", "recording for the probe", report)
    config = ProbeConfig(structure=structure, side=world.model.tokenizer.patch)
    optimizer = OptimizerConfig(learning_rate=2e-3, warmup=20, decay=0.4)
    training = TrainConfig(steps=PROBE_STEPS, batch=64, window=1, average_decay=0.98, optimizer=optimizer)
    described = json.dumps([dataclasses.asdict(part) for part in (config, training, request)], sort_keys=True)
    folder = cache_home() / "probes" / hashlib.sha256(described.encode()).hexdigest()[:12]
    with contextlib.redirect_stdout(sys.stderr):  # the progress is no figure
        return config, fit(probe_stage(config, training, data, PROBE_SEED), training, folder, PROBE_SEED).average


def _recorded(request: "RecordConfig", place: str, what: str, report: "Report") -> "EpisodeDataset":
    """Returns a recording from a folder of the cache, made first where it is not there."""
    from oyster_jax.evaluate.held_out import cache_home, held_out_data

    with report(what, "frames") as progress:
        return held_out_data(request, cache_home() / place, lambda done: progress(done, request.frames))
