import dataclasses
import json
import shutil
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray

from oyster_jax.core.rollout import rollout
from oyster_jax.data.manifest import MANIFEST
from oyster_jax.generate import generation, writer
from oyster_jax.generate.errors import GenerateError
from oyster_jax.generate.generation import GenerateConfig
from oyster_jax.generate.journal import finished
from oyster_jax.generate.starts import recorded_moments
from oyster_jax.generate.states import start_state
from oyster_jax.generate.writer import WAITING, Writer
from tests.cli import tiny
from tests.data import synthetic
from tests.generate.conftest import BLOCK, EPISODES, MODEL, SPAN, TICKS, contents
from tests.tools.modules import tool


class StoppedError(Exception):
    pass


def stop_after(calls):
    """What is told of progress, and stops the generation at a call of it."""
    left = iter(range(calls))

    def progress(done, before):
        del done, before
        if next(left, None) is None:
            raise StoppedError

    return progress


def test_kills_and_other_devices_change_no_byte(tmp_path):
    """As `tools/torture generate`, but shorter."""
    world = tiny.store(tmp_path / "world")
    outcome = tool("torture_generate").kill(world, tmp_path, times=1, seed=1, tell=lambda _: None)
    assert outcome.fine, f"{outcome.sentence}\n{(tmp_path / 'noise').read_text()}"
    assert outcome.files > 100


@pytest.mark.parametrize("calls", [1, 2, 3, 5, 8])
def test_stopped_and_gone_on_with_is_as_never_stopped(run, whole, tmp_path, calls):
    with pytest.raises(StoppedError):
        run(tmp_path, progress=stop_after(calls))
    kept, told = len(finished(tmp_path)), []
    run(tmp_path, progress=lambda done, before: told.append((done, before)))
    assert contents(tmp_path) == contents(whole.folder)
    done, before = zip(*told, strict=True)
    assert done[-1] == EPISODES * TICKS
    # What was done is not done again: it counts as there from the beginning.
    assert done[0] == before[0] == kept * BLOCK * TICKS


@pytest.mark.parametrize("damage", ["torn line", "lost file", "cut file", "left over"])
def test_a_damaged_beginning_is_mended(run, whole, tmp_path, damage):
    with pytest.raises(StoppedError):
        run(tmp_path, progress=stop_after(9))
    journal, file = tmp_path / ".progress-0.jsonl", tmp_path / "frames/c/0/0/0/0/0"
    match damage:
        case "torn line":
            journal.write_bytes(journal.read_bytes()[:-20])
        case "lost file":
            file.unlink()
        case "cut file":
            file.write_bytes(file.read_bytes()[:-1])
        case _:
            (tmp_path / "frames/c/1/0/0/0/0.__lock").write_bytes(b"half")
            (tmp_path / ".zarr.json.77").write_text("{")
    run(tmp_path)
    assert contents(tmp_path) == contents(whole.folder)


def test_what_is_complete_is_not_computed_again(run, whole, monkeypatch):
    before = contents(whole.folder)
    monkeypatch.setattr(generation, "Blocks", None)
    assert len(run(whole.folder)) == EPISODES
    assert contents(whole.folder) == before


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 4}, "seed 3 → 4"),
        ({"ticks": 41}, "ticks 40 → 41"),
        ({"policy": "random"}, "policy"),
        ({"latents": True}, "kept"),
        ({"tensor": 2}, "tensor"),
    ],
)
def test_another_request_is_refused(run, whole, changes, named):
    with pytest.raises(GenerateError, match=f"begun with another request.*{named}"):
        run(whole.folder, **changes)


def test_what_is_somebody_elses_is_left_alone(run, tmp_path):
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(GenerateError, match="not empty"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
    with pytest.raises(GenerateError, match="is a file"):
        run(tmp_path / "notes")


def test_two_processes_do_not_write_the_same(run, tmp_path):
    entered, leave = threading.Event(), threading.Event()

    def wait(done, before):
        del done, before
        entered.set()
        leave.wait()

    first = threading.Thread(target=run, args=(tmp_path,), kwargs={"progress": wait})
    first.start()
    entered.wait()
    with pytest.raises(GenerateError, match="another process"):
        run(tmp_path)
    leave.set()
    first.join()
    assert len(run(tmp_path)) == EPISODES


def test_a_disk_that_refuses_is_told_and_gone_on_with(run, whole, tmp_path, monkeypatch):
    begin = writer.write_file

    def refuse(store, place, array):
        if (place[0] if isinstance(place, tuple) else place).start >= BLOCK:
            raise OSError(28, "No space left on device")
        return begin(store, place, array)

    monkeypatch.setattr(writer, "write_file", refuse)
    with pytest.raises(GenerateError, match=r"No space left.*goes on"):
        run(tmp_path)
    monkeypatch.undo()
    run(tmp_path)
    assert contents(tmp_path) == contents(whole.folder)


def test_what_waits_for_a_slow_disk_is_bounded(run, tmp_path, monkeypatch):
    waiting, most = 0, 0
    put, write, lock = Writer.put, Writer._write, threading.Lock()

    def count(by):
        nonlocal waiting, most
        with lock:
            waiting += by
            most = max(most, waiting)

    def counted_put(self, *arguments, **options):
        count(1)
        put(self, *arguments, **options)

    def slow_write(self, *arguments):
        threading.Event().wait(0.02)
        write(self, *arguments)
        count(-1)

    monkeypatch.setattr(Writer, "put", counted_put)
    monkeypatch.setattr(Writer, "_write", slow_write)
    run(tmp_path)
    # One is written, some wait, and whoever brings another one waits with it.
    assert most == WAITING + 2


def test_an_xarray_has_every_axis_named(whole):
    opened = xarray.open_zarr(whole.folder)
    assert dict(opened.sizes) == {
        "episode": EPISODES, "tick": TICKS, "height": 16, "width": 16, "channel": 3, "place": 16, "field": 5,
        "axis": 2, "word": 2, "byte": opened.starts.shape[1],
    }  # fmt: skip
    assert opened.frames.dims == ("episode", "tick", "height", "width", "channel")
    np.testing.assert_array_equal(opened.episode, np.arange(EPISODES))
    assert all("units" in opened[name].attrs for name in opened.data_vars)
    assert opened.attrs["request"]["seed"] == 3
    np.testing.assert_array_equal(opened.frames[7, 3:9], whole[7].frames[3:9])
    np.testing.assert_array_equal(opened.lengths, whole.lengths)


def test_episodes_can_be_lived_again_from_their_starts(whole, params):
    for index, episode in enumerate(whole):
        start = start_state(whole.folder, index, MODEL, params)
        _, frames = rollout(MODEL, params, start, jnp.asarray(episode.actions[:3]))
        # Alone and in a block, last bits differ; after some more ticks a world of random numbers makes much of that.
        np.testing.assert_allclose(episode.frames[1:4].astype(int), np.asarray(frames).astype(int), atol=1)
    with pytest.raises(GenerateError, match="does not hold the start of episode 99"):
        start_state(whole.folder, 99, MODEL, params)


def test_episodes_begin_at_recorded_moments(run, params, tmp_path):
    recording = tiny.record(tmp_path / "noise")
    moments = recorded_moments(generation.EpisodeDataset(recording), MODEL.spec, moments=3, context=4)
    assert moments.frames.shape[:2] == (3, 4)
    dataset = run(tmp_path / "out", starts=moments, episodes=6, ticks=3)
    for index in (1, 4):
        key = jax.random.key(0)
        state = MODEL.encode(params, moments.frames[1], moments.actions[1], key)
        np.testing.assert_array_equal(dataset[index].frames[0], MODEL.render(params, state))
    assert (dataset[0].frames[0] != dataset[1].frames[0]).any()
    with pytest.raises(GenerateError, match="another request"):
        run(tmp_path / "out", episodes=6, ticks=3)


def test_a_recording_of_another_world_is_no_start(tmp_path):
    dataset = synthetic.write(tmp_path, [30])
    with pytest.raises(GenerateError, match="does not fit the world 'tiny'"):
        recorded_moments(dataset, MODEL.spec)


@pytest.mark.parametrize("changes", [{"episodes": 0}, {"ticks": 0}, {"block": 0}, {"seed": -1}, {"seed": 2**31}])
def test_numbers_out_of_range_are_refused(changes):
    with pytest.raises(GenerateError, match=next(iter(changes))):
        GenerateConfig(**{"episodes": 1, "ticks": 1} | changes)


def test_the_manifest_tells_where_episodes_come_from(whole):
    said = whole.manifest.provenance
    assert (said.source, said.policy, said.seed, said.licence) == ("oyster:tiny", "sticky", 3, "Apache-2.0")
    assert said.extra["generated"]["world"] == {"world": "tiny"}
    assert said.extra["generated"]["span"] == SPAN
    assert json.loads((whole.folder / MANIFEST).read_text())["frames"] == EPISODES * TICKS


def test_a_copy_of_a_generation_is_one(run, whole, tmp_path):
    shutil.copytree(whole.folder, tmp_path / "copy")
    assert dataclasses.asdict(run(tmp_path / "copy").manifest) == dataclasses.asdict(whole.manifest)
