"""The tiny world in a folder, and a recording of noise with its spec."""

from pathlib import Path

import numpy as np

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.episode import Episode
from oyster_jax.data.manifest import FIRST_HELD_OUT_LEVEL, Provenance, split_of
from oyster_jax.data.writer import DatasetWriter
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.storage import save_world

SPEC = tiny_model().spec


def store(folder: Path) -> Path:
    about = {"name": "tiny", "licence": "Apache-2.0", "training": {}, "figures": {}}
    save_world(folder, tiny_model(), tiny_params(), about)
    return folder


def record(folder: Path, level: int = FIRST_HELD_OUT_LEVEL, spec: WorldSpec = SPEC) -> Path:
    generator = np.random.default_rng(0)
    levels = (level, level + 1)
    about = Provenance(
        spec=spec, split=split_of(*levels), levels=levels, source="noise", options={}, policy="random", seed=0,
        licence="Apache-2.0",
    )  # fmt: skip
    with DatasetWriter(folder, about) as writer:
        for ticks in (45, 50):
            writer.add(
                Episode(
                    frames=generator.integers(256, size=(ticks, *spec.frame.shape), dtype=np.uint8),
                    actions=generator.integers(spec.action.count, size=ticks).astype(np.int32),
                    rewards=np.zeros(ticks, np.float32),
                    terminals=np.zeros(ticks, bool),
                )
            )
    return folder
