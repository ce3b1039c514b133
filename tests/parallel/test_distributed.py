"""Who the processes of a program are, by what the environment says."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from oyster_jax.parallel import distributed
from oyster_jax.parallel.distributed import Cluster, ClusterError, StopRequest, found_in, launched

SLURM = {
    "SLURM_JOB_ID": "4100",
    "SLURM_NTASKS": "16",
    "SLURM_PROCID": "9",
    "SLURM_STEP_NODELIST": "node[07-09,12],gpu1",
}


def test_a_program_alone_is_alone():
    assert not found_in({}).given
    assert not found_in({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "1", "SLURM_STEP_NODELIST": "a"}).given


def test_what_a_launcher_tells_is_found():
    told = launched(2, 4, 5000, Path("/tmp/sign"))
    assert found_in(told) == Cluster(coordinator="127.0.0.1:5000", processes=4, process=2)
    # A launcher inside a job of SLURM has the last word.
    assert found_in(SLURM | told).processes == 4


@pytest.mark.parametrize(
    ("hosts", "first"),
    [("node[07-09,12],gpu1", "node07"), ("a,b[1-2]", "a"), ("alone", "alone"), ("n[3]", "n3"), ("r-1,r-2", "r-1")],
)
def test_a_job_of_slurm_is_found(hosts, first):
    found = found_in(SLURM | {"SLURM_STEP_NODELIST": hosts})
    assert found == Cluster(coordinator=f"{first}:{61440 + 4}", processes=16, process=9)


@pytest.mark.parametrize(
    ("environment", "pod"),
    [
        ({"TPU_WORKER_HOSTNAMES": "a,b"}, True),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, False),
        ({"TPU_WORKER_HOSTNAMES": "localhost", "MEGASCALE_NUM_SLICES": "2"}, True),
        ({"MEGASCALE_NUM_SLICES": "1"}, False),
    ],
)
def test_a_slice_of_tpus_is_found(environment, pod):
    assert found_in(environment) == Cluster(pod=pod)
    # Whoever starts several processes on one of its hosts has the last word.
    assert found_in(environment | launched(2, 4, 5000, Path("s"))).processes == 4


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        (launched(0, 2, 1, Path("s")) | {distributed.PROCESSES: "two"}, "two"),
        ({distributed.PROCESSES: "2"}, distributed.COORDINATOR),
        (launched(5, 2, 1, Path("s")), "Process 5 of 2"),
        ({name: value for name, value in SLURM.items() if name != "SLURM_PROCID"}, "SLURM_PROCID"),
        ({"MEGASCALE_NUM_SLICES": "many"}, "many"),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused(environment, word):
    with pytest.raises(ClusterError, match=word):
        found_in(environment)


def test_a_cluster_is_told_whole_or_not_at_all():
    with pytest.raises(ClusterError, match="together"):
        Cluster(processes=2)


def test_what_is_done_is_not_done_again():
    made = []
    distributed.once(lambda: bool(made), lambda: made.append(1))
    distributed.once(lambda: bool(made), lambda: made.append(2))
    assert made == [1]


def test_arrays_of_one_device_stay_where_they_are():
    tree = {"x": np.ones(3)}
    assert distributed.on_host(tree) is tree
    assert distributed.leads()


def test_sigterm_is_heard_and_the_handler_before_comes_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        assert not stop.after_step()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.after_step()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_sign_of_life_is_given_to_who_wants_one(tmp_path, monkeypatch):
    distributed.alive()
    monkeypatch.setenv(distributed.SIGN, str(tmp_path / "sign"))
    distributed.alive()
    assert (tmp_path / "sign").exists()
