import pytest

from oyster_jax.evaluate.horizons import check_ascending


@pytest.mark.parametrize("ticks", [(), (0, 1), (-1,), (4, 1), (1, 1)])
def test_ticks_that_do_not_ascend_from_one_are_refused(ticks):
    with pytest.raises(ValueError, match="Absences are positive and ascend") as refused:
        check_ascending("Absences", ticks)
    assert str(ticks) in str(refused.value)


@pytest.mark.parametrize("ticks", [(1,), (1, 2, 4), (8, 256)])
def test_ascending_ticks_are_taken(ticks):
    check_ascending("Horizons", ticks)
