import av
import numpy as np
import pytest
from PIL import Image

from oyster_jax.cli.main import main
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.worlds.registry import load
from tests.cli import tiny
from tests.data import synthetic

SCRIPT = "right*4,right+jump*2,8"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.store(tmp_path_factory.mktemp("worlds") / "tiny")


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return tiny.record(tmp_path_factory.mktemp("data") / "noise")


@pytest.fixture
def run(folder):
    return lambda *arguments: main(["rollout", "--world", str(folder), *map(str, arguments)])


def decoded(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_arrays_are_what_the_library_gives(run, folder, tmp_path, capsys):
    out = tmp_path / "clip.npz"
    assert run("--seed", 3, "--actions", SCRIPT, "--out", out) == 0
    assert f"Wrote {out}: 7 ticks" in capsys.readouterr().out
    world = load(folder)
    state = world.reset(3)
    last, frames = world.rollout(state, SCRIPT)
    with np.load(out) as clip:
        np.testing.assert_array_equal(clip["actions"], [7, 7, 7, 7, 8, 8, 8])
        np.testing.assert_array_equal(clip["frames"], frames)
        np.testing.assert_array_equal(clip["before"], world.render(state)[None])
        assert clip["reward"].shape == clip["terminal"].shape == (7,)
        np.testing.assert_allclose(clip["reward"][-1], world.readouts(last)["reward"], rtol=1e-5)


def test_clips_play(run, tmp_path):
    for name in ("clip.mp4", "clip.webp"):
        assert run("--actions", SCRIPT, "--scale", 4, "--out", tmp_path / name) == 0
    assert decoded(tmp_path / "clip.mp4").shape == (7, 64, 64, 3)
    with Image.open(tmp_path / "clip.webp") as image:
        assert (image.n_frames, image.size) == (7, (64, 64))  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("policy", ["sticky", "random"])
def test_a_policy_acts_and_its_seed_repeats(run, policy, tmp_path):
    clips = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("--policy", policy, "--ticks", 20, "--seed", seed, "--out", tmp_path / f"{name}.npz") == 0
        with np.load(tmp_path / f"{name}.npz") as clip:
            clips.append((clip["actions"], clip["frames"]))
    assert clips[0][0].shape == (20,)
    np.testing.assert_array_equal(clips[0][0], clips[1][0])
    np.testing.assert_array_equal(clips[0][1], clips[1][1])
    assert not np.array_equal(clips[0][0], clips[2][0])


def test_a_recording_is_continued_and_compared(run, folder, recording, tmp_path, capsys):
    options = ("--prompt-dir", recording, "--episode", 1, "--start", 5, "--context", 3, "--ticks", 6, "--compare")
    assert run(*options, "--out", tmp_path / "clip.npz") == 0
    assert "PSNR over 6 ticks" in capsys.readouterr().out
    episode, world = EpisodeDataset(recording)[1], load(folder)
    assert episode.frames is not None
    state = world.encode(episode.frames[5:8], episode.actions[5:7])
    _, frames = world.rollout(state, episode.actions[7:13])
    with np.load(tmp_path / "clip.npz") as clip:
        np.testing.assert_array_equal(clip["before"], episode.frames[5:8])
        np.testing.assert_array_equal(clip["actions"], episode.actions[7:13])
        np.testing.assert_array_equal(clip["truth"], episode.frames[8:14])
        np.testing.assert_array_equal(clip["frames"], frames)


def test_the_comparison_shows_truth_left_and_model_right(run, recording, tmp_path):
    options = ("--prompt-dir", recording, "--ticks", 3, "--compare", "--scale", 8)
    assert run(*options, "--out", tmp_path / "clip.webp") == 0
    assert run(*options, "--out", tmp_path / "clip.npz") == 0
    with Image.open(tmp_path / "clip.webp") as image:
        pair = np.asarray(image.convert("RGB"))
    with np.load(tmp_path / "clip.npz") as clip:
        truth, model = clip["truth"][0], clip["frames"][0]
    assert pair.shape[0] % 2 == pair.shape[1] % 2 == 0
    np.testing.assert_array_equal(pair[-128::8, :128:8], truth)
    np.testing.assert_array_equal(pair[-128::8, -128::8], model)
    assert pair[:-128].any()  # the names


def test_the_whole_recording_is_continued_unless_told(run, recording, tmp_path):
    assert run("--prompt-dir", recording, "--episode", 0, "--out", tmp_path / "clip.npz") == 0
    with np.load(tmp_path / "clip.npz") as clip:
        assert len(clip["frames"]) == 45 - 8
        assert "truth" not in clip


def test_of_episodes_the_first_that_is_long_enough_is_continued(run, recording, tmp_path):
    first, second = EpisodeDataset(recording).lengths
    assert first == 45 < second
    for ticks, index in ((20, 0), (100, 1)):
        assert run("--prompt-dir", recording, "--ticks", ticks, "--out", tmp_path / "clip.npz") == 0
        with np.load(tmp_path / "clip.npz") as clip:
            actions = EpisodeDataset(recording)[index].actions[7:-1]
            np.testing.assert_array_equal(clip["actions"], actions[:ticks])


def test_given_actions_may_follow_a_recording(run, recording, tmp_path):
    assert run("--prompt-dir", recording, "--actions", SCRIPT, "--out", tmp_path / "clip.npz") == 0
    with np.load(tmp_path / "clip.npz") as clip:
        np.testing.assert_array_equal(clip["actions"], [7, 7, 7, 7, 8, 8, 8])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--actions", "fly*3"], "no action 'fly'"),
        (["--actions", ""], "empty"),
        (["--actions", "15"], "0 to 14"),
        (["--actions", "right*99999999999"], "more than 10,000,000 actions"),
        (["--actions", "right", "--policy", "random"], "--policy"),
        (["--out", "clip.gif"], ".webp"),
        (["--steps", "3"], "divide"),
        (["--ticks", "0"], "--ticks"),
        (["--compare"], "--prompt-dir"),
        (["--prompt-dir", "DATA", "--compare", "--actions", "right"], "--compare"),
        (["--prompt-dir", "DATA", "--episode", "2"], "episodes 0 to 1"),
        (["--prompt-dir", "DATA", "--episode", "0", "--start", "40"], "45 ticks"),
        (["--prompt-dir", "nowhere"], "nowhere"),
        (["--world", "nowhere"], "no world 'nowhere'"),
    ],
)
def test_mistakes_end_in_one_sentence(run, recording, arguments, named, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*(str(recording) if argument == "DATA" else argument for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_recording_of_another_world_is_refused(run, tmp_path, capsys):
    synthetic.write(tmp_path / "numbers", [30])
    assert run("--prompt-dir", tmp_path / "numbers") == 2
    assert "does not fit the world 'tiny'" in capsys.readouterr().err
