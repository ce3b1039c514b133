import sys

import pytest

from oyster_jax.cli import launch
from oyster_jax.cli.main import main
from oyster_jax.parallel import supervisor


@pytest.fixture
def launched(monkeypatch):
    """What was launched; the supervisor has tests of its own."""
    calls = []

    def run(self):
        calls.append((self._config, self._command))
        return 143

    monkeypatch.setattr(supervisor.Supervisor, "run", run)
    return calls


def test_all_behind_the_dashes_is_run_in_every_process(launched):
    assert (
        main(["launch", "-n", "4", "--devices", "2", "--restart", "left", "--", "train", "x.py", "--seed", "1"]) == 143
    )
    [(config, command)] = launched
    assert config == supervisor.LaunchConfig(processes=4, devices=2, restart="left")
    assert command == [sys.executable, "-m", "oyster_jax.cli.main", "train", "x.py", "--seed", "1"]


def test_options_are_those_of_the_supervisor():
    options = launch.Options(processes=3)
    assert supervisor.LaunchConfig(processes=3) == supervisor.LaunchConfig(**vars(options))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["-n", "2"], "stand behind `--`"),
        (["-n", "2", "--", "trian"], "stand behind `--`"),
        (["-n", "2", "--", "launch"], "stand behind `--`"),
        (["-n", "0", "--", "train"], "At least one process"),
        (["--", "train"], "-n"),
    ],
)
def test_mistakes_end_in_a_sentence(launched, arguments, named, capsys):
    assert main(["launch", *arguments]) == 2
    assert named in capsys.readouterr().err
    assert launched == []
