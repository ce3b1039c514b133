import dataclasses
from typing import Any

import numpy as np
import pytest

from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.evaluate.flight import find_flight, find_landing, slope
from oyster_jax.evaluate.physics import (
    ENTITIES,
    FALLS,
    FLOOR,
    JUMPS,
    KINDS,
    POSITION,
    PROBE,
    SOURCES,
    PhysicsConfig,
    _accept,
    _scripts,
    measure_physics,
    physics_figures,
)
from oyster_jax.evaluate.trials import collect
from tests.evaluate.platformer import Exact, Platformer, motion

CONFIG = PhysicsConfig(trials=2, context=4, environments=8, spacing=6, patience=600, ticks=20, chunk=4, shown=2)


def figures_of(measurements) -> Any:
    return physics_figures(measurements)


@pytest.fixture(scope="module")
def exact():
    return measure_physics(Exact(), {}, Platformer(), CONFIG, motion=motion)


def test_an_exact_world_knows_gravity(exact):
    figures = figures_of(exact)
    assert all(count > 0 for count in figures.trials.values())
    assert figures.true_gravity == pytest.approx({JUMPS: -0.25, FALLS: -0.25})
    for group in (JUMPS, FALLS):
        for source in SOURCES:
            found = figures.sources[group][source]
            assert found is not None
            assert found.landing_within_one.value == 1
            assert found.landing_error.value == 0
            assert found.gravity.value == pytest.approx(-0.25)
            assert found.gravity_error.value == pytest.approx(0, abs=1e-4)
            assert found.speed_rmse.value == pytest.approx(0, abs=1e-6)
    assert figures.sources[JUMPS][POSITION].apex_error.value == pytest.approx(0, abs=1e-5)
    assert figures.sources[FALLS][POSITION].apex_error is None
    np.testing.assert_array_equal(exact.truth, exact.frames)


def test_a_known_error_gives_the_known_figure(exact):
    """Gravity and jump a tenth too strong; and everything two ticks late."""
    true = exact.speeds
    late = np.concatenate([np.zeros((len(true), 2)), exact.table_speeds[:, :-2]], axis=1)
    wrong = dataclasses.replace(exact, read={POSITION: 1.1 * true, ENTITIES: late, PROBE: None, FLOOR: None})
    jumps = figures_of(wrong).sources[JUMPS]
    assert jumps[PROBE] is None
    strong = jumps[POSITION]
    assert strong.gravity_error.value == pytest.approx(10)
    assert strong.gravity_error_of_trials.value == pytest.approx(10)
    assert strong.apex_error.value == pytest.approx(0.1 * 21 / 4)
    assert strong.landing_within_one.value == 1
    members = [index for index, kind in enumerate(exact.kinds) if kind < 3]
    squares = [np.square(0.1 * true[index, : exact.flights[index].landing]).mean() for index in members]
    assert strong.speed_rmse.value == pytest.approx(np.sqrt(np.mean(squares)))
    assert jumps[ENTITIES].landing_within_one.value == 0
    assert jumps[ENTITIES].landing_error.value == 2


def test_a_world_without_gravity_never_lands(exact):
    still = dataclasses.replace(exact, read=dict.fromkeys(SOURCES, np.zeros_like(exact.speeds)))
    found = figures_of(still).sources[JUMPS][POSITION]
    assert found.landing_within_one.value == 0
    assert found.gravity_error.value == pytest.approx(100)
    assert found.apex_error.value == pytest.approx(21 / 4)


def test_a_silent_world_is_judged_by_the_probe_alone():
    config = dataclasses.replace(CONFIG, trials=1, patience=60)
    figures = figures_of(measure_physics(Exact(tells=False, heeds=False), {}, Platformer(), config, motion=motion))
    jumps = figures.sources[JUMPS]
    assert jumps[POSITION] is None
    assert jumps[ENTITIES] is None
    # It stands where it was, and the ruler says of the truth what is true.
    assert jumps[PROBE].landing_within_one.value == 0
    assert jumps[FLOOR].landing_within_one.value == 1
    assert jumps[FLOOR].gravity_error.value == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        ([6, 4, 2, 0, -2, -4, -6, 0, 0], (0, 6, 7)),
        ([0, 0, -2, -4, -6, -3, 0, 0], (2, 5, 6)),
        ([6, 4, 0, -2, -4, 0, 0, 0, 0], None),  # hit the ceiling
        ([0, 0, 0, 0], None),
        ([6, 4, 2, 0, -2, -4, -6, 0, 4], None),  # jumps again
        ([6, 4, 2, 0, -2, -4], None),  # does not land
    ],
)
def test_clean_flights_are_told_from_others(speeds, expected):
    heights = np.cumsum([0.0, *np.array(speeds) / 5])
    found = find_flight(heights, shortest=3)
    assert (None if found is None else (found.begin, found.end, found.landing)) == expected


def test_landing_and_slope():
    assert find_landing(np.array([1.0, 0.0, -0.3, -0.5, -0.6, -0.1])) == 5
    assert find_landing(np.array([0.0, -0.3, 0.0])) is None
    assert slope(np.array([3.0, 2.5, 2.0, 1.5])) == pytest.approx(-0.5)


def test_flights_in_coinrun_fall_by_a_fifth_of_a_tile():
    pytest.importorskip("procgen_gym", reason="the simulator has no wheel for this Python")
    config = PhysicsConfig(trials=1, environments=12, patience=40)
    source = Procgen()
    trials = collect(source, _scripts(source.spec.action, config), _accept(config), config)
    assert 0 in trials.kinds
    for index, kind in enumerate(trials.kinds):
        heights = trials.courses[index, 0, config.context - 1 :, 1]
        flight = find_flight(heights, shortest=config.shortest_fall)
        assert flight is not None
        assert slope(np.diff(heights)[flight.begin : flight.end]) == pytest.approx(-0.2, abs=1e-4)
        assert ("jump" in tuple(KINDS)[kind]) == (flight.begin == 0)
        assert heights[flight.landing :] == pytest.approx(heights[-1], abs=1e-3)
        assert heights[-1] < heights[0] + 1e-3
