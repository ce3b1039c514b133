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
from oyster_jax.data.sources.craftax_events import EVENTS

KINDS, QUANTITIES, TYPES = craftax_state.TILES.kinds, craftax_state.QUANTITIES, craftax_state.TYPES
CARRIED = {"sword_given": "iron_sword", "pickaxe_given": "iron_pickaxe", "wood_given": "wood",
           "sapling_given": "sapling", "healed": "health"}  # fmt: skip

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


def count(episode, tick, kind):
    table = episode.entities[tick]
    away = np.abs(table[:, 1:3] - table[0, 1:3])
    return (episode.entity_mask[tick] & (table[:, 0] == TYPES.index(kind)) & (away <= (4, 3)).all(axis=1)).sum()


def seen(episode, tick, name):
    """Whether an event that happened at a tick shows in the next frame."""
    before, after = episode.quantities[tick], episode.quantities[tick + 1]
    if name in CARRIED:
        column = QUANTITIES.column(CARRIED[name])
        return after[column] > before[column]
    if name == "hurt":
        return after[0] < before[0]
    if name in ("night_falls", "day_breaks"):
        return (after[QUANTITIES.column("daylight")] < 0.5) == (name == "night_falls")
    if name == "arrows_rain":
        return count(episode, tick + 1, "arrow") > 0
    kind, _, what = name.partition("_")
    if what == "ahead":
        return (episode.tiles[tick + 1] == KINDS.index(kind)).sum() > (episode.tiles[tick] == KINDS.index(kind)).sum()
    more = int(count(episode, tick + 1, kind)) - int(count(episode, tick, kind))
    return more < 0 if what == "dies" else more > 0


def test_what_happened_is_seen_a_frame_later(episodes):
    found = collections.defaultdict(list)
    for episode in episodes:
        for tick in np.flatnonzero(episode.events[:-1]):
            name = EVENTS.names[episode.events[tick] - 1]
            found[name].append(bool(seen(episode, tick, name)))
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
