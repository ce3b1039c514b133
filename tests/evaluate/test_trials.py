import dataclasses

import numpy as np
import pytest

from oyster_jax.core.spec import FrameSpec
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.evaluate.simulation import simulate
from oyster_jax.evaluate.trials import COURSE, TrialConfig, collect
from tests.evaluate import platformer
from tests.evaluate.platformer import Exact, Platformer

CONFIG = TrialConfig(trials=3, context=4, environments=4, spacing=5, patience=200, chunk=4)
ACTION = platformer.SPEC.action
SCRIPTS = np.array([[ACTION.script("right*6"), ACTION.script("left*6")], [ACTION.script("jump*6")] * 2], np.int32)


def every(kind, courses):
    return np.ones(len(courses), bool)


def none(kind, courses):
    return np.zeros(len(courses), bool)


@pytest.fixture(scope="module")
def trials():
    return collect(Platformer(), SCRIPTS, every, CONFIG)


def test_a_trial_holds_its_context_and_the_true_course_of_each_branch(trials):
    assert trials.kinds.tolist() == [0, 0, 0, 1, 1, 1]
    assert trials.frames.shape == (6, 2, 10, platformer.SIZE, platformer.SIZE, 3)
    assert trials.truth.shape[2] == 7
    np.testing.assert_array_equal(trials.actions[:, :, 3:], SCRIPTS[trials.kinds])
    for index in range(len(trials)):
        for branch in range(2):
            state = platformer.told(trials.frames[index, branch, 0])
            for tick, action in enumerate(trials.actions[index, branch]):
                np.testing.assert_array_equal(trials.frames[index, branch, tick], platformer.drawn(state))
                state = platformer.moved(state, int(action))
    np.testing.assert_array_equal(trials.frames[:, 0, :4], trials.frames[:, 1, :4])
    x = trials.courses[..., COURSE.index("x")]
    assert (x[:3, 0, -1] > x[:3, 1, -1]).all()


def test_what_is_tried_leaves_no_trace():
    """Trials of another script do not change how the simulator wanders, nor so those found with it."""
    alone = collect(Platformer(), SCRIPTS[:1], every, CONFIG)
    both = collect(Platformer(), SCRIPTS, every, CONFIG)
    np.testing.assert_array_equal(alone.frames, both.frames[:3])
    other = collect(Platformer(), SCRIPTS[:1], every, dataclasses.replace(CONFIG, seed=1))
    assert other.frames.shape != alone.frames.shape or (other.frames != alone.frames).any()


def test_only_what_is_accepted_and_lived_through_is_taken():
    def high(kind, courses):
        return courses[:, 0, 3, COURSE.index("y")] > 11

    found = collect(Platformer(), SCRIPTS, high, CONFIG)
    assert (found.courses[:, 0, 3, COURSE.index("y")] > 11).all()
    with pytest.raises(DatasetError, match="No trial that counts was found in 30 ticks"):
        collect(Platformer(), SCRIPTS, none, dataclasses.replace(CONFIG, patience=30))
    # Scripts longer than an episode never end alive.
    endless = np.ones((1, 1, platformer.EPISODE), np.int32)
    with pytest.raises(DatasetError, match="No trial that counts was found in 20 ticks"):
        collect(Platformer(), endless, every, dataclasses.replace(CONFIG, patience=20))


def test_an_exact_world_repeats_the_simulator(trials):
    seen = []
    simulated = simulate(Exact(), {}, trials, CONFIG, lambda *counts: seen.append(counts))
    np.testing.assert_array_equal(simulated.frames, trials.truth)
    places = trials.courses[:, :, 3:, :2]
    assert simulated.positions is not None
    np.testing.assert_allclose(simulated.positions, places - places[:, :, :1], atol=1e-5)
    assert seen == [(4, 6), (6, 6)]
    silent = simulate(Exact(tells=False), {}, trials, CONFIG)
    assert silent.positions is None
    assert silent.entities is None


def test_examples_are_of_all_kinds_in_turn(trials):
    assert trials.examples(4).tolist() == [0, 3, 1, 4]
    assert trials.examples(100).tolist() == [0, 3, 1, 4, 2, 5]
    assert len(trials.examples(0)) == 0


def test_what_cannot_be_tried_is_refused(trials):
    with pytest.raises(DatasetError, match="cannot put states back"):
        collect(Platformer(exact=False), SCRIPTS, every, CONFIG)
    with pytest.raises(DatasetError, match="How many tiles a frame of 'ninja' shows is not known"):
        collect(Procgen(game="ninja"), SCRIPTS, every, CONFIG)
    large = dataclasses.replace(platformer.SPEC, frame=FrameSpec(height=64, width=64))
    with pytest.raises(DatasetError, match="other frames than the world"):
        simulate(Exact(spec=large), {}, trials, CONFIG)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"trials": 0}, "at least 1 of their trials"),
        ({"context": 1}, "at least 2 of their context"),
        ({"chunk": 0}, "A chunk of trials is positive"),
        ({"levels": (0, 100)}, "made on held-out levels"),
    ],
)
def test_a_senseless_request_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        TrialConfig(**change)
