"""Denoising is measured: of nothing but noise the expected latent, of a little noise the true one, if it listens."""

import dataclasses

import jax
import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.denoising import denoising_errors, levels
from oyster_jax.evaluate.windows import choose_windows
from oyster_jax.models.world_model import WorldNetwork
from tests.evaluate import recalling

CONTEXT, COUNT = 4, 12


def world(**changes) -> WorldNetwork:
    recalled = recalling.model()
    small = {"features": 16, "heads": 2, "groups": 1, "head_depth": 1, "memory_heads": 0}
    return WorldNetwork(
        spec=recalled.spec,
        tokenizer=dataclasses.replace(
            recalled.tokenizer, features=16, heads=2, encoder_depth=1, renderer_depth=1, structure=None
        ),
        dynamics=dataclasses.replace(recalled.dynamics, **small, **changes),
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return recalling.write(tmp_path_factory.mktemp("recalled") / "data")


def errors(dataset, **changes) -> np.ndarray:
    model = world(**changes)
    windows = choose_windows(dataset.lengths, CONTEXT + 1, COUNT, 0)
    return denoising_errors(model, model.init(jax.random.key(0)), dataset, windows, context=CONTEXT)


def test_a_head_that_knows_nothing_yet_expects_nothing_whatever_it_is_given(dataset):
    found = errors(dataset)
    assert found.shape == (COUNT, 8)
    # What it says is zero, so that its error is the latent's own square at all levels.
    np.testing.assert_allclose(found, found[:, :1].repeat(8, axis=1), rtol=1e-5)
    assert (found > 0).all()


def test_one_that_weighs_what_it_is_given_does_better_the_more_shows_through(dataset):
    plain, found = errors(dataset), errors(dataset, posterior=True)
    np.testing.assert_allclose(found[:, 0], plain[:, 0], rtol=1e-5)
    assert (np.diff(found.mean(axis=0)) < 0).all()
    # Never worse than what the noisy latent says by itself.
    alone = [((1 - level) / level) ** 2 for level in levels(world())[1:]]
    assert (found.mean(axis=0)[1:] < alone).all()


def test_the_same_seed_gives_the_same_noise(dataset):
    model = world(posterior=True)
    params = model.init(jax.random.key(0))
    windows = choose_windows(dataset.lengths, CONTEXT + 1, COUNT, 0)
    first, again, other = (
        denoising_errors(model, params, dataset, windows, context=CONTEXT, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first[:, 1:], other[:, 1:])


def test_a_recording_of_something_else_is_refused(dataset):
    model = world()
    action = dataclasses.replace(model.spec.action, idle="do")
    other = dataclasses.replace(model, spec=dataclasses.replace(model.spec, action=action))
    windows = choose_windows(dataset.lengths, CONTEXT + 1, COUNT, 0)
    with pytest.raises(DatasetError):
        denoising_errors(other, model.init(jax.random.key(0)), dataset, windows, context=CONTEXT)
