import subprocess
import sys
from pathlib import Path

import pytest

from oyster_jax.cli.main import main
from oyster_jax.cli.train import load_experiment
from oyster_jax.train import stages
from oyster_jax.worlds.moments import read_moments
from oyster_jax.worlds.record import read_record
from tests.cli import tiny

CONFIG = str(Path(__file__).resolve().parents[2] / "configs" / "coinrun_nano.py")
OWN = str(Path(CONFIG).with_name("your_world.py"))


@pytest.fixture
def asked(monkeypatch):
    """What training was asked for; the stages themselves have their own tests."""
    calls = []
    monkeypatch.setattr(stages, "run", lambda *args, **kwargs: calls.append((args, kwargs)) or {})
    return calls


def test_options_override_the_file(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert main(["train", CONFIG, "--name", "mine", "--tokenizer-training.optimizer.learning-rate", "0.5"]) == 0
    [((experiment, folder, data), options)] = asked
    assert experiment.name == "mine"
    assert experiment.tokenizer_training.optimizer.learning_rate == 0.5
    assert experiment.recording.source.game == "coinrun"
    assert folder == tmp_path / "oyster" / "runs" / "mine"
    assert data is None
    assert options == {"init_from": None}


def test_folders_and_a_world_to_begin_from_are_passed_on(asked, tmp_path):
    world = tiny.store(tmp_path / "tiny")
    run, data = tmp_path / "run", tmp_path / "data"
    assert main(["train", CONFIG, "--run", str(run), "--data", str(data), "--init-from", str(world)]) == 0
    [((_, folder, recording), options)] = asked
    assert (folder, recording) == (run, data)
    assert read_record(run / "world")["name"] == "coinrun"
    assert set(options["init_from"]) == {"tokenizer", "dynamics"}


def test_moments_of_the_recording_come_with_the_finished_world(asked, tmp_path):
    spec = load_experiment(Path(CONFIG)).network.spec
    run, data = tmp_path / "run", tiny.record(tmp_path / "data", level=0, spec=spec)
    assert main(["train", CONFIG, "--run", str(run), "--data", str(data)]) == 0
    assert len(asked) == 1
    moments = read_moments(run / "world")
    assert len(moments) == 6
    assert all(moment.frames.shape == (8, 64, 64, 3) for moment in moments.values())


def test_two_do_not_train_in_one_folder(asked, tmp_path, monkeypatch):
    run = tmp_path / "run"
    command = ["train", CONFIG, "--run", str(run)]
    code = "import sys; from oyster_jax.cli.main import main; sys.exit(main(sys.argv[1:]))"

    def second(*args, **kwargs):
        del args, kwargs
        asked.append(
            subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
        )
        return {}

    monkeypatch.setattr(stages, "run", second)
    assert main(command) == 0
    [refused] = asked
    assert refused.returncode == 2
    assert f"Another process is training in {run}" in refused.stderr
    assert not (run / "data").exists()


def test_options_of_a_file_are_listed(capsys):
    assert main(["train", CONFIG, "--help"]) == 0
    out = capsys.readouterr().out
    for option in ("--run", "--init-from", "--tokenizer-training.steps", "--recording.source"):
        assert option in out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nowhere.py"], "nowhere.py"),
        ([OWN], "it takes (data: str"),
        ([f"{OWN}:data=nowhere"], "nowhere is not a dataset"),
        (["--seed", "3"], "comes first"),
        ([CONFIG, "--tokenizer.patch", "7"], "patches of 7"),
        ([CONFIG, "--tokenizer.channels", "3"], "latent channels"),
        ([CONFIG, "--init-from", "nowhere"], "no world 'nowhere'"),
        ([CONFIG, "--dynamics-training.accumulate", "5"], "5 equal parts"),
        ([CONFIG, "--cluster.processes", "2"], "together"),
    ],
)
def test_mistakes_end_in_a_sentence(asked, arguments, named, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["train", *arguments]) == 2
    assert named in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize(("text", "named"), [("x = 1", "no get_config"), ("def get_config(): return 3", "int")])
def test_a_file_without_an_experiment_is_a_mistake(text, named, tmp_path, capsys):
    (tmp_path / "config.py").write_text(text)
    assert main(["train", str(tmp_path / "config.py")]) == 2
    assert named in capsys.readouterr().err
