"""The job files for clusters: their syntax, and that what they ask of this program is something it knows."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from jax.sharding import AbstractMesh

from oyster_jax.cli.train import Config, parse
from oyster_jax.parallel.mesh import AXES, MeshConfig
from oyster_jax.parallel.supervisor import MISTAKE
from oyster_jax.train.program import check_rows

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "configs" / "cluster"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def trained_on(devices: int, command: list[str]) -> Config:
    """Returns what a command line asks for, once so many devices get equal shares of every batch of it."""
    oyster, verb, *arguments = command
    assert (Path(oyster).name, verb) == ("oyster", "train")
    config = parse(arguments, "oyster train")
    mesh = AbstractMesh(config.experiment.mesh.shape(devices), AXES)
    for training in config.experiment.trainings:
        check_rows(training, mesh)
    return config


def slurm_options() -> dict[str, str]:
    """Returns what the script asks SLURM for."""
    lines = (FOLDER / "slurm.sh").read_text().splitlines()
    words = [line.split()[1] for line in lines if line.startswith("#SBATCH")]
    assert all(word.startswith("--") for word in words)
    return {name: value for name, _, value in (word[2:].partition("=") for word in words)}


def test_the_slurm_script_is_sound():
    subprocess.run(["bash", "-n", FOLDER / "slurm.sh"], check=True)
    options = slurm_options()
    assert "requeue" in options
    assert options["signal"] == "TERM@180"
    assert options["ntasks-per-node"] == options["gpus-per-node"]


@pytest.mark.parametrize(("code", "requeued"), [(0, False), (2, False), (143, True), (1, True)])
def test_slurm_tries_again_unless_it_was_a_mistake(code, requeued, tmp_path):
    """The script, with commands of the same names in place of SLURM's."""
    for name, does in {
        "srun": f'echo "$@" >{tmp_path}/asked; exit {code}',
        "scontrol": f"touch {tmp_path}/again",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "oyster",
        "SLURM_SUBMIT_DIR": str(tmp_path),
    }  # fmt: skip
    assert subprocess.run(["bash", FOLDER / "slurm.sh"], env=environment, check=False).returncode == code
    assert (tmp_path / "again").exists() == requeued
    words, options = (tmp_path / "asked").read_text().split(), slurm_options()
    config = trained_on(int(options["nodes"]) * int(options["gpus-per-node"]), words[words.index("train") - 1 :])
    assert config.experiment.mesh == MeshConfig(fsdp=8)
    assert config.run == tmp_path / "runs" / "oyster"


@pytest.fixture
def jobset():
    (job,) = yaml.safe_load_all((FOLDER / "gke.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    return job["spec"]


def test_the_gke_job_asks_for_what_fits_together(jobset):
    (slices,) = jobset["replicatedJobs"]
    machines = slices["template"]["spec"]
    pod = machines["template"]["spec"]
    (container,) = pod["containers"]
    chips = container["resources"]["limits"]["google.com/tpu"]
    rows, columns = map(int, pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"].split("x"))
    assert machines["parallelism"] == machines["completions"] == rows * columns // chips
    config = trained_on(slices["replicas"] * rows * columns, container["command"])
    assert config.experiment.mesh.slices == slices["replicas"]
    assert str(config.run).startswith(container["volumeMounts"][0]["mountPath"])


def test_gke_tries_again_unless_it_was_a_mistake(jobset):
    """A pod that ends so fails its job for a reason by which the JobSet fails, too, instead of starting again."""
    assert jobset["failurePolicy"]["maxRestarts"] > 0
    assert jobset["failurePolicy"]["rules"] == [{"action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}]
    (slices,) = jobset["replicatedJobs"]
    machines = slices["template"]["spec"]
    pod = machines["template"]["spec"]
    (rule,) = machines["podFailurePolicy"]["rules"]
    assert rule == {
        "action": "FailJob",
        "onExitCodes": {"containerName": pod["containers"][0]["name"], "operator": "In", "values": [MISTAKE]},
    }
    # Kubernetes takes such rules only so.
    assert pod["restartPolicy"] == "Never"


def test_xpk_is_asked_for_the_same(jobset):
    comment = [line[1:].strip() for line in (FOLDER / "gke.yaml").read_text().splitlines() if line.startswith("#")]
    line = " ".join(comment[next(at for at, words in enumerate(comment) if words.startswith("xpk ")) :])
    words = shlex.split(line.replace("\\ ", ""))
    assert words[:3] == ["xpk", "workload", "create"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    (slices,) = jobset["replicatedJobs"]
    (container,) = slices["template"]["spec"]["template"]["spec"]["containers"]
    assert shlex.split(options["--command"]) == container["command"]
    assert int(options["--num-slices"]) == slices["replicas"]
    assert int(options["--max-restarts"]) == jobset["failurePolicy"]["maxRestarts"]
    found = re.fullmatch(r"v5litepod-(\d+)", options["--tpu-type"])
    assert found is not None
    trained_on(int(options["--num-slices"]) * int(found[1]), shlex.split(options["--command"]))
