"""Worlds of one's own recordings: everything that depends on frames and actions comes from the data."""

import dataclasses
import functools
from pathlib import Path

import jax
import numpy as np
import pytest

from oyster_jax.core.spec import ActionSpec, FrameSpec, WorldSpec
from oyster_jax.data.episode import Episode
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import Provenance
from oyster_jax.data.sources.recorded import Recorded
from oyster_jax.data.writer import DatasetWriter
from oyster_jax.train import stages
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.own import WINDOW, own_world

ACTIONS = ("noop", "left", "right", "up")


def _recording(folder: Path, *, height=32, width=48, lengths=(30, 24, 26), split="training") -> str:
    spec = WorldSpec(
        name="mine",
        frame=FrameSpec(height=height, width=width, rate=8.0),
        action=ActionSpec(names=ACTIONS, idle="noop"),
    )
    about = Provenance(
        spec=spec, split=split, levels=None, source="npz:mine", options={}, policy="unknown", seed=0, licence="MIT"
    )
    generator = np.random.default_rng(0)
    with DatasetWriter(folder, about) as writer:
        for ticks in lengths:
            writer.add(
                Episode(
                    frames=generator.integers(256, size=(ticks, height, width, 3), dtype=np.uint8),
                    actions=generator.integers(-1, len(ACTIONS), size=ticks).astype(np.int32),
                    rewards=np.zeros(ticks, np.float32),
                    terminals=np.zeros(ticks, bool),
                )
            )
    return str(folder)


@pytest.mark.parametrize("size", [(64, 64), (32, 48), (64, 112), (80, 64), (40, 24), (256, 256)])
def test_networks_fit_the_recorded_frames(size, tmp_path):
    height, width = size
    network = own_world(_recording(tmp_path / "data", height=height, width=width)).network
    assert network.spec.frame.shape == (height, width, 3)
    assert network.spec.action.names == ACTIONS
    params = jax.eval_shape(network.init, jax.random.key(0))
    state = jax.eval_shape(network.reset, params, jax.random.key(0))
    assert jax.eval_shape(network.render, params, state).shape == (height, width, 3)


@pytest.mark.parametrize(("lengths", "window"), [((30, 24, 26), WINDOW), ((12,) * 9 + (40,), 12), ((9, 9), 8)])
def test_windows_are_as_long_as_most_episodes_allow(lengths, window, tmp_path):
    experiment = own_world(_recording(tmp_path / "data", lengths=lengths))
    assert experiment.dynamics_training.window == window


def test_a_recording_is_trained_on_where_it_is(tmp_path):
    data = _recording(tmp_path / "data")
    given = own_world(data)
    short = functools.partial(dataclasses.replace, steps=2, batch=2, checkpoint_every=2, sample_every=2)
    small = {"features": 32, "heads": 2, "dtype": "float32"}
    experiment: ExperimentConfig = dataclasses.replace(
        given,
        tokenizer=dataclasses.replace(given.tokenizer, **small, encoder_depth=1, renderer_depth=1),
        tokenizer_training=short(given.tokenizer_training),
        dynamics=dataclasses.replace(given.dynamics, **small, groups=1, memory_heads=2, memory_features=8),
        dynamics_training=short(given.dynamics_training),
        self_rollouts=tuple(
            dataclasses.replace(stage, training=short(stage.training)) for stage in given.self_rollouts
        ),
    )
    params = stages.run(experiment, tmp_path / "run")
    assert not (tmp_path / "run" / "data").exists()
    _, stored = stages.finished(experiment, tmp_path / "run")
    jax.tree.map(np.testing.assert_array_equal, params, stored)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"split": "held-out"}, "is held out for evaluation"), ({"lengths": (5, 6)}, "too short to learn from")],
)
def test_what_cannot_be_trained_on_is_refused(options, sentence, tmp_path):
    with pytest.raises(DatasetError, match=sentence):
        own_world(_recording(tmp_path / "data", **options))


def test_a_recording_cannot_be_played(tmp_path):
    source = Recorded(folder=_recording(tmp_path / "data"))
    assert (source.name, source.licence, source.options) == ("npz:mine", "MIT", {})
    with pytest.raises(DatasetError, match="cannot be played again"):
        source.open(environments=1, levels=(0, 1), seed=0)
