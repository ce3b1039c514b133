import dataclasses
from typing import Any

import numpy as np
import pytest

from oyster_jax.evaluate.counterfactual import CounterfactualConfig, counterfactual_figures, measure_counterfactual
from oyster_jax.evaluate.fidelity import HIGHEST_PSNR
from tests.evaluate.platformer import Exact, Platformer

CONFIG = CounterfactualConfig(
    trials=2, context=4, environments=8, spacing=4, patience=200, horizons=(1, 4, 8), chunk=4, shown=1
)


def figures_of(measurements) -> Any:
    return counterfactual_figures(measurements)


@pytest.fixture(scope="module")
def exact():
    return measure_counterfactual(Exact(), {}, Platformer(), CONFIG)


def test_an_exact_world_follows_both_branches(exact):
    figures = figures_of(exact)
    assert figures.pairs == {"left | right": 2, "noop | right+jump": 2, "right | right+jump": 2}
    for horizon in (4, 8):
        found = figures.horizons[horizon]
        assert found.own_psnr.value == HIGHEST_PSNR
        assert found.other_psnr.value < 30
        assert found.nearer.value == 1
        assert found.effect_error.value == 0
        assert found.displacement_error.value == pytest.approx(0, abs=1e-5)
    np.testing.assert_array_equal(exact.truth, exact.frames)
    assert exact.frames.shape[:3] == (1, 2, 9)


def test_branches_that_count_have_parted(exact):
    assert (exact.size[:, -1] > 0).all()


def test_a_world_that_ignores_its_actions_has_no_effect():
    measurements = measure_counterfactual(Exact(heeds=False), {}, Platformer(), CONFIG)
    for found in figures_of(measurements).horizons.values():
        assert found.nearer.value == 0.5
        assert found.effect_error.value == pytest.approx(1)
        assert found.gain.value == pytest.approx(0, abs=1e-6)
    assert measurements.displacement is not None
    # It says that both branches end at one place, whereas left and right are two tiles a branch apart after 8 ticks.
    places = measurements.displacement[measurements.kinds == 0, -1]
    assert places.max() == pytest.approx(4)


def test_a_world_that_swaps_the_branches_is_always_wrong(exact):
    swapped = dataclasses.replace(exact, own=exact.other, other=exact.own)
    found = figures_of(swapped).horizons[8]
    assert found.nearer.value == 0
    assert found.gain.value < -50


def test_senseless_horizons_are_refused():
    with pytest.raises(ValueError, match="Horizons are positive and ascend"):
        CounterfactualConfig(horizons=(4, 2))
