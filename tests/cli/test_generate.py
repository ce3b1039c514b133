import numpy as np
import pytest

from oyster_jax.cli.main import main
from oyster_jax.data.dataset import EpisodeDataset
from tests.cli import tiny

SIZE = ("--episodes", 5, "--ticks", 20, "--block", 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.store(tmp_path_factory.mktemp("worlds") / "tiny")


@pytest.fixture
def run(folder):
    return lambda *arguments: main(["generate", "--world", str(folder), *map(str, arguments)])


def test_episodes_are_generated_and_said(run, tmp_path, capsys):
    assert run("--out", tmp_path / "a", *SIZE, "--beyond") == 0
    assert "holds 100 ticks of 5 episodes" in capsys.readouterr().out
    dataset = EpisodeDataset(tmp_path / "a")
    assert dataset.manifest.provenance.policy == "sticky"
    assert (tmp_path / "a" / "starts").exists()
    # Once more, which changes nothing.
    assert run("--out", tmp_path / "a", *SIZE, "--beyond") == 0
    assert "holds 100 ticks" in capsys.readouterr().out


def test_a_script_acts_from_a_recording_on(run, tmp_path):
    recording = tiny.record(tmp_path / "noise")
    options = ("--policy", "right*2,jump", "--prompt-dir", recording, "--context", 3, "--moments", 2, "--no-states")
    assert run("--out", tmp_path / "a", *SIZE, "--beyond", *options) == 0
    dataset = EpisodeDataset(tmp_path / "a")
    np.testing.assert_array_equal(dataset[1].actions[:4], [7, 7, 5, 5])
    assert dataset.manifest.provenance.split == "held-out"
    assert not (tmp_path / "a" / "starts").exists()


def test_latents_are_rendered_later(run, tmp_path):
    assert run("--out", tmp_path / "a", *SIZE, "--latents") == 0
    assert "frames" not in EpisodeDataset(tmp_path / "a").content
    assert run("--out", tmp_path / "a", "--render") == 0
    assert "frames" in EpisodeDataset(tmp_path / "a").content


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--episodes", "0"], "episodes of at least one"),
        (["--policy", "fly"], "no action 'fly'"),
        (["--seed", "-1"], "Seeds"),
        (["--prompt-dir", "nowhere"], "nowhere"),
        (["--devices", "0"], "--devices"),
        (["--render"], "not a dataset"),
        (["--world", "nowhere"], "no world 'nowhere'"),
    ],
)
def test_mistakes_end_in_one_sentence(run, arguments, named, tmp_path, capsys):
    assert run("--out", tmp_path / "a", *arguments) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert not (tmp_path / "a").exists()


def test_another_request_is_refused(run, tmp_path, capsys):
    assert run("--out", tmp_path / "a", *SIZE) == 0
    assert run("--out", tmp_path / "a", *SIZE, "--seed", 9) == 2
    assert "seed 0 → 9" in capsys.readouterr().err
