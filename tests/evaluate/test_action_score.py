import dataclasses

import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.action_score import ActionScoreConfig, action_score_figures, f1, measure_action_score
from tests.evaluate.toy import Exact, ToyReader, write

CONFIG = ActionScoreConfig(windows=24, context=2, ticks=8, chunk=4)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write(tmp_path_factory.mktemp("toy") / "data", lengths=(20, 30, 23, 60, 25, 40))


def score(model, dataset, config=CONFIG):
    measurements = measure_action_score(model, {}, dataset, ToyReader(), config)
    return measurements, action_score_figures(measurements)


def test_an_obedient_world_reaches_the_ceiling(dataset):
    measurements, figures = score(Exact(), dataset)
    assert measurements.held.shape == (24, 8, 2)
    assert figures.macro.value == figures.macro_ceiling.value == figures.ratio.value == 1
    assert figures.f1["left"].value == figures.ceiling["right"].value == 1
    assert figures.ratio.low == figures.ratio.high == 1
    assert figures.macro_chance.value < 0.8


def test_a_deaf_world_has_the_f1_of_its_one_habit(dataset):
    # It always goes to the right: every press of that is found, none of the other.
    measurements, figures = score(Exact(heeds=False), dataset)
    share = measurements.held[..., 1].mean()
    assert figures.f1["left"].value == 0
    assert figures.f1["right"].value == pytest.approx(2 * share / (1 + share))
    assert figures.ratio.value == pytest.approx(figures.macro.value)
    assert figures.ratio.low < figures.ratio.value < figures.ratio.high


def test_a_frozen_world_scores_nothing(dataset):
    _, figures = score(Exact(moves=False), dataset)
    assert figures.macro.value == figures.ratio.value == 0


def test_the_same_seed_gives_the_same_numbers_whatever_the_chunk(dataset):
    one, _ = score(Exact(), dataset)
    other, _ = score(Exact(), dataset, dataclasses.replace(CONFIG, chunk=3))
    np.testing.assert_array_equal(one.held, other.held)
    np.testing.assert_array_equal(one.read, other.read)


def test_training_levels_and_bad_numbers_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="train"):
        score(Exact(), write(tmp_path / "data", levels=(0, 10)))
    with pytest.raises(ValueError, match="ticks"):
        ActionScoreConfig(ticks=0)


def test_f1_of_a_button_that_never_occurs_is_zero():
    np.testing.assert_array_equal(f1(np.array([0.0, 1.0]), np.array([0.0, 2.0])), [0.0, 0.5])
