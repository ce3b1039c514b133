"""What a camera sees of a recording."""

import functools
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.models.camera import around
from oyster_jax.train.stages import recorded
from oyster_jax.train.views import BLOCK, Views
from tests.train.tiny_coinrun import get_config

CONFIG = get_config()
CAMERA = CONFIG.dynamics.camera


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EpisodeDataset:
    pytest.importorskip("procgen_gym", reason="the simulator has no wheel for this Python")
    folder: Path = tmp_path_factory.mktemp("coinrun")
    return recorded(CONFIG, folder / "data")


@functools.cache
def _views(dataset: EpisodeDataset) -> Views:
    assert CAMERA is not None
    return Views(dataset, CAMERA, jitter=0.0, seed=0)


def test_colours_are_what_the_camera_sees_from_where_it_stands(dataset: EpisodeDataset) -> None:
    assert CAMERA is not None
    longest = int(np.argmax(dataset.lengths))
    assert dataset.lengths[longest] > BLOCK, "more than is looked at together"
    start, length = BLOCK - 2, 4
    view = _views(dataset).window(longest, start, length)
    frames = dataset.window(longest, start, length, ("frames",))["frames"]
    seen = around(CAMERA, jnp.asarray(frames), jnp.asarray(view["place"]))
    np.testing.assert_allclose(view["colours"], seen, atol=2e-3)


def test_places_move_as_the_camera_does(dataset: EpisodeDataset) -> None:
    assert CAMERA is not None
    views = _views(dataset)
    for index, length in enumerate(dataset.lengths.tolist()):
        view = views.window(index, 0, length)
        np.testing.assert_allclose(np.diff(view["place"], axis=0) * CAMERA.tile, view["motion"][1:], atol=2e-3)
        np.testing.assert_array_equal(view["motion"][0], 0.0)
        np.testing.assert_array_equal(view["actions"], dataset.window(index, 0, length, ("actions",))["actions"])


def test_batches_are_drawn_from_them(dataset: EpisodeDataset) -> None:
    batch = next(iter(windows(_views(dataset), WindowConfig(length=6, batch=4))))
    assert {name: array.shape[:2] for name, array in batch.items()} == dict.fromkeys(Views.content, (4, 6))
