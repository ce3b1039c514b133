import os
import pty
import sys

import numpy as np
import pytest

from oyster_jax.cli.main import main
from oyster_jax.data.dataset import EpisodeDataset


@pytest.fixture
def walk(tmp_path):
    path = tmp_path / "walk.npz"
    frames = np.random.default_rng(0).integers(256, size=(9, 40, 60, 3), dtype=np.uint8)
    np.savez(path, frames=frames, actions=np.linspace(-1, 1, 8))
    return path


@pytest.fixture
def typed(monkeypatch):
    """Puts a terminal before the program, at which somebody types."""
    terminal, program = pty.openpty()
    with open(program) as text:
        monkeypatch.setattr(sys, "stdin", text)
        yield lambda line: os.write(terminal, f"{line}\n".encode())
    os.close(terminal)


def test_what_it_will_be_is_told_and_written(walk, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["import", str(walk), "--out", str(out), "--yes"]) == 0
    told = capsys.readouterr().out
    assert "npz, 1 episodes, 8 ticks" in told
    assert "40×60 → 64×96, 15 a second (the files do not say; --rate)" in told
    assert "3: noop, left, right; noop when nothing is pressed" in told
    assert "nearest of these, which keeps" in told
    assert "rewards and terminals are not in the files" in told
    assert "Wrote 8 frames in 1 episodes" in told
    assert EpisodeDataset(out).manifest.spec.frame.shape == (64, 96, 3)


def test_without_a_terminal_it_says_what_to_give(walk, tmp_path, monkeypatch, capsys):
    with open(os.devnull) as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        assert main(["import", str(walk), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert "3: noop, left, right" in said.out
    assert "Give --yes if the above is right, or else --size" in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("answer", "written"), [("", True), ("y", True), ("n", False), ("what?", False)])
def test_at_a_terminal_it_asks(answer, written, walk, tmp_path, typed, capsys):
    typed(answer)
    assert main(["import", str(walk), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out").exists() == written
    assert ("Nothing was imported" in capsys.readouterr().out) != written


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--format", "minari"], "holds no main_data.hdf5"),
        (["--camera", "front"], "A camera can be chosen of a LeRobot dataset"),
        (["--actions", "a,b", "--size", "3x3"], "multiples of 16"),
    ],
)
def test_mistakes_end_in_a_sentence(options, sentence, walk, tmp_path, capsys):
    assert main(["import", str(walk), "--out", str(tmp_path / "out"), "--yes", *options]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_path_that_is_not_there_is_a_mistake(tmp_path, capsys):
    assert main(["import", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out"), "--yes"]) == 2
    assert "There is no" in capsys.readouterr().err
