import numpy as np
import pytest

from oyster_jax.evaluate.frechet import FrechetConfig, frechet_distance, frechet_figures, measure_frechet
from oyster_jax.evaluate.open_loop import OpenLoopConfig, measure_open_loop
from tests.evaluate import scroller
from tests.evaluate.scroller import Walker


def test_equal_crowds_are_at_no_distance():
    crowd = np.random.default_rng(0).normal(size=(200, 5))
    assert frechet_distance(crowd, crowd) == pytest.approx(0, abs=1e-9)


def test_known_gaussians_are_at_their_known_distance():
    """Of commuting covariances: |Δμ|² + Σ (σ_1 - σ_2)²."""
    generator = np.random.default_rng(0)
    crowd = generator.normal(size=(50_000, 3)) @ np.diag([1.0, 2.0, 3.0])
    other = generator.normal(size=(50_000, 3)) @ np.diag([2.0, 2.0, 1.0]) + [1, 0, -2]
    assert frechet_distance(crowd, other) == pytest.approx(5 + 1 + 0 + 4, rel=0.02)


def test_shared_rotations_and_order_change_nothing():
    generator = np.random.default_rng(1)
    crowd, other = generator.normal(size=(40, 6)), generator.normal(size=(30, 6)) * 2 + 1
    turned, _ = np.linalg.qr(generator.normal(size=(6, 6)))
    expected = frechet_distance(crowd, other)
    assert frechet_distance(other, crowd) == pytest.approx(expected)
    assert frechet_distance(crowd @ turned, other @ turned) == pytest.approx(expected)


def test_fewer_samples_than_features_are_no_error():
    generator = np.random.default_rng(2)
    assert np.isfinite(frechet_distance(generator.normal(size=(3, 20)), generator.normal(size=(5, 20))))


@pytest.fixture(scope="module")
def level(tmp_path_factory):
    return scroller.write(tmp_path_factory.mktemp("level") / "data")


def features(frames):
    return frames[:, 0, ::5, 0].astype(np.float32) / 255


def found(model, level):
    config = OpenLoopConfig(windows=12, context=3, horizons=(1, 16), random=False)
    group = measure_open_loop(model, {}, level, config)
    return frechet_figures(measure_frechet(features, [group], level, FrechetConfig(reference=60)))


def test_a_world_that_is_the_truth_reaches_the_floor(level):
    figures = found(Walker(knows=True), level)
    assert figures.distance == figures.floor
    assert figures.frames == {1: 12, 16: 12}
    assert figures.reference == 60


def test_a_world_that_grows_black_moves_away(level):
    figures = found(Walker(), level)
    assert figures.distance[16] > 2 * figures.floor[16]
    assert figures.distance[16] > figures.distance[1]


def test_a_senseless_request_is_refused():
    with pytest.raises(ValueError, match="at least 2 frames"):
        FrechetConfig(reference=1)
