import pickle
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.core.spec import EntitySpec
from oyster_jax.data.array_entities import as_recorded
from oyster_jax.data.camera import camera_positions
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.generate.errors import GenerateError
from oyster_jax.generate.rendering import render_latents
from oyster_jax.models.heads import ENTITY_FIELDS
from tests.data.synthetic import PROVENANCE
from tests.generate.conftest import EPISODES, MODEL, TICKS


def test_it_reads_as_a_recording_does(whole):
    whole.verify()
    assert (len(whole), whole.frames) == (EPISODES, EPISODES * TICKS)
    assert whole.content == ("actions", "rewards", "terminals", "frames")
    episode = whole[4]
    window = whole.window(4, 10, 20)
    for name, array in episode.arrays.items():
        np.testing.assert_array_equal(window[name], array[10:30])
    assert pickle.loads(pickle.dumps(whole))[4].actions.tolist() == episode.actions.tolist()


def test_an_episode_ends_where_the_world_said(run, tmp_path):
    dataset = run(tmp_path, beyond=False)
    assert dataset.lengths.min() < TICKS
    for episode, length in zip(dataset, dataset.lengths, strict=True):
        assert episode.ticks == length
        assert episode.metadata["ending"] == ("terminal" if episode.terminals[-1] else "stopped")
        assert not episode.terminals[:-1].any()
        assert (episode.actions >= 0).all()


def test_grain_reads_windows_of_it(whole):
    batches = iter(windows(whole, WindowConfig(length=8, batch=4, seed=1)))
    batch = next(batches)
    assert batch["frames"].shape == (4, 8, 16, 16, 3)
    state = batches.get_state()
    later = next(batches)
    batches.set_state(state)
    np.testing.assert_array_equal(next(batches)["actions"], later["actions"])
    actions = [episode.actions for episode in whole]
    assert all(
        any(np.array_equal(row, known[at : at + 8]) for known in actions for at in range(TICKS - 7))
        for row in batch["actions"]
    )


def test_asking_for_what_is_not_there_is_refused(whole):
    with pytest.raises(DatasetError, match="has 40 ticks"):
        whole.window(0, 30, 20)
    with pytest.raises(DatasetError, match="holds no latents"):
        whole.window(0, 0, 2, ("latents",))
    with pytest.raises(IndexError, match="episodes 0 to 9"):
        whole[EPISODES]


def test_damage_is_noticed(whole, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(whole.folder, folder)
    file = folder / "frames/c/1/0/0/0/0"
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)
    dataset = EpisodeDataset(folder)
    with pytest.raises(DatasetError, match="is damaged"):
        dataset.verify()
    with pytest.raises(DatasetError, match="cannot be read"):
        [dataset[index] for index in range(len(dataset))]
    file.unlink()
    with pytest.raises(DatasetError, match="is missing"):
        EpisodeDataset(folder)


def test_what_is_unfinished_is_no_dataset(run, tmp_path):
    def stop(done, before):
        del before
        if done:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run(tmp_path, progress=stop)
    with pytest.raises(DatasetError, match="unfinished generation"):
        EpisodeDataset(tmp_path)


def test_latents_are_rendered_later(run, params, whole, tmp_path):
    world = {"world": "tiny"}
    dataset = run(tmp_path, frames=False, latents=True)
    assert dataset.content == ("actions", "rewards", "terminals", "latents")

    def stop(done):
        if done > 4 * TICKS:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        render_latents(MODEL.rendered, params, world, tmp_path, stop)
    assert EpisodeDataset(tmp_path).content == dataset.content
    rendered = render_latents(MODEL.rendered, params, world, tmp_path)
    rendered.verify()
    assert "frames" in rendered.content
    for episode, shown in zip(rendered, whole, strict=True):
        assert episode.frames is not None
        assert shown.frames is not None
        np.testing.assert_array_equal(episode.actions, shown.actions)
        np.testing.assert_allclose(episode.frames.astype(int), shown.frames.astype(int), atol=1)
    with pytest.raises(GenerateError, match="holds no latents"):
        render_latents(MODEL.rendered, params, world, whole.folder)
    with pytest.raises(GenerateError, match="other weights"):
        render_latents(MODEL.rendered, params, {"world": "tiny", "digest": "x"}, tmp_path)


def test_entities_are_laid_out_as_recordings_have_them():
    spec = PROVENANCE.spec
    spec = type(spec)(
        name="coinrun",
        frame=type(spec.frame)(height=65, width=65),
        action=spec.action,
        entity=EntitySpec(capacity=4, fields=("x", "y", "vx", "vy", "rx", "type")),
    )
    entities, mask = np.zeros((2, 6, 5), np.float32), np.zeros((2, 6), bool)
    entities[0, 1] = [5, -2, 1, 0.5, 0]
    entities[0, 3] = [0, 0.1, 0.2, 0.3, 0.4]
    entities[0, 4] = [0, 6, 0, 9, 9]
    mask[0, [1, 3, 4]] = True
    camera = np.array([[50, -20], [55, -20]], np.float32)
    table, used = as_recorded(spec, ENTITY_FIELDS, entities, mask, camera)
    np.testing.assert_allclose(table[0, 0], [10, 4, 0.3, 0.4, 0, 0])
    np.testing.assert_allclose(table[0, 1], [8, 5, 0.5, 0, 0, 5])
    np.testing.assert_allclose(table[0, 2], [16, 4, 9, 9, 0, 0])
    assert used.tolist() == [[True, True, True, False], [True, False, False, False]]
    np.testing.assert_allclose(table[1, 0], [11, 4, 0, 0, 0, 0])
    np.testing.assert_allclose(camera_positions(spec, table), camera)
    assert jnp.asarray(table).dtype == np.float32
