import dataclasses
import json
import pickle
import shutil

import numpy as np
import pytest

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import MANIFEST
from oyster_jax.data.writer import DatasetWriter
from tests.data.synthetic import PROVENANCE, make_episode, same, write

LENGTHS = [5, 40, 1, 17, 33, 8]


@pytest.fixture
def dataset(tmp_path):
    """Six episodes in several shards."""
    return write(tmp_path / "dataset", LENGTHS, shard_bytes=6000)


def test_what_is_written_is_read(dataset):
    assert len(dataset.manifest.shards) > 1
    assert dataset.lengths.tolist() == LENGTHS
    assert (len(dataset), dataset.frames, dataset.spec) == (6, sum(LENGTHS), PROVENANCE.spec)
    for index, episode in enumerate(dataset):
        assert same(episode, make_episode(index, LENGTHS[index]))
    dataset.verify()


def test_windows_are_slices(dataset):
    window = dataset.window(4, 10, 20)
    for name, array in make_episode(4, LENGTHS[4]).arrays.items():
        np.testing.assert_array_equal(window[name], array[10:30])
    assert list(dataset.window(4, 10, 20, ("actions",))) == ["actions"]


def test_an_open_dataset_can_be_sent_to_another_process(dataset):
    assert dataset[0].ticks == LENGTHS[0]
    assert same(pickle.loads(pickle.dumps(dataset))[3], dataset[3])


def test_there_is_no_episode_beyond_the_last(dataset):
    for index in (-1, 6):
        with pytest.raises(IndexError, match="episodes 0 to 5"):
            dataset[index]


def test_a_folder_in_use_is_not_written_over(dataset, tmp_path):
    with pytest.raises(DatasetError, match="is not empty"):
        DatasetWriter(dataset.folder, PROVENANCE)
    with pytest.raises(DatasetError, match="is a file"):
        DatasetWriter(dataset.folder / MANIFEST, PROVENANCE)
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", [3]).verify()


def test_episodes_of_a_dataset_hold_the_same_arrays(tmp_path):
    with DatasetWriter(tmp_path / "new", PROVENANCE) as writer:
        writer.add(make_episode(0, 3))
        with pytest.raises(DatasetError, match="hold the same arrays"):
            writer.add(make_episode(1, 3, full=True))


def test_latents_replace_frames_in_a_derived_dataset(dataset, tmp_path):
    provenance = dataclasses.replace(dataset.manifest.provenance, extra={"tokenizer": "abc"})
    with DatasetWriter(tmp_path / "latents", provenance) as writer:
        for episode in dataset:
            latents = np.full((episode.ticks, 4, 2), episode.metadata["level"], np.float16)
            writer.add(dataclasses.replace(episode, frames=None, latents=latents))
    derived = EpisodeDataset(tmp_path / "latents")
    assert derived.content == ("actions", "rewards", "terminals", "latents")
    assert derived.manifest.provenance.extra == {"tokenizer": "abc"}
    assert derived.lengths.tolist() == LENGTHS
    np.testing.assert_array_equal(derived.window(3, 2, 5)["latents"], np.full((5, 4, 2), 3))


def test_a_recording_without_episodes_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="Nothing was recorded"), DatasetWriter(tmp_path / "new", PROVENANCE):
        pass


def test_an_interrupted_recording_does_not_look_complete(tmp_path):
    def stop():
        with DatasetWriter(tmp_path / "new", PROVENANCE) as writer:
            writer.add(make_episode(0, 3))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    with pytest.raises(DatasetError, match="unfinished recording"):
        EpisodeDataset(tmp_path / "new")


def test_a_missing_shard_is_noticed_when_opening(dataset):
    shard = dataset.folder / dataset.manifest.shards[1].name
    shard.unlink()
    with pytest.raises(DatasetError, match=f"{shard.name} is missing"):
        EpisodeDataset(dataset.folder)


def test_a_truncated_shard_is_noticed_when_opening(dataset):
    shard = dataset.folder / dataset.manifest.shards[1].name
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=rf"{shard.name} has \d+ bytes, but its manifest says"):
        EpisodeDataset(dataset.folder)


def test_a_flipped_byte_never_reaches_a_reader(dataset):
    """Wherever a bit flips in a shard, `verify` says so, and reading gives the right episode or an error."""
    shard = dataset.folder / dataset.manifest.shards[0].name
    count = len(dataset.manifest.shards[0].lengths)
    whole = shard.read_bytes()
    noticed = 0
    for place in np.linspace(0, len(whole) - 1, 200).astype(int):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        shard.write_bytes(damaged)
        with pytest.raises(DatasetError, match=shard.name):
            EpisodeDataset(dataset.folder).verify()
        reopened = EpisodeDataset(dataset.folder)
        try:
            assert all(same(reopened[index], make_episode(index, LENGTHS[index])) for index in range(count))
        except DatasetError:
            noticed += 1
    assert noticed > 0
    shard.write_bytes(whole)
    dataset.verify()


def test_exchanged_shards_are_noticed(tmp_path):
    dataset = write(tmp_path / "dataset", [20, 20], shard_bytes=1)
    one, other = (dataset.folder / shard.name for shard in dataset.manifest.shards)
    shutil.copy(one, other)
    with pytest.raises(DatasetError, match=r"manifest|damaged"):
        EpisodeDataset(dataset.folder).verify()


def test_a_dataset_of_another_schema_version_is_refused(dataset):
    _edit(dataset, schema_version=99)
    with pytest.raises(DatasetError, match="schema version 99, but this program reads versions 1 and 2"):
        EpisodeDataset(dataset.folder)


def test_a_manifest_whose_counts_do_not_agree_is_refused(dataset):
    _edit(dataset, frames=1)
    with pytest.raises(DatasetError, match="do not agree with its shards"):
        EpisodeDataset(dataset.folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"schema_version": 1}', "\udce9"])
def test_an_unreadable_manifest_is_refused(dataset, text):
    (dataset.folder / MANIFEST).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DatasetError, match=MANIFEST):
        EpisodeDataset(dataset.folder)


@pytest.mark.parametrize("name", ["spec", "split", "levels", "shards", "content", "licence"])
def test_a_manifest_without_one_of_its_parts_is_refused(dataset, name):
    path = dataset.folder / MANIFEST
    data = json.loads(path.read_text())
    del data[name]
    path.write_text(json.dumps(data))
    with pytest.raises(DatasetError, match=MANIFEST):
        EpisodeDataset(dataset.folder)


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(DatasetError, match="is not a dataset"):
            EpisodeDataset(folder)


def _edit(dataset, **changes):
    path = dataset.folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
