import dataclasses
from typing import Any

import numpy as np
import pytest

from oyster_jax.evaluate.fidelity import HIGHEST_PSNR
from oyster_jax.evaluate.permanence import PermanenceConfig, measure_permanence, permanence_figures
from oyster_jax.evaluate.returns import DEPARTURE, HIDDEN, MODEL, RECALL, SEEN, TURN
from tests.evaluate.platformer import Exact, Platformer

CONFIG = PermanenceConfig(
    trials=2, context=4, environments=8, spacing=4, patience=240, absences=(4, 16), longer=4, chunk=4, shown=1
)


def figures_of(measurements) -> Any:
    return permanence_figures(measurements)


@pytest.fixture(scope="module")
def exact():
    return measure_permanence(Exact(), {}, Platformer(), CONFIG)


def test_an_exact_world_comes_back_to_the_same_place(exact):
    figures = figures_of(exact)
    assert list(figures.absences) == [4, 16]
    for absence, found in figures.absences.items():
        assert found.trials > 0
        assert absence + 1 <= found.ticks <= 2 * absence + 4
        assert found.seen[MODEL].value == HIGHEST_PSNR
        assert found.seen[TURN].value < 40
        assert found.place_error.value == pytest.approx(0, abs=1e-5)
        assert found.departure.precision.value == found.departure.recall.value == 1
        assert found.arrival.precision.value == found.arrival.recall.value == 1
        assert 0 < found.hidden_share < found.seen_share < 1
        assert found.hidden[MODEL].value == HIGHEST_PSNR
    assert figures.absences[16].hidden_share > figures.absences[4].hidden_share


def test_perfect_memory_shows_all_that_counts(exact):
    """Frames of the context laid where they belong are the truth, for what moved by itself is masked out."""
    for returns in exact.returns.values():
        for region in (SEEN, HIDDEN):
            assert returns.errors[region][RECALL].sum() == 0
    # Who walks away on even ground returns exactly, so that the frame at leaving is the truth as well.
    even = exact.returns[16]
    assert (even.errors[SEEN][DEPARTURE][even.kinds == 0] == 0).any()


def test_a_world_that_forgets_is_no_better_than_its_picture():
    config = dataclasses.replace(CONFIG, absences=(8,))
    forgets = measure_permanence(Exact(remembers=False, shift=2.0), {}, Platformer(), config)
    found = figures_of(forgets).absences[8]
    returns = forgets.returns[8]
    truth, frames = (array[0][returns.ticks[0]].astype(float) / 255 for array in (returns.truth, returns.frames))
    expected = np.square(truth - frames)[returns.masks[0]].sum()
    assert returns.errors[SEEN][MODEL][0] == pytest.approx(expected)
    assert found.seen[MODEL].value < 15
    # Its things lie two tiles from where they are.
    assert found.arrival.precision.value == found.arrival.recall.value == 0


def test_a_world_that_stays_says_so():
    config = dataclasses.replace(CONFIG, absences=(16,))
    stays = measure_permanence(Exact(heeds=False), {}, Platformer(), config)
    silent = measure_permanence(Exact(tells=False), {}, Platformer(), config)
    errors = stays.returns[16].place_errors
    assert errors is not None
    # Who would have walked comes back to where it stays; one that is left in the air falls.
    assert errors[stays.returns[16].kinds == 0].max() < 0.5
    found = figures_of(silent).absences[16]
    assert found.place_error is found.departure is found.arrival is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"absences": (8, 4)}, "Absences are positive and ascend"), ({"longer": -1}, "not shorter than the way away")],
)
def test_a_senseless_request_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        PermanenceConfig(**change)
