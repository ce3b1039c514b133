import dataclasses

import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from tests.data.synthetic import make_episode


def test_an_episode_says_what_it_holds():
    episode = make_episode(0, 5, full=True)
    assert episode.ticks == 5
    assert list(make_episode(0, 5).arrays) == ["actions", "rewards", "terminals", "frames"]
    assert list(episode.arrays)[-3:] == ["latents", "entities", "entity_mask"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"actions": np.zeros(5, np.int64)}, "actions must be int32 with 1 axes, but they are int64"),
        ({"frames": np.zeros((5, 8, 6), np.uint8)}, "frames must be uint8 with 4 axes"),
        ({"frames": np.zeros((5, 8, 6, 4), np.uint8)}, "frames must be RGB with 3 colours, but they have 4"),
        ({"frames": np.zeros((6, 8, 6, 3), np.uint8)}, "frames cover 6 ticks, but its actions cover 5"),
        ({"rewards": np.zeros(4, np.float32)}, "rewards cover 4 ticks"),
        ({"rewards": None}, "its rewards are missing"),
        ({"latents": np.zeros((5, 4, 2), np.float32)}, "latents must be float16"),
        ({"entity_mask": None}, "come together"),
        ({"entity_mask": np.zeros((5, 2), bool)}, "differ in their first two axes"),
        ({"actions": np.zeros(0, np.int32)}, "at least one tick"),
    ],
)
def test_an_impossible_episode_is_refused_in_a_sentence(changes, sentence):
    with pytest.raises(DatasetError, match=sentence):
        dataclasses.replace(make_episode(0, 5, full=True), **changes)
