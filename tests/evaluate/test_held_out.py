import dataclasses

import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import HELD_OUT
from oyster_jax.data.sources import procgen
from oyster_jax.evaluate import held_out

LEARNED = {
    "config": {
        "recording": {
            "source": {"game": "ninja", "distribution": "easy", "backgrounds": True, "themes": False, "entities": True},
            "policy": "random",
            "levels": [0, 200_000],
        }
    }
}


def test_what_was_learned_is_recorded_again_on_levels_that_were_not():
    config = held_out.held_out_recording(LEARNED)
    assert config.provenance.split == HELD_OUT
    assert config.source == procgen.Procgen(game="ninja", backgrounds=True, entities=True)
    assert config.policy == "random"


@pytest.mark.parametrize("training", [{}, {"config": {"recording": {"source": {"file": "clip.mp4"}}}}])
def test_a_world_that_does_not_say_what_it_learned_needs_data(training):
    with pytest.raises(DatasetError, match=r"does not say of which game .* --data"):
        held_out.held_out_recording(training)


def test_a_recording_is_made_once(tmp_path):
    pytest.importorskip("procgen_gym")
    config = dataclasses.replace(held_out.held_out_recording(LEARNED), frames=80, environments=4)
    seen = []
    first = held_out.held_out_data(config, tmp_path, seen.append)
    assert first.frames == seen[-1] == 80
    seen.clear()
    again = held_out.held_out_data(config, tmp_path, seen.append)
    assert again.folder == first.folder
    assert seen == []
    other = held_out.held_out_data(dataclasses.replace(config, seed=9), tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([first.folder, other.folder])


def test_a_missing_simulator_leaves_a_way_out_and_no_files(tmp_path, monkeypatch):
    def missing(*_, **__):
        raise DatasetError("Recording needs a package.")

    monkeypatch.setattr(procgen.ProcgenSimulator, "__init__", missing)
    with pytest.raises(DatasetError, match=r"Recording needs a package\. Or give a recording"):
        held_out.held_out_data(held_out.held_out_recording(LEARNED), tmp_path)
    assert list(tmp_path.iterdir()) == []
