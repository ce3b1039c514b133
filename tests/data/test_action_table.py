import itertools

import numpy as np
import pytest

from oyster_jax.data import action_table
from oyster_jax.data.action_table import MOST_ACTIONS
from oyster_jax.data.errors import DatasetError

TABLES = {
    "choices": action_table.of_choices(("left", "noop", "right"), start=5),
    "buttons": action_table.of_buttons(4),
    "several": action_table.of_several((3, 2, 4), (0, 1, -1)),
    "ranges": action_table.of_ranges(np.array([-2.0, 0.0, 1.0]), np.array([2.0, 1.0, 3.0])),
    "many ranges": action_table.of_ranges(np.full(9, -1.0), np.full(9, 1.0)),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_action_is_the_nearest_to_its_own_values(table):
    ids = table.nearest(np.asarray(table.values))
    np.testing.assert_array_equal(ids, np.arange(table.spec.count))


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_action_can_be_parsed_and_held(table):
    for index, name in enumerate(table.spec.names):
        assert table.spec.parse(name) == index
        buttons = () if name == table.spec.idle else name.split("+")
        assert table.spec.held(buttons) == index


def test_combinations_are_all_there():
    assert set(TABLES["buttons"].values) == set(itertools.product((0.0, 1.0), repeat=4))
    assert TABLES["several"].spec.count == 3 * 2 * 4


def test_continuous_values_have_a_low_end_a_rest_and_a_high_end():
    table = action_table.of_ranges(np.array([-2.0]), np.array([2.0]))
    assert table.to_json() == {"noop": [0.0], "left": [-2.0], "right": [2.0]}
    # Zero is the rest of 0…1, and its low end; 1…3 has no zero.
    table = TABLES["ranges"].to_json()
    assert table["left+up+low2"] == [-2.0, 1.0, 1.0]
    assert table["noop"] == [0.0, 0.0, 2.0]
    assert not any("down" in name for name in table)
    assert len(table) == 3 * 2 * 3


def test_infinite_ends_are_taken_for_one():
    table = action_table.of_ranges(np.array([-np.inf]), np.array([np.inf]))
    assert table.to_json() == {"noop": [0.0], "left": [-1.0], "right": [1.0]}


def test_one_component_acts_at_a_time_where_combinations_are_too_many():
    table = TABLES["many ranges"]
    assert table.spec.count == 1 + 2 * 9
    assert all(np.count_nonzero(row) <= 1 for row in table.values)


def test_values_in_between_go_to_the_nearest_by_the_range_of_each():
    table = action_table.of_ranges(np.array([-1.0, -100.0]), np.array([1.0, 100.0]))
    ids = table.nearest(np.array([[0.4, 60.0], [0.9, -40.0], [np.nan, 0.0]]))
    assert [table.spec.names[index] for index in ids[:2]] == ["up", "right"]
    assert ids[2] == -1


@pytest.mark.parametrize(
    ("text", "table", "idle"),
    [
        ("left,right", {"left": [0.0], "right": [1.0]}, "left"),
        ("noop=0:0, up+fire=-1:0.5", {"noop": [0.0, 0.0], "up+fire": [-1.0, 0.5]}, "noop"),
        ("forward=2,stay=4", {"forward": [2.0], "stay": [4.0]}, "stay"),
    ],
)
def test_a_table_is_read_from_a_text(text, table, idle):
    parsed = action_table.parsed(text)
    assert parsed.to_json() == table
    assert parsed.spec.idle == idle


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no name for an action"),
        ("Left", "small letters"),
        ("left,left", "must differ"),
        ("left=a", "NAME=VALUE"),
        ("left=0,right=0:1", "same number of values"),
        (",".join(f"a{index}" for index in range(MOST_ACTIONS + 1)), "1 to 64 actions"),
    ],
)
def test_an_impossible_table_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(DatasetError, match=sentence):
        action_table.parsed(text)


@pytest.mark.parametrize("name", ["Turn Left!", "42", "", "MOVE_UP", "+a+", "ü"])
def test_any_text_becomes_a_name(name):
    assert action_table.parsed(action_table.plain(name)).spec.count == 1
