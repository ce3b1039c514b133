import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray

from oyster_jax.generate import study as machinery
from oyster_jax.generate.errors import GenerateError
from oyster_jax.generate.interventions import move_patch, nothing, perturb_latent, repaint, take, with_sampler
from oyster_jax.generate.measures import Measure
from oyster_jax.worlds.study import Study, effect
from tests.data import synthetic

TICKS, SEEDS = 6, 5


def brightness(rows, first):
    del first
    return jnp.mean(rows["frames"].astype(jnp.float32), axis=(1, 2, 3))


@pytest.fixture(scope="module")
def study(world):
    spec = world.spec.action
    return Study(
        ticks=TICKS,
        worlds={"tiny": world},
        policies=["random", "right*9"],
        interventions={
            "nothing": nothing(),
            "jump": take("jump*2", spec, at=2),
            "noise": perturb_latent(0.5, at=3),
            "paint": repaint(lambda frame: frame // 2, at=1),
            "steps": with_sampler(steps=1),
        },
        measures={
            "return": "return", "survival": "survival", "ended": "ended", "displacement": "displacement",
            "trajectory": "trajectory", "entities": "entities", "actions": "actions", "divergence": "divergence",
            "brightness": Measure(function=brightness, dimensions=("tick",), units="0 to 255"),
            "lived": lambda rows, first: jnp.sum((rows["actions"] >= 0).astype(jnp.int32)),
        },
        seeds=SEEDS,
        starts=2,
        block=4,
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "study"
    return study.run(folder).load(), folder


def test_every_axis_is_labelled(found):
    data, folder = found
    assert data.sizes == {
        "world": 1, "start": 2, "policy": 2, "intervention": 5, "seed": SEEDS, "tick": TICKS, "axis": 2, "place": 16,
        "field": 5,
    }  # fmt: skip
    assert data.policy.values.tolist() == ["random", "right*9"]
    assert data.intervention.values.tolist() == ["nothing", "jump", "noise", "paint", "steps"]
    assert data.world.values.tolist() == ["tiny"]
    assert data.field.values.tolist() == ["type", "x", "y", "vx", "vy"]
    assert data.trajectory.dims == ("world", "start", "policy", "intervention", "seed", "tick", "axis")
    assert all(data[name].attrs["units"] for name in data.data_vars)
    assert data.attrs["request"]["digests"]["tiny"]["world"] == "tiny"
    xarray.testing.assert_equal(xarray.open_zarr(folder).load(), data)


def test_rollouts_share_their_noise_until_the_intervention(found):
    data, _ = found
    apart = data.divergence.fillna(0)
    assert not apart.sel(intervention="nothing").any()
    # An action shows one tick after it was taken, an edit at once.
    for name, first in (("jump", 3), ("noise", 3), ("paint", 1)):
        assert not apart.sel(intervention=name).isel(tick=slice(0, first)).any(), name
    lived = data.divergence.isel(tick=slice(3, None)).notnull()
    assert lived.any()
    seen = data.divergence.sel(intervention="noise").isel(tick=3)
    assert (seen.values[np.isfinite(seen.values)] > 0.1).all()


def test_actions_are_those_of_policy_and_intervention(found):
    data, _ = found
    actions = data.actions.sel(policy="right*9")
    lived = actions >= 0
    assert (actions.sel(intervention="nothing").values[lived.sel(intervention="nothing").values] == 7).all()
    jumped = actions.sel(intervention="jump")
    wanted = np.array([7, 7, 5, 5, 7, 7])
    np.testing.assert_array_equal(np.where(jumped >= 0, jumped, wanted), np.broadcast_to(wanted, jumped.shape))
    drawn = data.actions.sel(policy="random", intervention="nothing").isel(tick=0, start=0, world=0)
    assert len(np.unique(drawn)) > 1


def test_measures_agree_with_each_other(found):
    data, _ = found
    np.testing.assert_array_equal(data.lived, (data.actions >= 0).sum("tick"))
    np.testing.assert_array_equal(data.lived, data.survival)
    assert (data.survival.where(~data.ended) == TICKS).sum() == (~data.ended).sum()
    halved = data.brightness.sel(intervention="paint").isel(tick=1) / data.brightness.sel(intervention="nothing").isel(
        tick=1
    )
    seen = data.actions.sel(intervention="nothing").isel(tick=1) >= 0
    np.testing.assert_allclose(halved.values[seen.values], 0.5, atol=0.02)


def test_interrupted_and_gone_on_with_nothing_is_measured_twice(study, found, tmp_path, monkeypatch):
    data, _ = found
    calls, stop = [], [3]
    run = machinery._Program.__call__

    def counted(self, places):
        if len(calls) == stop[0]:
            raise InterruptedError
        calls.append(tuple(places))
        return run(self, places)

    monkeypatch.setattr(machinery._Program, "__call__", counted)
    with pytest.raises(InterruptedError):
        study.run(tmp_path)
    stop[0] = 99
    told = []
    again = study.run(tmp_path, progress=lambda done, total: told.append((done, total)))
    xarray.testing.assert_identical(again.load(), data)
    # Two starts, two policies, two chunks of seeds.
    assert len(calls) == 8
    assert told[-1] == (100, 100)
    study.run(tmp_path)
    assert len(calls) == 8


def test_another_study_is_refused(study, found):
    _, folder = found
    for changes in ({"ticks": 7}, {"seeds": 6}, {"policies": ["sticky", "right*9"]}, {"measures": ("return",)}):
        with pytest.raises(GenerateError, match="another request"):
            dataclasses.replace(study, **changes).run(folder)


def test_an_effect_comes_with_its_interval(found):
    data, _ = found
    none = effect(data.survival, "nothing")
    assert none.effect.dims == ("world", "policy")
    assert not none.effect.any()
    assert not none.high.any()
    darker = effect(data.brightness, "paint")
    assert darker.effect.dims == ("world", "policy", "tick")
    at = darker.sel(policy="right*9").isel(world=0, tick=1)
    assert float(at.high) < 0
    assert float(at.low) <= float(at.effect) <= float(at.high)
    with pytest.raises(GenerateError, match="no intervention 'fly'"):
        effect(data.survival, "fly")


def test_an_effect_on_known_numbers():
    generator = np.random.default_rng(0)
    base = generator.normal(size=(20, 1, 8))
    values = np.concatenate([base, base + 3 + 0.1 * generator.normal(size=base.shape)], axis=1)
    data = xarray.DataArray(
        values, dims=("start", "intervention", "seed"), coords={"intervention": ["no", "yes"], "start": np.arange(20)}
    )
    said = effect(data, "yes")
    assert float(said.low) < 3 < float(said.high)
    assert float(said.high - said.low) < 0.1
    np.testing.assert_allclose(float(effect(data, "no", "yes").effect), -float(said.effect))


def test_a_patch_is_moved_and_the_world_sees_it(world):
    state = world.reset(3)
    frame = world.render(state)
    moved = move_patch((2, 3), (8, 9), (4, 4))
    assert moved.edit is not None
    later = moved.edit(world.model, world.params, state, jax.random.key(0), moved.arguments)
    shown = world.render(later)
    np.testing.assert_array_equal(shown[8:12, 9:13], frame[2:6, 3:7])
    np.testing.assert_array_equal(shown[2:6, 3:7], np.broadcast_to(frame[2:6, 2:3], (4, 4, 3)))
    assert (np.asarray(later.latent) != np.asarray(state.latent)).any()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"measures": ("speed",)}, "no measure 'speed'"),
        ({"measures": {"x": lambda rows, first: rows["rewards"]}}, "names \\[\\]"),
        ({"seeds": 0}, "needs seeds"),
        ({"starts": 0}, "begun must be at least one"),
        ({"policies": ["random", "random"]}, "have one name"),
        ({"interventions": {"late": perturb_latent(1.0, at=6)}}, "at tick 6"),
        ({"interventions": {"odd": with_sampler(pace=3)}}, "no such setting"),
    ],
)
def test_mistakes_are_told_in_sentences(world, tmp_path, changes, named):
    request = {"ticks": TICKS, "worlds": world, "seeds": 2} | changes
    with pytest.raises(ValueError, match=named):
        Study(**request).run(tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_starts_may_be_recorded(world, tmp_path):
    with pytest.raises(GenerateError, match="does not fit the world"):
        Study(ticks=2, worlds=world, prompts=synthetic.write(tmp_path, [30])).run(tmp_path / "s")
