import pytest

from oyster_jax.cli.keyboard import Decoder, HeldKeys, Key, bindings
from oyster_jax.core.spec import ActionSpec
from oyster_jax.testing import ACTIONS


def names(data):
    return [key.name for key in Decoder().decode(data)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x1b[A\x1b[B\x1b[C\x1b[D", ["up", "down", "right", "left"]),
        (b"\x1bOA\x1bOC", ["up", "right"]),
        (b"aW ", ["a", "w", "space"]),
        (b"\x1b[1;2C", ["right"]),
        (b"\x1b[97u\x1b[32;1:2u", ["a", "space"]),
        (b"\x1b[99;5u", ["ctrl+c"]),
        (b"\x1b[3~q", ["q"]),
        (b"\x03", ["ctrl+c"]),
    ],
)
def test_bytes_become_keys(data, expected):
    assert names(data) == expected


def test_a_sequence_may_arrive_in_pieces():
    decoder = Decoder()
    assert decoder.decode(b"d\x1b") == [Key(name="d")]
    assert decoder.decode(b"[") == []
    assert decoder.decode(b"C") == [Key(name="right")]


def test_escape_alone_is_known_once_nothing_follows():
    decoder = Decoder()
    assert decoder.decode(b"\x1b") == []
    assert decoder.decode(b"") == [Key(name="escape")]


def test_releases_are_understood_where_the_terminal_tells_them():
    decoder = Decoder()
    assert not decoder.tells_releases
    assert decoder.decode(b"\x1b[?11u") == []
    assert decoder.tells_releases
    assert decoder.decode(b"\x1b[1;1:3C\x1b[119;1:3u") == [
        Key(name="right", kind="release"),
        Key(name="w", kind="release"),
    ]


def test_a_key_is_held_a_while_after_its_last_repeat():
    held, right = HeldKeys(), Key(name="right")
    held.take(right, 0.0, tells_releases=False)
    assert held.names(0.45) == {"right"}
    assert held.names(0.55) == set()
    for tick in range(10):
        held.take(right, 0.4 + 0.03 * tick, tells_releases=False)
    assert held.names(0.85) == {"right"}
    assert held.names(0.95) == set()


def test_a_second_key_keeps_the_first_but_not_its_opposite():
    held = HeldKeys()
    held.take(Key(name="right"), 0.0, tells_releases=False)
    held.take(Key(name="up"), 0.4, tells_releases=False)
    assert held.names(0.8) == {"right", "up"}
    held.take(Key(name="left"), 0.8, tells_releases=False)
    assert held.names(0.85) == {"left", "up"}


def test_a_told_release_is_the_end_of_a_key():
    held = HeldKeys()
    held.take(Key(name="right"), 0.0, tells_releases=True)
    assert held.names(60.0) == {"right"}
    held.take(Key(name="right", kind="release"), 60.0, tells_releases=True)
    assert held.names(60.0) == set()


def test_a_platformer_jumps_by_up_and_space():
    keys = bindings(ActionSpec(names=ACTIONS, idle="noop"), frozenset("qprn"))
    assert keys["up"] == keys["w"] == keys["space"] == "jump"
    assert (keys["a"], keys["d"], keys["down"], keys["e"]) == ("left", "right", "down", "e")
    assert "q" not in keys


def test_another_game_fires_by_space():
    keys = bindings(ActionSpec(names=("left", "noop", "up", "right", "fire"), idle="noop"), frozenset("q"))
    assert keys["up"] == keys["w"] == "up"
    assert keys["space"] == "fire"
    assert "down" not in keys
    assert "s" not in keys
