import itertools

import numpy as np
import pytest

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.record import RecordConfig, record
from oyster_jax.data.sources.procgen import Procgen
from tests.data.synthetic import tables


def _config(**changes):
    return RecordConfig(**{"source": Procgen(), "frames": 300, "levels": (0, 50), "environments": 4} | changes)


def test_a_recording_is_as_long_as_asked(training):
    assert training.frames == 3000
    manifest = training.manifest.provenance
    assert (manifest.split, manifest.levels, manifest.source) == ("training", (0, 50), "procgen:coinrun")
    assert (manifest.policy, manifest.seed, manifest.licence) == ("sticky", 3, "MIT")
    assert manifest.options == {"distribution": "easy", "backgrounds": False, "themes": False}
    training.verify()


def test_episodes_end_where_the_world_ends(training):
    endings = {"terminal": 0, "stopped": 0}
    for episode in training:
        ending = episode.metadata["ending"]
        endings[ending] += 1
        assert not episode.terminals[:-1].any()
        assert episode.terminals[-1] == (ending == "terminal")
        assert not episode.rewards[:-1].any()
    # One episode of each of the 16 environments is still running when its share is full.
    assert endings["terminal"] > 10
    assert 1 <= endings["stopped"] <= 16


def test_training_and_held_out_levels_are_disjoint(training, held_out):
    seen, unseen = ({episode.metadata["level"] for episode in data} for data in (training, held_out))
    assert seen
    assert unseen
    assert all(0 <= level < 50 for level in seen)
    assert all(1_000_000 <= level < 1_000_050 for level in unseen)
    assert held_out.manifest.provenance.split == "held-out"


def test_levels_of_both_splits_cannot_be_recorded():
    with pytest.raises(DatasetError, match="straddle"):
        _config(levels=(0, 2_000_000))


def test_frames_actions_and_outcomes_belong_together(tmp_path):
    """Playing the recorded actions again in the bare simulator shows every recorded frame at its tick."""
    vector = pytest.importorskip("procgen_gym").ProcgenVecEnv
    record(_config(environments=1, seed=9), tmp_path / "new")
    game = vector(
        1, "coinrun", num_levels=50, rand_seed=9, use_backgrounds=False, restrict_themes=True, distribution_mode="easy"
    )
    frames, _ = game.reset()
    for episode in EpisodeDataset(tmp_path / "new"):
        for tick in range(episode.ticks):
            np.testing.assert_array_equal(episode.arrays["frames"][tick], frames[0])
            frames, rewards, ended, _, _ = game.step(episode.actions[tick : tick + 1])
            assert (rewards[0], ended[0]) == (episode.rewards[tick], episode.terminals[tick])
    game.close()


def test_recorded_entities_are_those_of_their_frame(tmp_path):
    """The simulator, played again to each tick, has the agent where the recording says."""
    pytest.importorskip("procgen_gym")
    source = Procgen(entities=True)
    record(_config(source=source, environments=1, frames=80, seed=9), tmp_path / "new")
    simulator = source.open(environments=1, levels=(0, 50), seed=9)
    simulator.observe()
    for episode in EpisodeDataset(tmp_path / "new"):
        for tick in range(episode.ticks):
            simulator.restore(simulator.states())
            entities, mask, _ = tables(simulator.observe())
            np.testing.assert_array_equal(episode.arrays["entities"][tick], entities[0])
            np.testing.assert_array_equal(episode.arrays["entity_mask"][tick], mask[0])
            simulator.step(episode.actions[tick : tick + 1])
    simulator.close()


def test_recorded_jumps_obey_gravity(held_out):
    """Wherever the agent was in the air for three ticks and touched nothing, its speed fell by 0.2 each tick."""
    column = held_out.spec.entity.column("vy")
    falls = []
    for episode in held_out:
        speed = episode.arrays["entities"][:, 0, column]
        begins = np.flatnonzero(np.isclose(speed, 1.5, atol=1e-4))
        falls += [speed[t + 1] - speed[t] for t in begins if t + 1 < episode.ticks]
    assert len(falls) > 50
    assert np.isclose(falls, -0.2, atol=1e-4).mean() > 0.8


def test_entities_say_what_was_lost(held_out):
    lost = [episode.metadata["entities_lost"] for episode in held_out]
    assert lost.count(0) > len(lost) / 2
    for episode, count in zip(held_out, lost, strict=True):
        assert episode.arrays["entity_mask"][:, 0].all()
        assert count >= 0
        # Rows are lost only where the table is full.
        assert count == 0 or episode.arrays["entity_mask"].all(axis=1).any()


def test_the_same_seed_records_the_same_bytes(tmp_path):
    pytest.importorskip("procgen_gym")
    folders = [tmp_path / name for name in ("one", "two", "other")]
    shards = [
        record(_config(seed=seed, source=Procgen(entities=True)), folder).shards
        for seed, folder in zip((1, 1, 2), folders, strict=True)
    ]
    assert shards[0] == shards[1]
    assert shards[0] != shards[2]
    assert (folders[0] / "manifest.json").read_bytes() == (folders[1] / "manifest.json").read_bytes()


def test_shares_that_do_not_divide_still_add_up(tmp_path):
    pytest.importorskip("procgen_gym")
    seen = []
    manifest = record(_config(frames=31, environments=4), tmp_path / "new", seen.append)
    assert manifest.frames == 31
    assert seen[-1] == 31
    assert all(one < other for one, other in itertools.pairwise(seen))
    assert record(_config(frames=2, environments=4), tmp_path / "few").frames == 2


def test_a_stopped_recording_is_not_a_dataset(tmp_path):
    pytest.importorskip("procgen_gym")

    def stop(frames: int) -> None:
        if frames > 600:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(_config(frames=1200), tmp_path / "new", stop)
    with pytest.raises(DatasetError):
        EpisodeDataset(tmp_path / "new")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [({"frames": 0}, "at least one of its frames"), ({"environments": 0}, "environments"), ({"seed": -1}, "seed lies")],
)
def test_an_impossible_request_is_refused(changes, sentence):
    with pytest.raises(DatasetError, match=sentence):
        _config(**changes)
