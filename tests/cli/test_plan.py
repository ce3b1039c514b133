"""`oyster plan`."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plan.compiler import compiler

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "plan" / "tiny_world.py"


def plan(*arguments, folder):
    """Runs `oyster plan` in a process of its own: it prepares that for compiling only."""
    command = [sys.executable, "-m", "oyster_jax.cli.main", "plan", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)


@compiler
def test_a_plan_says_what_fits_and_what_is_exchanged(tmp_path):
    options = ("--batch", 32, "--worlds", 8, "--price", 1.2, "--steps", 1000, "--out", "found", "--save")
    done = plan(TINY, "--topology", "v5e:2x2", "--mesh.fsdp", 4, *options, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "It fits: " in done.stdout
    assert "1,000 steps cost at least" in done.stdout
    found = json.loads((tmp_path / "found" / "plan.json").read_text())
    assert found["topology"]["chips"] == 4
    train, rollout = found["programs"]
    assert (train["program"], rollout["program"]) == ("train", "rollout")
    assert train["mesh"] == {"slice": 1, "data": 1, "fsdp": 4, "tensor": 1}
    assert train["needed"] == sum(train["bytes_a_device"].values()) < 0.9 * train["usable"]
    assert train["usable"] == pytest.approx(15.75 * 2**30, rel=0.01)
    assert {one["axes"] for one in train["exchanges"]} == {"fsdp"}
    assert rollout["exchanges"] == []
    assert 0 < train["roofline"]["utilization"] < 1
    assert "<h2>train (dynamics)</h2>" in (tmp_path / "found" / "plan.html").read_text()
    assert (tmp_path / "found" / "train.executable").stat().st_size > 1000


@compiler
def test_the_tokenizer_can_be_planned_too(tmp_path):
    options = ("--only", "train", "--stage", "tokenizer", "--effort", "O0", "--price", 1, "--out", "found")
    done = plan(TINY, "--topology", "v5e:1x1", *options, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (train,) = json.loads((tmp_path / "found" / "plan.json").read_text())["programs"]
    assert (train["program"], train["stage"], train["rows"]) == ("train", "tokenizer", 16)
    assert train["cost"]["steps"] == 100
    assert "train (tokenizer)" in done.stdout


@compiler
def test_what_does_not_fit_is_told_in_a_sentence(tmp_path):
    """So many windows that what they keep is more than a chip has; the compiler says so quickly."""
    options = ("--only", "train", "--batch", 1_000_000)
    done = plan(TINY, "--topology", "v5e:1x1", *options, folder=tmp_path)
    assert done.returncode == 1, done.stderr
    (sentence,) = [line for line in done.stdout.splitlines() if line.startswith("It does not fit")]
    assert "of the 15.75 GiB of a device" in sentence
    assert "give each device fewer windows with --batch" in done.stdout.replace("\n", " ")


@compiler
def test_slices_talk_over_the_network(tmp_path):
    options = ("--only", "train", "--slices", 2, "--batch", 32, "--out", "found")
    done = plan(TINY, "--topology", "v5e:2x2", "--mesh.fsdp", 4, *options, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (train,) = json.loads((tmp_path / "found" / "plan.json").read_text())["programs"]
    assert any("slice" in axes for axes in train["sent_by_axes"])
    assert train["roofline"]["network"] > 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--topology", "v9:2x2"), "There is no topology 'v9:2x2'; give one such as v5e:4x4"),
        (("--topology", "v5e-16"), "There is no topology 'v5e-16'; give one such as v5e:4x4"),
        (("--topology", "v5e:2x2", "--slices", 0), "There is at least one slice, but 0 were asked for."),
        (("--topology", "v5e:2x2", "--sweep", "--only", "rollout"), "leave --only rollout out"),
        (("--topology", "v5e:2x2", "--sweep", "--stage", "tokenizer"), "leave --stage out, or --sweep"),
    ],
)
def test_mistakes_are_told_in_a_sentence(options, sentence, tmp_path):
    done = plan(TINY, *options, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@compiler
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--topology", "v5e:3x5"), "The TPU compiler does not know the topology 'v5e:3x5'"),
        (("--topology", "v5e:2x2", "--mesh.fsdp", 8), "There are 4 devices, which fsdp 8 do not use up"),
        (("--topology", "v5e:2x2", "--batch", 6), "cannot be shared evenly by 4 groups of devices"),
    ],
)
def test_mistakes_that_the_compiler_knows_of_are_told_too(options, sentence, tmp_path):
    test_mistakes_are_told_in_a_sentence(options, sentence, tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("libtpu") is not None, reason="the TPU compiler is installed")
def test_without_the_compiler_the_extra_is_named(tmp_path):
    done = plan(TINY, "--topology", "v5e:2x2", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert ".venv/bin/pip install -c constraints.txt -e '.[tpu]'" in " ".join(done.stderr.split())


@compiler
def test_a_sweep_compiles_what_promises_most_and_ranks_it(tmp_path):
    options = ("--sweep", "--tries", 2, "--effort", "O0", "--only", "train", "--out", "found")
    done = plan(TINY, "--topology", "v5e:2x2", *options, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found" / "plan.json").read_text())
    frames = [one["roofline"]["frames_per_second"] for one in found["sweep"]]
    assert 1 <= len(frames) <= 2
    assert frames == sorted(frames, reverse=True)
    assert found["programs"][0]["mesh"] == found["sweep"][0]["mesh"]
    assert f"{len(frames)} meshes and batches compiled" in done.stdout
