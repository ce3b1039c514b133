"""Recorded moments beside a world: written whole, read back, drawn where nobody chose them."""

import numpy as np

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.testing import tiny_model
from oyster_jax.worlds.moments import RecordedMoment, draw_moments, read_moments, write_moments
from tests.cli import tiny


def _moment(title, ticks=4, seed=0):
    frames = np.random.default_rng(seed).integers(256, size=(ticks, 16, 16, 3)).astype(np.uint8)
    return RecordedMoment(title=title, frames=frames, actions=np.arange(ticks - 1, dtype=np.int32))


def test_moments_come_back_in_their_order_and_replace_those_before(tmp_path):
    write_moments(tmp_path, {"a-saw": _moment("A saw"), "lava": _moment("Lava", seed=1), "wall": _moment("A wall")})
    given = {"lava": _moment("Lava, again", ticks=6, seed=2), "a-saw": _moment("A saw")}
    write_moments(tmp_path, given)
    found = read_moments(tmp_path)
    assert list(found) == ["1-lava", "2-a-saw"]
    for one, other in zip(found.values(), given.values(), strict=True):
        assert one.title == other.title
        np.testing.assert_array_equal(one.frames, other.frames)
        np.testing.assert_array_equal(one.actions, other.actions)


def test_drawn_moments_are_windows_of_the_recording(tmp_path):
    spec = tiny_model().spec
    folder = tiny.record(tmp_path / "data")
    drawn = draw_moments(folder, spec)
    assert len(drawn) == 6
    episodes = [np.asarray(episode.frames) for episode in EpisodeDataset(folder)]
    for moment in drawn.values():
        ticks = len(moment.frames)
        assert len(moment.actions) == ticks - 1
        assert any(
            np.array_equal(frames[first : first + ticks], moment.frames)
            for frames in episodes
            for first in range(len(frames) - ticks + 1)
        )


def test_nothing_is_drawn_where_there_is_nothing_to_begin_from(tmp_path):
    assert draw_moments(tmp_path / "nowhere", tiny_model().spec) == {}
    write_moments(tmp_path, {})
    assert read_moments(tmp_path) == {}
