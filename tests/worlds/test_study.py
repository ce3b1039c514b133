import dataclasses
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray

from oyster_jax.generate import journal
from oyster_jax.generate.errors import GenerateError
from oyster_jax.generate.interventions import move_patch, nothing, perturb_latent, repaint, take, with_sampler
from oyster_jax.generate.measures import Measure
from oyster_jax.generate.policies import Replay
from oyster_jax.generate.starts import Moments
from oyster_jax.worlds.study import Study, effect
from tests.data import synthetic
from tests.worlds import long_study

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
        beyond=True,
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
    assert (data.divergence.sel(intervention="noise").isel(tick=3) > 0.1).all()
    assert apart.sel(intervention="steps").isel(tick=0).sum() == 0
    assert (apart.sel(intervention="steps").isel(tick=1) > 0).all()


def test_actions_are_those_of_policy_and_intervention(found):
    data, _ = found
    actions = data.actions.sel(policy="right*9")
    assert (actions.sel(intervention="nothing") == 7).all()
    assert (actions.sel(intervention="jump") == np.array([7, 7, 5, 5, 7, 7])).all()
    drawn = data.actions.sel(policy="random", intervention="nothing").isel(tick=0, start=0, world=0)
    assert len(np.unique(drawn)) > 1


def test_measures_agree_with_each_other(found):
    data, _ = found
    np.testing.assert_array_equal(data.lived, (data.actions >= 0).sum("tick"))
    np.testing.assert_array_equal(data.lived, data.survival)
    assert (data.survival == TICKS).all()
    halved = data.brightness.sel(intervention="paint").isel(tick=1) / data.brightness.sel(intervention="nothing").isel(
        tick=1
    )
    np.testing.assert_allclose(halved, 0.5, atol=0.02)


def test_an_end_ends_a_rollout(world, tmp_path):
    measures = ("survival", "ended", "actions", "trajectory")
    data = Study(ticks=TICKS, worlds=world, measures=measures, seeds=8).run(tmp_path).squeeze().load()
    assert data.ended.any()
    assert (data.survival.where(data.ended, 1) < TICKS).all()
    assert ((data.actions >= 0) == (data.tick < data.survival)).all()
    assert (data.trajectory.isnull().isel(axis=0) == (data.actions < 0)).all()


def files_of(folder):
    """What tells a file from one that was written anew; not of the journal, which every run opens."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".jsonl"]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def test_killed_and_gone_on_with_nothing_is_measured_twice(world, stored_world, tmp_path):
    folder, study = tmp_path / "killed", long_study.long_study(world)
    with subprocess.Popen([sys.executable, str(long_study.__file__), str(stored_world), str(folder)]) as process:
        while len(journal.finished(folder)) < 3:
            assert process.poll() is None, "The study ended before it could be killed."
            time.sleep(0.005)
        process.kill()
    (folder / "survival" / "half.__lock").write_bytes(b"half")
    done, before, told = journal.finished(folder), files_of(folder), []
    # Of each start two files of 16 seeds and of one, under two interventions; two of them are played at once.
    counts = np.cumsum([32, 2] * long_study.STARTS).tolist()
    assert 3 <= len(done) < len(counts)
    again = study.run(folder, progress=lambda *count: told.append(count))
    assert told == [(counts[min(first + 2, 60) - 1], counts[-1]) for first in range(len(done), 60, 2)]
    after = files_of(folder)
    assert not list(folder.rglob("*.__lock"))
    kept = [folder / shard.name for shards in done.values() for shard in shards]
    assert all(after[path] == before[path] for path in kept)
    xarray.testing.assert_identical(again.load(), study.run(tmp_path / "whole").load())
    study.run(folder, progress=lambda *count: pytest.fail("A finished study was measured again."))
    assert files_of(folder) == after


def test_worlds_are_studied_beside_each_other(world, other_params, tmp_path):
    other = dataclasses.replace(world, params=other_params)
    worlds, measures = {"one": world, "other": other}, ("survival", "trajectory", "entities")
    study = Study(ticks=4, worlds=worlds, measures=measures, seeds=3, block=2, beyond=True)
    data = study.run(tmp_path / "both").load()
    assert data.world.values.tolist() == ["one", "other"]
    for name, alone in worlds.items():
        apart = dataclasses.replace(study, worlds={name: alone}).run(tmp_path / name).load()
        xarray.testing.assert_equal(apart, data.sel(world=[name]))
    assert (data.entities.sel(world="one") != data.entities.sel(world="other")).any()


def test_worlds_of_a_study_differ_in_name_and_measure_alike(world, tmp_path):
    with pytest.raises(GenerateError, match="Two worlds have one name"):
        Study(ticks=2, worlds=[world, world]).run(tmp_path / "s")
    model = dataclasses.replace(
        world.model,
        tokenizer=dataclasses.replace(world.model.tokenizer, channels=2),
        dynamics=dataclasses.replace(world.model.dynamics, channels=2),
    )
    larger = dataclasses.replace(world, model=model, params=model.init(jax.random.key(0)))
    latents = Measure(function=lambda rows, first: rows["latents"], dimensions=("tick", "token", "channel"))
    with pytest.raises(ValueError, match="in one of the worlds"):
        Study(ticks=2, worlds={"one": world, "larger": larger}, measures={"latents": latents}).run(tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_uncertainty_is_the_spread_over_seeds(world, tmp_path):
    measures = {
        "spread": "spread",
        "latent": Measure(function=lambda rows, first: rows["latents"], dimensions=("tick", "token", "channel")),
    }
    study = Study(ticks=4, worlds=world, policies="noop*9", measures=measures, seeds=6, block=4, beyond=True)
    data = study.run(tmp_path).isel(world=0, start=0, policy=0, intervention=0).load()
    assert data.spread.attrs["units"] == "1"
    for block in (slice(0, 4), slice(4, 6)):
        variance = data.latent.astype("float32").isel(seed=block).var("seed", ddof=1).mean(["token", "channel"])
        np.testing.assert_allclose((data.spread.isel(seed=block) ** 2).mean("seed"), variance, rtol=1e-3, atol=1e-6)
    # All see one start; what follows is each seed's own.
    assert not data.spread.isel(tick=0).any()
    assert (data.spread.isel(tick=1) > 0).all()


def test_a_policy_replays_what_belongs_to_a_start(world, tmp_path):
    replay = Replay(actions=jnp.array([[3, 4], [5, 6], [7, 8]], jnp.int32))
    measures = {
        "actions": "actions",
        "numbers": Measure(
            function=lambda rows, first: jnp.stack([rows["start"], rows["seed"]]), dimensions=("which",)
        ),
    }
    study = Study(ticks=2, worlds=world, policies=replay, measures=measures, starts=3, seeds=[4, 9], beyond=True)
    data = study.run(tmp_path).isel(world=0, policy=0, intervention=0).load()
    np.testing.assert_array_equal(data.actions, np.broadcast_to(replay.actions[:, None], (3, 2, 2)))
    np.testing.assert_array_equal(data.numbers.isel(which=0), [[0, 0], [1, 1], [2, 2]])
    np.testing.assert_array_equal(data.numbers.isel(which=1), [[4, 9]] * 3)
    assert data.which.values.tolist() == [0, 1]


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
        (
            {"measures": {"x": Measure(function=lambda rows, first: rows["camera"][0], dimensions=("tick",))}},
            "length 2",
        ),
        ({"seeds": 0}, "needs seeds"),
        ({"seeds": [1, 1]}, "different numbers"),
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


def test_starts_may_be_moments(world, tmp_path):
    frames = np.random.default_rng(0).integers(256, size=(3, 2, 16, 16, 3)).astype(np.uint8)
    moments = Moments(frames=jnp.asarray(frames), actions=jnp.full((3, 1), 4, jnp.int32))
    shown = Measure(function=lambda rows, first: rows["frames"][0], dimensions=("row", "column", "colour"))
    data = Study(ticks=1, worlds=world, prompts=moments, measures={"shown": shown}, seeds=1).run(tmp_path / "s")
    assert data.sizes["start"] == 3
    key = jax.random.key(5)
    state = world.model.encode(world.params, moments.frames[1], moments.actions[1], key)
    np.testing.assert_allclose(data.shown.squeeze().isel(start=1), world.render(state), atol=1)


def test_a_recording_of_another_game_is_refused(world, tmp_path):
    with pytest.raises(GenerateError, match="does not fit the world"):
        Study(ticks=2, worlds=world, prompts=synthetic.write(tmp_path, [30])).run(tmp_path / "s")
