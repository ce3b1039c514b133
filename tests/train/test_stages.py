"""Stages, checkpoints and what stops a run."""

import dataclasses
import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.data.camera import camera_positions
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.latents import cache_latents
from oyster_jax.train import stages
from oyster_jax.train.checkpoint import CheckpointError, Checkpoints, abstract_like
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.loop import DivergedError, Stage, fit
from oyster_jax.train.optimizer import OptimizerConfig
from tests.train.tiny_coinrun import get_config

pytest.importorskip("procgen_gym", reason="the simulator has no wheel for this Python")


class Counter:
    """Batches that count."""

    def __init__(self) -> None:
        self.next = 0

    def __next__(self) -> np.ndarray:
        self.next += 1
        return np.full(1, self.next, np.float32)

    def get_state(self) -> int:
        return self.next

    def set_state(self, state: int) -> None:
        self.next = state


def _stage(poison: int | None = None) -> Stage:
    def loss(params, batch, key):
        wrong = jnp.where(batch[0] == (poison or -1), jnp.nan, 0.0)
        return jnp.sum(jnp.square(params["good"] - 3.0)) + wrong * jnp.sum(params["bad"]["kernel"]), {}

    params = {"good": jnp.zeros(4), "bad": {"kernel": jnp.ones((2, 2))}}
    return Stage(name="counting", init=lambda _: params, loss=loss, batches=lambda rows=None: Counter())


CONFIG = TrainConfig(
    steps=20, batch=1, window=1, log_every=1, checkpoint_every=5,
    optimizer=OptimizerConfig(name="adamw", learning_rate=0.5, warmup=1, clip=100.0), average_decay=0.5,
)  # fmt: skip


def test_training_lowers_the_loss_and_writes_metrics(tmp_path: Path) -> None:
    state = fit(_stage(), CONFIG, tmp_path, seed=0)
    assert int(state.step) == 20
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == list(range(1, 21))
    assert records[-1]["loss"] < 0.2 * records[0]["loss"]
    assert records[-1]["frames_per_second"] > 0
    assert list(tmp_path.glob("events.out.tfevents.*")), "TensorBoard has nothing to show"
    assert not np.allclose(state.average["good"], 0.0)


def test_a_gradient_that_is_not_finite_stops_the_run_and_names_the_leaf(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"step 13: .*bad\.kernel") as stopped:
        fit(_stage(poison=13), CONFIG, tmp_path, seed=0)
    assert "good" not in str(stopped.value).split("finite in")[1].split(".")[0]
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    optimizer = CONFIG.optimizer.build(CONFIG.steps)
    from oyster_jax.train.state import TrainState

    abstract = abstract_like(TrainState.begin(_stage().init(jax.random.key(0)), optimizer, jax.random.key(0)))
    restored = checkpoints.restore(abstract)
    checkpoints.close()
    assert restored is not None
    assert (restored.step, restored.iterator) == (10, 10)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(restored.state.params))


def test_a_flipped_bit_in_a_checkpoint_is_found_and_the_one_before_is_used(tmp_path: Path) -> None:
    state = {"x": jnp.asarray(np.random.default_rng(0).normal(size=5000), jnp.float32)}
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, jax.tree.map(lambda x, step=step: x + step, state), {"next": step})
    checkpoints.close()
    _flip(tmp_path / "2")
    checkpoints = Checkpoints(tmp_path)
    restored = checkpoints.restore(abstract_like(state))
    assert restored is not None
    assert restored.step == 1
    np.testing.assert_array_equal(restored.state["x"], state["x"] + 1)
    _flip(tmp_path / "1")
    with pytest.raises(CheckpointError, match=r"No checkpoint in .* can be used"):
        checkpoints.restore(abstract_like(state))
    checkpoints.close()


def _flip(folder: Path) -> None:
    """Flips one bit in the middle of the largest file, where the numbers are."""
    path = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(bytes(data))


@pytest.fixture(scope="module")
def experiment() -> ExperimentConfig:
    config = get_config()
    short = functools.partial(dataclasses.replace, steps=3, checkpoint_every=3, sample_every=3)
    return dataclasses.replace(
        config, tokenizer_training=short(config.tokenizer_training), dynamics_training=short(config.dynamics_training)
    )


@pytest.fixture(scope="module")
def run(experiment: ExperimentConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    stages.run(experiment, folder)
    return folder


def test_all_stages_leave_what_they_should(run: Path, experiment: ExperimentConfig) -> None:
    assert (run / "tokenizer" / "sample-000003.png").stat().st_size > 100
    assert (run / "dynamics" / "sample-000003.webp").stat().st_size > 100
    assert (run / "self_rollout_3_in_2_steps" / "metrics.jsonl").exists()
    latents, recording = EpisodeDataset(run / "latents"), EpisodeDataset(run / "data")
    assert latents.frames == recording.frames == 2000
    assert latents[3].latents is not None
    _check_drafts(latents, recording)
    np.testing.assert_array_equal(latents[3].actions, recording[3].actions)
    network, params = stages.finished(experiment, run)
    state = jax.jit(network.reset)(params, jax.random.key(0))
    assert jax.jit(network.render)(params, state).shape == (64, 64, 3)


def _check_drafts(latents: EpisodeDataset, recording: EpisodeDataset) -> None:
    """An episode's map begins blank, and shows from the second frame on what the first showed."""
    for index in (0, 3, 7):
        episode, recorded = latents[index], recording[index]
        assert episode.drafts is not None
        assert episode.motion is not None
        assert not episode.drafts[0].any()
        assert (episode.drafts[1, :, -4:] > 0.5).mean() > 0.8
        assert recorded.entities is not None
        camera = camera_positions(recording.spec, recorded.entities)
        np.testing.assert_allclose(np.cumsum(episode.motion, axis=0), camera - camera[0], atol=1e-3)


def test_training_can_begin_from_a_finished_world(run: Path, experiment: ExperimentConfig, tmp_path: Path) -> None:
    _, params = stages.finished(experiment, run)
    still = dataclasses.replace(experiment.tokenizer_training, steps=1, optimizer=OptimizerConfig(learning_rate=0.0))
    again = dataclasses.replace(experiment, tokenizer_training=still, dynamics_training=still, self_rollouts=())
    assert experiment.camera is not None
    still_camera = dataclasses.replace(experiment.camera.training, optimizer=still.optimizer)
    still_reader = dataclasses.replace(experiment.camera.reading, optimizer=still.optimizer)
    still_camera = dataclasses.replace(experiment.camera, training=still_camera, reading=still_reader)
    again = dataclasses.replace(again, camera=still_camera)
    again = dataclasses.replace(again, dynamics_training=dataclasses.replace(still, window=6))
    stages.run(again, tmp_path, run / "data", init_from=params)
    _, same = stages.finished(again, tmp_path)
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-6), same, params)
    # What the finished world does not have is drawn, and then trained as ever.
    # What only the finished world has is left out.
    blind = {**params, "dynamics": {name: part for name, part in params["dynamics"].items() if name != "camera"}}
    more = {**blind, "dynamics": {**blind["dynamics"], "another": {"kernel": np.zeros((2, 3))}}}
    stages.run(again, tmp_path / "blind", run / "data", init_from=more)
    _, seeing = stages.finished(again, tmp_path / "blind")
    assert jax.tree.structure(seeing) == jax.tree.structure(params)
    kept = {name: part for name, part in seeing["dynamics"].items() if name != "camera"}
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-6), kept, blind["dynamics"])
    other = dataclasses.replace(experiment, tokenizer=dataclasses.replace(experiment.tokenizer, features=32))
    with pytest.raises(ValueError, match="other shapes"):
        stages.run(other, tmp_path / "other", run / "data", init_from=params)


def test_latents_of_another_tokenizer_are_refused(run: Path) -> None:
    with pytest.raises(DatasetError, match="another tokenizer"):
        cache_latents(EpisodeDataset(run / "data"), lambda memory, block: (memory, block), "sha256:0", run / "latents")


def test_a_run_without_checkpoints_is_not_finished(experiment: ExperimentConfig, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="has no checkpoint yet"):
        stages.finished(experiment, tmp_path)
