"""Small recordings of the real simulator that several tests read."""

from pathlib import Path

import pytest

from oyster_jax.data.dataset import EpisodeDataset


@pytest.fixture(scope="session")
def training(tmp_path_factory) -> EpisodeDataset:
    """Plain CoinRun, 3,000 frames, training levels."""
    return _recorded(tmp_path_factory.mktemp("training") / "dataset", frames=3000, levels=(0, 50), entities=False)


@pytest.fixture(scope="session")
def held_out(tmp_path_factory) -> EpisodeDataset:
    """Plain CoinRun, 2,000 frames, held-out levels, with entities."""
    folder = tmp_path_factory.mktemp("held-out") / "dataset"
    return _recorded(folder, frames=2000, levels=(1_000_000, 1_000_050), entities=True)


def _recorded(folder: Path, *, frames: int, levels: tuple[int, int], entities: bool) -> EpisodeDataset:
    pytest.importorskip("procgen_gym", reason="the simulator has no wheel for this Python")
    from oyster_jax.data.record import RecordConfig, record
    from oyster_jax.data.sources.procgen import Procgen

    source = Procgen(entities=entities)
    record(RecordConfig(source=source, frames=frames, levels=levels, seed=3, environments=16), folder)
    return EpisodeDataset(folder)
