"""Events: what is recorded as having happened can be seen a frame later, and nothing else is disturbed by them."""

import collections
import dataclasses

import numpy as np
import pytest

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.record import RecordConfig, record
from oyster_jax.data.sources import craftax_state
from oyster_jax.data.sources.craftax import Craftax
from oyster_jax.data.sources.craftax_events import EVENTS, Sight, shows

TILES, TYPES = craftax_state.TILES, craftax_state.TYPES

#: Events are frequent, so that each is there.
REQUEST = RecordConfig(
    source=Craftax(events=0.3), frames=6_000, levels=(0, 200_000), policy="explore", seed=3, environments=24
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    pytest.importorskip("craftax", reason="there is no simulator for this Python")
    folder = tmp_path_factory.mktemp("events") / "data"
    record(REQUEST, folder)
    return folder


@pytest.fixture(scope="module")
def episodes(recorded):
    dataset = EpisodeDataset(recorded)
    return [dataset[index] for index in range(len(dataset))]


def sight(episode, tick):
    """What the game knows of a frame."""
    table = episode.entities[tick][episode.entity_mask[tick]]
    types = np.zeros((TILES.rows, TILES.columns, len(TYPES)), bool)
    column, row = (table[:, 1] - table[0, 1] + TILES.agent[1], table[0, 2] - table[:, 2] + TILES.agent[0])
    for kind, at, beside in zip(table[:, 0].astype(int), row.astype(int), column.astype(int), strict=True):
        if 0 <= at < TILES.rows and 0 <= beside < TILES.columns:
            types[at, beside, kind] = True
    return Sight(tiles=episode.tiles[tick], types=types, quantities=episode.quantities[tick])


def test_what_happened_is_seen_a_frame_later(episodes):
    found = collections.defaultdict(list)
    for episode in episodes:
        for tick in np.flatnonzero(episode.events[:-1]):
            name = EVENTS.names[episode.events[tick] - 1]
            found[name].append(shows(name, sight(episode, tick), sight(episode, tick + 1)))
    assert set(found) == set(EVENTS.names)
    # Creatures come and go by themselves in the same tick, and the agent walks away from what lies at the edge.
    for name, outcomes in found.items():
        assert np.mean(outcomes) > (0.5 if name.endswith("dies") else 0.75), (name, outcomes)


def test_something_happens_about_as_often_as_asked(episodes):
    events = np.concatenate([episode.events for episode in episodes])
    assert 0.1 < (events > 0).mean() < 0.3
    assert events.min() == 0
    assert events.max() <= len(EVENTS.names)


def test_the_same_seed_makes_the_same_happen(recorded, tmp_path):
    record(REQUEST, tmp_path / "again")
    for name in ("manifest.json", "episodes-00000.array_record"):
        assert (tmp_path / "again" / name).read_bytes() == (recorded / name).read_bytes()


def test_without_events_nothing_is_made_to_happen():
    assert Craftax().spec.events is None
    assert "events" not in Craftax().options
    with pytest.raises(DatasetError, match="between 0 and 1"):
        Craftax(events=1.5)


def test_events_are_part_of_the_specification():
    spec = Craftax(events=0.1).spec
    assert WorldSpec.from_json(spec.to_json()) == spec
    assert "events" not in dataclasses.replace(spec, events=None).to_json()
    assert EVENTS.parse("night_falls") == 1
    with pytest.raises(ValueError, match="knows night_falls"):
        EVENTS.parse("day_falls")
