"""A tokenizer with structure learns to tell it, from frames and from structure alone; the probe learns from frames."""

import jax
import numpy as np
import pytest

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.episode import Episode
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import Provenance
from oyster_jax.data.writer import DatasetWriter
from oyster_jax.evaluate.structure import structure_figures
from oyster_jax.models.tile_probe import ProbeConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.loop import fit
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.probe import probe_stage
from oyster_jax.train.structure import StructureLossConfig, shown_parts
from oyster_jax.train.tokenizer import TokenizerLossConfig, tokenizer_stage
from tests.models.structured import CONFIG, SPEC, TOKENIZER, moments


def drawn(seen):
    """Frames of the meadow: a colour for each kind, on which entities are dots, and quantities bars."""
    count = len(seen.tiles)
    colours = np.array([[0, 0, 0], [0, 160, 0], [120, 120, 120]], np.uint8)
    frames = np.zeros((count, 8, 8, 3), np.uint8)
    frames[:, :6] = np.repeat(np.repeat(colours[seen.tiles], 2, axis=1), 2, axis=2)
    for moment in range(count):
        table = seen.entities[moment][seen.entity_mask[moment]]
        for kind, x, y, _ in table:
            row, column = int(table[0, 2] - y) + 1, int(x - table[0, 1]) + 2
            if 0 <= row < 3 and 0 <= column < 4:
                frames[moment, 2 * row, 2 * column, int(kind)] = 255
        frames[moment, 6:, :2, 0] = 25 * seen.quantities[moment, 0]
        frames[moment, 6:, 2:4, 1] = 50 * seen.quantities[moment, 1]
    return frames


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    seen = jax.device_get(moments(400))
    folder = tmp_path_factory.mktemp("meadow") / "recording"
    provenance = Provenance(
        spec=SPEC, split="training", levels=None, source="tests:meadow", options={}, policy="none", seed=0,
        licence="Apache-2.0",
    )  # fmt: skip
    with DatasetWriter(folder, provenance) as writer:
        for start in range(0, 400, 40):
            part = slice(start, start + 40)
            writer.add(
                Episode(
                    actions=np.zeros(40, np.int32), rewards=np.zeros(40, np.float32), terminals=np.zeros(40, bool),
                    frames=drawn(seen)[part], tiles=seen.tiles[part], quantities=seen.quantities[part],
                    entities=seen.entities[part], entity_mask=seen.entity_mask[part],
                )
            )  # fmt: skip
    return EpisodeDataset(folder)


def training(steps):
    optimizer = OptimizerConfig(learning_rate=1e-2, warmup=5)
    return TrainConfig(
        steps=steps, batch=16, window=2, average_decay=0.9, optimizer=optimizer, checkpoint_every=1000,
        sample_every=1000,
    )  # fmt: skip


def test_structure_is_learned_and_measured(dataset, tmp_path):
    first, second = training(150), training(150)
    stage = tokenizer_stage(TOKENIZER, TokenizerLossConfig(), first, dataset, seed=0)
    params = fit(stage, first, tmp_path / "tokenizer", 0).average
    probe = ProbeConfig(structure=CONFIG, side=2, hidden=32)
    judged = fit(probe_stage(probe, second, dataset, seed=0), second, tmp_path / "probe", 0).average
    found = structure_figures(TOKENIZER, params, probe, judged, dataset, 256)
    untrained = structure_figures(TOKENIZER, stage.init(jax.random.key(5)), probe, judged, dataset, 256)
    assert found["real"].tiles > 0.9
    for way in ("read", "kept"):
        assert found[way].tiles > max(0.6, untrained[way].tiles + 0.1)
    assert found["spawned"].tiles > untrained["spawned"].tiles
    assert all(
        0 <= value <= 1 for one in found.values() for value in (one.tiles, one.creatures, one.f1, one.quantities)
    )


def test_whole_parts_are_hidden():
    config = StructureLossConfig(frame=0.6, part=0.5)
    parts = jax.device_get(shown_parts(config, 4000, jax.random.key(0)))
    alone = parts["frame"] == 0
    assert abs(alone.mean() - 0.6) < 0.03
    for name in ("tiles", "entities", "quantities"):
        assert parts[name][alone].all()
        assert abs(parts[name][~alone].mean() - 0.5) < 0.05


def test_a_recording_without_structure_is_refused(tmp_path):
    from tests.data.synthetic import write

    with pytest.raises(DatasetError, match="holds no entities, entity_mask, quantities, tiles"):
        tokenizer_stage(TOKENIZER, TokenizerLossConfig(), training(1), write(tmp_path / "plain", [5]), seed=0)
