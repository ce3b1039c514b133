"""The set-up: pins that fit the ranges, and tools that make `.venv`, keep it up to date and get out of the way.

The tools run here on a copy of the repository's set-up files beside a stand-in for the interpreter, a script that
notes how it was called: nothing is downloaded.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
CPU_EXTRAS = ("play", "envs", "studies", "dev")

INTERPRETER = """#!/bin/sh
case "$1" in
-) cat >/dev/null; echo "$0" ;;
--version) echo Python 3.13.0 ;;
*)
    echo "$@" >>"$CALLS"
    case "$2" in
    venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo version = 3.13.0 >"$3/pyvenv.cfg" ;;
    pip) sleep "${PIP_SECONDS:-0}" ;;
    esac
    [ "$2" != "${FAILING:-}" ]
    ;;
esac
"""
PROGRAM = """#!/bin/sh
pwd
printf '%s\\n' "$@"
exit 7
"""


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return {canonicalize_name(name): Version(version) for name, version in (line.split("==") for line in lines)}


def requirements() -> list[Requirement]:
    texts = [*project()["dependencies"]]
    for extra in CPU_EXTRAS:
        texts += project()["optional-dependencies"][extra]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("requirement", requirements(), ids=lambda requirement: requirement.name)
def test_every_range_has_a_pin_inside_it(requirement):
    pin = pins().get(canonicalize_name(requirement.name))
    assert pin is not None, f"{requirement.name} has no pin; renew constraints.txt as BUILD.md says."
    assert requirement.specifier.contains(pin)


def test_the_compiler_for_tpus_is_pinned():
    """A plan's figures are the compiler's."""
    assert {"libtpu", "requests"} <= pins().keys()
    installed = importlib.util.find_spec("libtpu") and importlib.metadata.version("libtpu")
    assert installed in (None, str(pins()["libtpu"]))


def test_what_is_installed_is_what_is_pinned():
    wanted = [r for r in requirements() if r.marker is None or r.marker.evaluate()]
    installed = {canonicalize_name(r.name): Version(importlib.metadata.version(r.name)) for r in wanted}
    assert installed.items() <= pins().items()


def test_the_preferred_interpreter_is_allowed():
    preferred = (ROOT / ".python-version").read_text("utf-8").strip()
    assert Requirement(f"python{project()['requires-python']}").specifier.contains(preferred)


class Clone:
    """A copy of the set-up files in a folder with a space, with a stand-in interpreter on the PATH."""

    def __init__(self, folder: Path):
        self.root = folder / "a clone"
        self.calls = folder / "calls"
        self.calls.touch()
        shutil.copytree(ROOT / "tools", self.root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "constraints.txt", ".python-version"):
            shutil.copy(ROOT / name, self.root / name)
        self.path = folder / "bin"
        self.path.mkdir()
        for name in ("cat", "cksum", "cp", "dirname", "flock", "mkdir", "mv", "readlink", "rm", "sed", "sleep", "tr"):
            if found := shutil.which(name):
                (self.path / name).symlink_to(found)
        self.script(self.path / "python3.13", INTERPRETER)

    def script(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o755)

    def start(self, tool: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["/bin/sh", str(self.root / "tools" / tool), *arguments],
            cwd=self.root.parent,
            env={"PATH": str(self.path), "CALLS": str(self.calls), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, tool: str, *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(tool, *arguments, **environment)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def new_calls(self) -> list[str]:
        """How the interpreter was called since this was last asked."""
        calls = self.calls.read_text("utf-8").splitlines()
        self.calls.write_text("")
        return calls


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


@pytest.fixture
def ready(clone: Clone) -> Clone:
    """A clone that is set up for `oyster`, with a program in place of the console script."""
    clone.run("oyster")
    clone.new_calls()
    clone.script(clone.root / ".venv/bin/oyster", PROGRAM)
    return clone


def test_first_use_makes_the_environment_from_the_pins(clone):
    _, out, err = clone.run("oyster")
    make, install = clone.new_calls()
    assert make == f"-m venv {clone.root}/.venv"
    assert install.startswith("-m pip install ")
    assert install.endswith(" -c constraints.txt -e .[play,envs]")
    assert "Setting up .venv with Python 3.13.0" in err
    assert out == ""


def test_a_ready_environment_costs_no_interpreter_and_no_wait(ready):
    start = time.perf_counter()
    status, out, err = ready.run("oyster", "rollout", "two words", "*")
    seconds = time.perf_counter() - start
    assert (status, err) == (7, "")
    assert out.splitlines() == [str(ready.root.parent), "rollout", "two words", "*"]
    assert ready.new_calls() == []
    assert seconds < 0.3


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed_and_then_left_alone(ready, name):
    with (ready.root / name).open("a", encoding="utf-8") as file:
        file.write("\n")
    _, _, err = ready.run("oyster")
    assert "Updating .venv" in err
    assert len(ready.new_calls()) == 1
    assert ready.run("oyster")[0] == 7
    assert ready.new_calls() == []


def test_tests_add_their_extras_and_later_updates_keep_them(ready):
    ready.run("test", "-k", "law")
    install, run = ready.new_calls()
    assert install.endswith(" -e .[play,envs,studies,dev]")
    assert run == "-m pytest -k law"
    assert ready.run("oyster")[0] == 7
    assert ready.new_calls() == []
    (ready.root / "constraints.txt").write_text("")
    ready.run("oyster")
    assert ready.new_calls()[0].endswith(" -e .[play,envs,studies,dev]")


@pytest.mark.parametrize(("failing", "status"), [("nothing", 0), ("ruff", 1), ("pyright", 1), ("pytest", 1)])
def test_all_checks_run_and_any_failure_counts(ready, failing, status):
    ready.run("test", "-k", "law")
    ready.new_calls()
    assert ready.run("test", FAILING=failing)[0] == status
    assert [call.split()[1] for call in ready.new_calls()] == ["ruff", "ruff", "pyright", "pytest"]


def test_a_moved_clone_is_installed_anew(ready):
    ready.root = ready.root.rename(ready.root.with_name("elsewhere"))
    ready.run("oyster")
    assert len(ready.new_calls()) == 1


def test_a_failed_first_set_up_is_told_and_begun_anew(clone):
    status, _, err = clone.run("oyster", FAILING="pip")
    assert status == 1
    assert "could not be installed" in err
    clone.new_calls()
    (clone.root / ".venv/half-written").touch()
    clone.run("oyster")
    make, _ = clone.new_calls()
    assert make.startswith("-m venv")
    assert not (clone.root / ".venv/half-written").exists()


def test_an_update_cut_off_is_repaired_without_losing_the_environment(ready):
    (ready.root / ".venv/of-the-user").touch()
    (ready.root / "constraints.txt").write_text("")
    process = ready.start("oyster", PIP_SECONDS="0.5")
    while not ready.calls.read_text():
        time.sleep(0.01)
    process.kill()
    process.communicate()
    ready.new_calls()
    assert ready.run("oyster")[0] == 7
    (install,) = ready.new_calls()
    assert "--force-reinstall" in install
    assert (ready.root / ".venv/of-the-user").exists()
    assert not (ready.root / ".venv/oyster-unfinished").exists()


@pytest.mark.skipif(shutil.which("flock") is None, reason="this machine has no flock")
def test_two_at_once_set_up_once(clone):
    processes = [clone.start("oyster", PIP_SECONDS="0.5") for _ in range(2)]
    for process in processes:
        process.communicate(timeout=60)
    make, install = clone.new_calls()
    assert make.startswith("-m venv")
    assert install.startswith("-m pip")


def test_without_an_interpreter_the_user_is_told_what_to_do(clone):
    (clone.path / "python3.13").unlink()
    clone.script(clone.path / "python3", "#!/bin/sh\nexit 127\n")
    status, _, err = clone.run("oyster")
    assert status == 1
    assert "needs Python 3.12 or newer" in err
    assert not (clone.root / ".venv").exists()


def test_an_interpreter_that_does_not_run_is_passed_over(clone):
    broken = clone.path.parent / "stand-ins"
    clone.script(broken / "python3.13", "#!/bin/sh\necho command not found >&2; exit 127\n")
    _, _, err = clone.run("oyster", PATH=f"{broken}{os.pathsep}{clone.path}")
    assert "Setting up .venv with Python 3.13.0" in err
    assert "command not found" not in err
