import os
import subprocess
import sys

import pytest

from oyster_jax.cli import main as module
from oyster_jax.cli.main import main


def test_help_names_every_verb_without_loading_jax():
    code = (
        "import sys; from oyster_jax.cli.main import main; code = main(['--help']); "
        "print(code, 'jax' in sys.modules, 'tyro' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *_, last = done.stdout.splitlines()
    assert last == "0 False False"
    for verb in module.VERBS:
        assert f"  {verb} " in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("verb", module.VERBS)
def test_every_verb_has_help(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert f"usage: oyster {verb}" in capsys.readouterr().out


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("oyster 0.")


@pytest.mark.parametrize(("verb", "hint"), [("rolout", "did you mean 'rollout'?"), ("xyz", "choose one of play")])
def test_an_unknown_verb_is_a_mistake(verb, hint, capsys):
    assert main([verb]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert hint in captured.err
    assert captured.err.count("\n") == 1


def test_a_wrong_option_is_a_mistake(capsys):
    assert main(["rollout", "--sede", "3"]) == 2
    assert "--sede" in capsys.readouterr().err


def test_an_interrupt_ends_in_a_plain_line(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_run", interrupt)
    assert main(["worlds"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_an_error_of_ours_is_not_hidden(monkeypatch):
    def fail(*_):
        raise ValueError("a bug")

    monkeypatch.setattr(module, "_run", fail)
    with pytest.raises(ValueError, match="a bug"):
        main(["worlds"])


def test_a_path_that_cannot_be_written_is_a_mistake(monkeypatch, capsys):
    def fail(*_):
        raise PermissionError(13, "Permission denied", "/clip.mp4")

    monkeypatch.setattr(module, "_run", fail)
    assert main(["rollout"]) == 2
    assert capsys.readouterr().err == "/clip.mp4: Permission denied; check the path and its permissions.\n"


def test_a_reader_who_leaves_early_is_no_error():
    read, write = os.pipe()
    os.close(read)
    code = "import sys; from oyster_jax.cli.main import main; sys.exit(main(['worlds']))"
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
