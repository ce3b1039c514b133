import pytest
import tyro

from oyster_jax.cli.record import Config, main
from oyster_jax.data.dataset import EpisodeDataset


def _run(*arguments):
    return main(tyro.cli(Config, args=["procgen:coinrun", *map(str, arguments)]))


def test_a_recording_is_written_and_told(tmp_path, capsys):
    pytest.importorskip("procgen_gym")
    out = tmp_path / "new"
    levels = ("--levels", "1000000:1000005")
    assert _run("--frames", 200, *levels, "--entities", "--environments", 4, "--seed", 4, "--out", out) == 0
    dataset = EpisodeDataset(out)
    assert dataset.frames == 200
    assert "entities" in dataset.content
    assert f"200 frames in {len(dataset)} episodes" in capsys.readouterr().out


def test_a_folder_in_use_is_refused_in_a_sentence(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert _run("--out", tmp_path) == 2
    assert "is not empty; give a new folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--levels", "10"), "write START:STOP"),
        (("--levels", "0:1000001"), "straddle level 1000000"),
        (("--frames", 0), "at least one of its frames"),
        (("--distribution", "memory"), "not for coinrun"),
    ],
)
def test_an_impossible_request_is_refused_in_a_sentence(tmp_path, capsys, arguments, sentence):
    assert _run("--out", tmp_path / "new", *arguments) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_an_unknown_source_is_refused(tmp_path, capsys):
    assert main(Config(source="atari:pong", out=tmp_path / "new")) == 2
    assert "There is no source 'atari:pong'" in capsys.readouterr().err


def test_an_environment_of_gymnasium_is_recorded(tmp_path, capsys):
    pytest.importorskip("gymnasium")
    out = tmp_path / "new"
    arguments = ["gym:CartPole-v1", "--frames", "90", "--size", "32x48", "--actions", "left,right", "--out", str(out)]
    assert main(tyro.cli(Config, args=arguments)) == 0
    assert EpisodeDataset(out).manifest.spec.frame.shape == (32, 48, 3)
    assert "90 frames in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "option", "sentence"),
    [
        ("gym:CartPole-v1", {"entities": True}, "--entities is not for gym:"),
        ("procgen:coinrun", {"size": "64x64"}, "--size is not for procgen:"),
        ("gym:CartPole-v1", {"environments": 0}, "at least one of its environments"),
    ],
)
def test_options_of_another_source_are_refused(source, option, sentence, tmp_path, capsys):
    assert main(Config(source=source, out=tmp_path / "new", **option)) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
