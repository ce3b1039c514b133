import pytest

from oyster_jax.evaluate.speed import SpeedConfig, measure_speed
from tests.evaluate import toy


def test_everything_that_the_report_says_of_speed_is_measured():
    told = []
    config = SpeedConfig(ticks=700, rounds=2, batches=(1, 3), batch_ticks=2, batch_rounds=2)
    conditions = {"world": "toy"}
    found = measure_speed(toy.Exact(), {}, config, conditions=conditions, progress=lambda *done: told.append(done))
    figures = {figure.name: figure for figure in found}
    assert len(figures) == len(found)
    assert {
        "interactive.tick.p50", "interactive.tick.p99", "interactive.rate", "interactive.flatness",
        "interactive.trend", "interactive.flatness.paired", "batch.1.rate", "batch.3.rate", "state.bytes",
        "memory.growth", "memory.resident",
    } <= figures.keys()  # fmt: skip
    assert all(figure.conditions["world"] == "toy" for figure in found)
    assert figures["interactive.tick.p50"].conditions["ticks"] == 700
    assert figures["interactive.flatness.paired"].conditions["late"] == 700
    assert told[-1] == (700, 700)


def test_what_is_not_asked_for_is_left_out():
    config = SpeedConfig(ticks=50, rounds=0, batches=())
    names = [figure.name for figure in measure_speed(toy.Exact(), {}, config)]
    assert "interactive.rate" in names
    assert not any(name.startswith(("batch.", "interactive.flatness")) for name in names)


def test_the_quick_size_is_smaller():
    assert SpeedConfig.quick(seed=3).seed == 3
    assert SpeedConfig.quick().ticks < SpeedConfig().ticks


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"ticks": 20}, "longer than its 20 ticks"),
        ({"batches": (0,)}, "at least one world"),
        ({"batch_ticks": 0}, "batch_ticks must be at least one"),
        ({"starts": -1}, "starts cannot be fewer than none"),
    ],
)
def test_impossible_sizes_are_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        SpeedConfig(**fields)
