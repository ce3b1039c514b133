"""Familiarity: bounds follow from how well a world shows its own and foreign pictures, and verdicts from the bounds."""

import numpy as np
import pytest

from oyster_jax.evaluate.familiarity import familiarity_figures, foreign_frames
from oyster_jax.worlds.familiarity import Familiarity, picture_psnr
from tests.evaluate import platformer, toy


def test_bounds_lie_between_own_and_foreign_pictures():
    own = np.stack([np.asarray(toy.drawn(place)) for place in range(8)])
    noise = np.random.default_rng(0).integers(0, 256, own.shape, np.uint8)
    found = familiarity_figures(toy.Exact(), {}, own, {"noise": noise, "night": np.zeros_like(own)})
    assert found.usual == found.known == 99.0
    assert found.foreign < 20
    assert found.told_apart == 1.0
    assert set(found.games) == {"noise", "night"}


def test_foreign_frames_are_of_other_games_in_the_worlds_size():
    pytest.importorskip("procgen", reason="there is no simulator for this Python")
    found = foreign_frames(platformer.Platformer(), (63, 63, 3))
    assert all(frames.shape[1:] == (63, 63, 3) for frames in found.values())
    assert len(found) > 4


def test_verdicts():
    measured = {"figures": {"familiarity": {"usual": 38.0, "known": 33.0, "foreign": 25.0}}}
    bounds = Familiarity.of(measured, usual=20.0)
    assert [bounds.verdict(psnr)[0] for psnr in (35.0, 30.0, 20.0)] == ["familiar", "strange", "foreign"]
    assert "20.0 dB" in bounds.verdict(20.0)[1]
    assert Familiarity.of({}, usual=40.0).verdict(33.0)[0] == "strange"
    overlapping = Familiarity.of({"figures": {"familiarity": {"usual": 38.0, "known": 25.0, "foreign": 33.0}}}, 0.0)
    assert overlapping.verdict(30.0)[0] == "strange"


def test_psnr_of_equal_pictures_is_finite():
    frame = np.zeros((4, 4, 3), np.uint8)
    assert picture_psnr(frame, frame) == 99.0
    assert picture_psnr(frame, frame + np.uint8(255)) == pytest.approx(0.0)
