"""The job files for clusters: their syntax, and that what they ask of this program is something it knows."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from oyster_jax.cli.train import parse
from oyster_jax.parallel.mesh import MeshConfig

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "configs" / "cluster"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_slurm_script_is_sound():
    script = FOLDER / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    options = [line.split()[1] for line in script.read_text().splitlines() if line.startswith("#SBATCH")]
    assert all(option.startswith("--") for option in options)
    assert {"--requeue", "--signal=TERM@180"} <= set(options)


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
    words = (tmp_path / "asked").read_text().split()
    config = parse(words[words.index("train") + 1 :], "oyster train")
    assert config.experiment.mesh == MeshConfig(fsdp=8)
    assert config.run == tmp_path / "runs" / "oyster"


def test_the_gke_job_asks_for_what_fits_together():
    (job,) = yaml.safe_load_all((FOLDER / "gke.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    assert job["spec"]["failurePolicy"]["maxRestarts"] > 0
    (slices,) = job["spec"]["replicatedJobs"]
    machines = slices["template"]["spec"]
    pod = machines["template"]["spec"]
    (container,) = pod["containers"]
    chips = container["resources"]["limits"]["google.com/tpu"]
    rows, columns = map(int, pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"].split("x"))
    assert machines["parallelism"] == machines["completions"] == rows * columns // chips
    oyster, verb, *arguments = container["command"]
    assert (oyster, verb) == ("oyster", "train")
    config = parse(arguments, "oyster train")
    mesh = config.experiment.mesh
    assert mesh.slices == slices["replicas"]
    assert mesh.shape(slices["replicas"] * rows * columns) == (2, 4, 64, 1)
    assert str(config.run).startswith(container["volumeMounts"][0]["mountPath"])
