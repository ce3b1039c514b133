"""Scaling laws."""

import itertools

import numpy as np
import pytest

from oyster_jax.evaluate.scaling_law import ScalingLaw

LAW = ScalingLaw(floor=0.02, size=3.0, size_power=0.35, data=40.0, data_power=0.7)


def points(*sizes):
    pairs = np.array(list(itertools.product(sizes, (1e4, 2e4, 4e4, 8e4))))
    return pairs[:, 0], pairs[:, 1]


def test_a_law_is_found_again_from_what_it_says():
    parameters, frames = points(2e5, 5e5, 1e6, 2e6, 4e6)
    found = ScalingLaw.fit(parameters, frames, LAW(parameters, frames))
    beyond = points(8e6, 3e7)
    np.testing.assert_allclose(found(*beyond), LAW(*beyond), rtol=0.01)


def test_more_parameters_or_frames_never_raise_the_loss():
    parameters, frames = points(2e5, 8e6)
    assert np.all(LAW(2 * parameters, frames) < LAW(parameters, frames))
    assert np.all(LAW(parameters, 2 * frames) < LAW(parameters, frames))


def test_too_few_points_are_refused():
    parameters, frames = points(1e6)
    with pytest.raises(ValueError, match="1 sizes and 4 amounts of data"):
        ScalingLaw.fit(parameters, frames, LAW(parameters, frames))
