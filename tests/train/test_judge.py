"""The judge learns to read a game, and what it is taught is so."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.record import RecordConfig, record
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.models.inverse_dynamics import CELL, JudgeConfig
from oyster_jax.train.checkpoint import CheckpointError
from oyster_jax.train.composite import PASTED, composite
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.judge import JudgeLossConfig, JudgeTraining, detection_targets, judge_accuracy, judge_stage
from oyster_jax.train.loop import fit
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.stages import finished_judge
from tests.train.tiny_coinrun import get_config

NETWORK = JudgeConfig(press_features=16, motion_features=16, detector_features=16)
JUDGE = JudgeTraining(
    network=NETWORK,
    training=TrainConfig(
        steps=60, batch=16, window=NETWORK.stack, optimizer=OptimizerConfig(learning_rate=5e-3, warmup=5),
        average_decay=0.9,
    ),
)  # fmt: skip


def recording(folder, levels=(0, 100), entities=True):
    source = Procgen(entities=entities)
    record(RecordConfig(source=source, frames=2000, levels=levels, seed=1, environments=8), folder)
    return EpisodeDataset(folder)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return recording(tmp_path_factory.mktemp("judge") / "data")


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge") / "run"
    fit(judge_stage(JUDGE, dataset, seed=0), JUDGE.training, folder / "judge", seed=0)
    return folder


@pytest.fixture(scope="module")
def trained(run):
    network, params = finished_judge(dataclasses.replace(get_config(), judge=JUDGE), run)
    assert network == NETWORK
    return params


def test_a_judge_learns_to_read_motion_and_buttons(dataset, trained):
    accuracy = judge_accuracy(NETWORK, trained, dataset, batches=4, batch=32)
    assert accuracy.frames == 128
    assert accuracy.motion_error[1] < 0.75 * accuracy.copied_motion_error[1]
    assert accuracy.f1["right"] > 0.6
    assert set(accuracy.presses) == {"left", "right", "jump"}
    json_ready = dataclasses.asdict(accuracy)
    assert 0 <= json_ready["composite_agents"] <= 1


def test_every_cell_counts_but_those_beside_an_agent(dataset):
    window = {
        name: np.stack([dataset.window(0, start, NETWORK.stack, (name,))[name] for start in range(4)])
        for name in ("frames", "entities", "entity_mask")
    }
    frames, target, counted = jax.jit(lambda batch, key: detection_targets(NETWORK, dataset.spec, batch, key))(
        window, jax.random.key(0)
    )
    assert frames.shape == (4, 64, 64, 3)
    assert target.shape == counted.shape == (4, 16, 16, 5)
    # Beside an agent's own cell, which counts, there are up to eight that do not.
    agents = np.asarray(target[..., 0]).sum(axis=(1, 2))
    ignored = (~np.asarray(counted[..., 0])).sum(axis=(1, 2))
    assert np.all(ignored <= 8 * agents)
    assert np.all(ignored >= 3 * (agents > 0))
    assert counted[..., 1:].all()


@pytest.fixture(scope="module")
def composed():
    """Composites of frames that are dark but for an agent: one bright pixel in the middle, and a corner that tells."""
    count, config = 64, NETWORK
    frames = jnp.zeros((count, 64, 64, 3), jnp.uint8).at[:, 32, 32].set(255)
    others = (
        (jnp.zeros((count, 64, 64, 3), jnp.uint8) + jnp.array([0, 0, 90], jnp.uint8)[None, None, None])
        .at[:, 32, 32]
        .set(255)
    )
    places = jnp.full((count, 2, 2), jnp.nan).at[:, 0].set(10.0)
    made, places, foreign = jax.jit(lambda *given: composite(config, *given))(frames, others, places, jax.random.key(3))
    return np.asarray(made), np.asarray(places), np.asarray(foreign)


def test_every_agent_of_a_composite_is_known_and_no_other(composed):
    made, places, _ = composed
    numbers = []
    for frame, found in zip(made, places[:, : PASTED + 1], strict=True):
        expected = {(int(x), int(y)) for x, y in found if np.isfinite(x)}
        seen = {(int(x), int(y)) for y, x in np.argwhere(frame[..., 0] == 255)}
        assert seen == expected
        numbers.append(len(seen))
    assert {0, 1, 2} <= set(numbers)
    assert numbers.count(1) > len(numbers) / 4


def test_agents_do_not_touch(composed):
    _, places, _ = composed
    for found in places[:, : PASTED + 1]:
        known = found[np.isfinite(found[:, 0])]
        for index, one in enumerate(known):
            for other in known[index + 1 :]:
                assert np.any(np.abs(one - other) > CELL)


def test_things_that_are_covered_are_not_asked_for(composed):
    made, places, foreign = composed
    thing = places[:, PASTED + 1]
    assert np.isnan(places[:, PASTED + 2]).all()
    visible = np.isfinite(thing[:, 0])
    assert visible.any()
    assert foreign.any(axis=(1, 2)).any()
    for frame, mask in zip(made, foreign, strict=True):
        # A cell that is said to be from another frame shows that frame's blue, or a piece pasted over it.
        cells = frame[CELL // 2 :: CELL, CELL // 2 :: CELL, 2]
        assert np.mean(cells[mask] == 90) > 0.5 if mask.any() else True


def test_a_run_without_a_judge_says_so(tmp_path):
    with pytest.raises(CheckpointError, match="trains no judge"):
        finished_judge(get_config(), tmp_path)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        finished_judge(dataclasses.replace(get_config(), judge=JUDGE), tmp_path)


def test_recordings_and_windows_that_do_not_fit_are_refused(tmp_path, dataset):
    with pytest.raises(DatasetError, match="entities"):
        judge_stage(JUDGE, recording(tmp_path / "plain", entities=False), seed=0)
    with pytest.raises(ValueError, match="stacks of 6"):
        judge_stage(dataclasses.replace(JUDGE, training=dataclasses.replace(JUDGE.training, window=4)), dataset, seed=0)
    with pytest.raises(ValueError, match="fly"):
        judge_stage(dataclasses.replace(JUDGE, network=JudgeConfig(buttons=("fly",))), dataset, seed=0)
    with pytest.raises(ValueError, match="32×32"):
        judge_stage(dataclasses.replace(JUDGE, network=JudgeConfig(height=32, width=32)), dataset, seed=0)
    assert JudgeLossConfig().motion > 0
