"""Events and counting: worlds that recall the truth are right throughout, those that do not heed are not."""

import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.arithmetic import count_figures, kind_of
from oyster_jax.evaluate.happening import event_figures
from oyster_jax.evaluate.sections import events
from oyster_jax.evaluate.suite import Suite
from tests.evaluate import recalling

PARAMS = recalling.params()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return recalling.write(tmp_path_factory.mktemp("recalled") / "data")


def tried(dataset, params=PARAMS, **changes):
    return event_figures(recalling.model(**changes), params, dataset, moments=8, context=4)


def test_a_world_that_heeds_has_events_come_about_and_nothing_else(dataset):
    found = tried(dataset)
    assert set(found) == {*recalling.HAPPENS, "all"}
    for figures in found.values():
        assert (figures.success, figures.real, figures.untold, figures.collateral) == (1.0, 1.0, 0.0, 0.0)
    assert found["all"].moments == len(recalling.HAPPENS)


def test_a_world_that_does_not_heed_has_none(dataset):
    found = tried(dataset, heeds=False)
    assert found["all"].success == found["all"].untold == 0.0
    assert found["all"].real == 1.0


def test_what_else_changes_is_counted(dataset):
    tiles = np.array(PARAMS["tiles"])
    first = recalling.HAPPENS.index("wood_given") * recalling.TICKS
    tiles[first + recalling.AT + 1 : first + recalling.TICKS, 0, :5] = recalling.STONE
    found = tried(dataset, PARAMS | {"tiles": tiles})
    assert found["wood_given"].collateral == pytest.approx(4 / 63)
    assert found["hurt"].collateral == 0.0


def test_section(dataset):
    suite = Suite(
        model=recalling.model(), params=PARAMS, name="recalling", recording=lambda: dataset, eventful=lambda: dataset,
        context=4,
    )  # fmt: skip
    section = events.run(suite)
    assert section.figures["all"]["success"] == 1.0
    assert all(len(row) == len(table.columns) for table in section.tables for row in table.rows)


def test_only_held_out_recordings_with_events_count(dataset, tmp_path):
    with pytest.raises(DatasetError, match="training levels"):
        tried(recalling.write(tmp_path / "training", "training"))
    suite = Suite(model=recalling.model(), params=PARAMS, name="recalling", recording=lambda: dataset)
    with pytest.raises(DatasetError, match="no recording of 'recalling'"):
        events.run(suite)
    with pytest.raises(DatasetError, match="record more"):
        event_figures(recalling.model(), PARAMS, dataset, moments=8, context=12)


def test_counting(dataset):
    found = count_figures(recalling.model(), PARAMS, dataset, moments=8, context=4)
    assert found["collecting"].moments > 1
    # Of a tick at which something is made to happen the world was not told.
    assert found["damage"].right == 0.0
    assert found["collecting"].right == pytest.approx(4 / 5)
    still = count_figures(recalling.model(moves=False), PARAMS, dataset, moments=8, context=4)
    assert {figures.right for figures in still.values()} == {0.0}
    assert {figures.others for figures in still.values()} == {1.0}


def test_changes_have_kinds():
    assert kind_of("iron_pickaxe", True) == "making tools"
    assert kind_of("wood", True) == "collecting"
    assert kind_of("wood", False) == "placing and using up"
    assert kind_of("health", False) == "damage"
