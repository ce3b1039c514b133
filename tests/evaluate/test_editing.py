"""Edits are measured: a world whose latents are its structure keeps them all, one that forgets them none."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.editing import KINDS, edit_figures
from oyster_jax.evaluate.sections import edits
from oyster_jax.evaluate.suite import Suite
from oyster_jax.models.structure import Cells
from tests.evaluate import recalling

PARAMS = recalling.params()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Written(recalling.Recalling):
    """Keeps what it is told, in the readout: tokens by what is known of them."""

    forgets: bool = False

    def encode(self, params, frames, actions, key):
        state = super().encode(params, frames, actions, key)
        return state.replace(memory=self._cells(params, state))

    def known(self, params, state):
        return state.memory

    def edited(self, params, state, known, touched):
        wanted = jax.tree.map(
            lambda new, old: jnp.where(touched.reshape(-1, *(1,) * (new.ndim - 1)), new, old) if new.ndim == 2 else new,
            known, state.memory,
        )  # fmt: skip
        return state.replace(memory=wanted)

    def advance(self, params, state, action, moved=None):
        return state.replace(memory=self._cells(params, state)) if self.forgets else state

    def _cells(self, params, state):
        grid = recalling.STRUCTURE
        told = self.told(params, state)
        kinds = (
            jnp.zeros((grid.tokens, grid.kinds))
            .at[: told["tiles"].size]
            .set(jax.nn.one_hot(told["tiles"].reshape(-1), grid.kinds))
        )
        # Half of the moments have two of everything, so that there is another number to set.
        value = state.latent[0, 0].astype(jnp.int32) % 2 * 2
        levels = jnp.zeros((grid.tokens, grid.levels)).at[:, value].set(1.0)
        return Cells(
            kinds=kinds, types=told["types"], attributes=jnp.zeros((grid.tokens, len(grid.scales))), levels=levels,
            free=jnp.zeros(len(grid.free)),
        )  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return recalling.write(tmp_path_factory.mktemp("recalled") / "data")


def world(**changes):
    model = recalling.model()
    parts = {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}
    return Written(**parts | changes)


def test_a_world_that_keeps_edits(dataset):
    found = edit_figures(world(), PARAMS, dataset, moments=60, context=4)
    # Nothing but the agent is there to be removed.
    assert set(found) == {"add", "tile", "set", "all"} < {*KINDS, "all"}
    for figures in found.values():
        assert (figures.at_once, figures.later, figures.others) == (1.0, 1.0, 0.0)
        assert figures.moments > 0


def test_a_world_that_forgets_them(dataset):
    found = edit_figures(world(forgets=True), PARAMS, dataset, moments=60, context=4)
    assert found["all"].at_once == 1.0
    assert found["all"].later == 0.0


def test_section(dataset):
    suite = Suite(model=world(), params=PARAMS, name="written", recording=lambda: dataset, context=4, quick=True)
    section = edits.run(suite)
    assert section.figures["all"]["later"] == 1.0
    plain = dataclasses.replace(world().tokenizer, structure=None)
    suite = Suite(model=world(tokenizer=plain), params=PARAMS, name="written", recording=lambda: dataset)
    with pytest.raises(DatasetError, match="cannot be edited"):
        edits.run(suite)


def test_figures_are_shares(dataset):
    found = edit_figures(world(), PARAMS, dataset, moments=24, context=4, seed=3)
    assert all(0 <= value <= 1 for one in found.values() for value in (one.at_once, one.later, one.others))
    assert np.isfinite(found["all"].others)
