"""Long runs of toy worlds that stay as they are, and of some that wear out in a known way."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.core.state import Status
from oyster_jax.evaluate.appearance import APPEARANCE, appearance
from oyster_jax.evaluate.drift import DriftConfig, measure_drift
from oyster_jax.evaluate.drift_figures import drift_figures
from tests.evaluate.toy import SIZE, Exact, ToyReader, write

CONFIG = DriftConfig(
    ticks=80, worlds=3, context=2, chunk=10, phase=30, branches=3, look_every=5, real_windows=8, shown=4
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Worn(Exact):
    """Fades, grows deaf and ends, each after so many ticks of its life."""

    fades_after: int = 10_000
    deaf_after: int = 10_000
    ends_after: int = 10_000

    def advance(self, params, state, action):
        action = jnp.where(state.step >= self.deaf_after, 2, action)
        state = super().advance(params, state, action)
        ended = state.step >= self.ends_after
        return state.replace(status=jnp.where(ended, Status.TERMINAL, Status.OK).astype(jnp.int32))

    def render(self, params, state):
        frame = super().render(params, state)
        return jnp.where(state.step > self.fades_after, frame // 2, frame)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write(tmp_path_factory.mktemp("toy") / "data", lengths=(36, 40, 50, 60, 45, 38))


def run(model, dataset, judge=None, **changes):
    measurements = measure_drift(model, {}, dataset, judge, dataclasses.replace(CONFIG, **changes))
    return measurements, drift_figures(measurements)


def test_a_world_that_never_wears_out(dataset):
    told = []
    measurements = measure_drift(Exact(), {}, dataset, ToyReader(), CONFIG, lambda *counts: told.append(counts))
    figures = drift_figures(measurements)
    assert told[-1] == (80, 80)
    assert len(told) == 8
    assert measurements.looks.shape == (3, 80, len(APPEARANCE))
    assert measurements.frames.shape == (3, 4, SIZE, SIZE, 3)
    assert measurements.agents is not None
    assert measurements.agents.shape == (3, 16)
    assert figures.sharpness_ratio.value == pytest.approx(1, abs=0.15)
    assert figures.entropy_ratio.value == pytest.approx(1, abs=0.05)
    for phase in (figures.early, figures.late, figures.real):
        assert phase.one_agent is not None
        assert phase.macro_f1 is not None
        assert phase.one_agent.value == phase.macro_f1.value == 1
    assert figures.f1_loss is not None
    assert figures.f1_loss.value == 0
    assert figures.respawns == figures.broken == 0
    # It has no noise, and its actions move the bar.
    assert figures.early.noise_psnr is not None
    assert figures.early.effect_psnr is not None
    assert figures.early.noise_psnr.value == 100
    assert figures.early.effect_psnr.value < 30
    assert len(figures.minutes["sharpness"]) == 2
    assert json.loads(json.dumps(dataclasses.asdict(figures)))["worlds"] == 3


def test_fading_shows_in_sharpness_but_not_in_control(dataset):
    _, figures = run(Worn(fades_after=49), dataset, ToyReader())
    _, fresh = run(Exact(), dataset, ToyReader())
    assert figures.early.sharpness.value == pytest.approx(fresh.early.sharpness.value, rel=1e-3)
    assert figures.sharpness_ratio.value == pytest.approx(fresh.sharpness_ratio.value / 2, rel=0.02)
    assert figures.contrast_ratio.value == pytest.approx(fresh.contrast_ratio.value / 2, rel=0.02)
    assert figures.f1_loss is not None
    assert figures.f1_loss.value == 0
    assert figures.late.one_agent is not None
    assert figures.late.one_agent.value == 0


def test_growing_deaf_shows_in_control_but_not_in_looks(dataset):
    _, figures = run(Worn(deaf_after=40), dataset, ToyReader())
    assert figures.control_loss is not None
    assert figures.control_loss.value == 1
    assert figures.f1_loss is not None
    assert figures.f1_loss.value > 0.3
    assert figures.sharpness_ratio.value == pytest.approx(1, abs=0.15)


def test_a_world_that_ends_goes_on_with_a_fresh_level_in_the_same_tick(dataset):
    measurements, figures = run(Worn(ends_after=7), dataset, ToyReader())
    ended = np.flatnonzero(measurements.ended[0])
    # The first life began with a frame of the recording at step 0 too.
    np.testing.assert_array_equal(ended, np.arange(6, 80, 7))
    assert figures.respawns == pytest.approx(1000 / 7, rel=0.1)
    # Cuts between levels are not read as presses.
    assert figures.late.macro_f1 is not None
    assert figures.late.macro_f1.value == 1
    place = np.asarray(appearance(Exact().render({}, Exact().reset({}, jax.random.key(0)))))
    np.testing.assert_allclose(measurements.looks[:, 6], np.tile(place, (3, 1)), rtol=1e-5)


def test_without_respawn_it_goes_on_as_if_nothing_were(dataset):
    measurements, figures = run(Worn(ends_after=7), dataset, ToyReader(), respawn=False)
    assert measurements.ended[:, 7:].all()
    assert not measurements.ended[:, :6].any()
    # No pair of futures is sound in a world that has ended.
    assert figures.control_loss is None


def test_without_a_judge_looks_and_effects_remain(dataset):
    measurements, figures = run(Exact(), dataset)
    assert measurements.agents is None
    assert figures.early.one_agent is None
    assert figures.f1_loss is None
    assert figures.control_loss is not None
    assert abs(figures.control_loss.value) < 0.5


def test_the_same_seed_gives_the_same_numbers(dataset):
    one, other = (run(Exact(), dataset)[0] for _ in range(2))
    np.testing.assert_array_equal(one.looks, other.looks)
    another, _ = run(Exact(), dataset, seed=1)
    assert not np.array_equal(one.looks, another.looks)


def test_bad_numbers_are_refused():
    with pytest.raises(ValueError, match="chunk"):
        DriftConfig(chunk=0)


def test_looks_of_frames_that_are_known():
    flat = np.full((SIZE, SIZE, 3), 102, np.uint8)
    halves = np.zeros((SIZE, SIZE, 3), np.uint8)
    halves[:, SIZE // 2 :] = 255
    looks = np.asarray(appearance(jnp.stack([flat, halves])))
    np.testing.assert_allclose(looks[0], [0, 0, 0.4, 0.4, 0.4, 0, 0, 0], atol=1e-6)
    # One column of edges among 15, and two grey levels of equal share.
    np.testing.assert_allclose(looks[1], [1 / 15, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], atol=1e-6)
