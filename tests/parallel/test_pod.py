"""The machines of a TPU pod: two programs of this machine, which are told what GKE or a TPU's host tells."""

import contextlib
import http.server
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

#: Where JAX finds no TPU it notes that there is no host to ask either.
_JOIN = """
import json, os, sys
import jax
from oyster_jax.parallel.distributed import Cluster, join
if "GCE_METADATA_IP" in os.environ:
    del os.environ["TPU_SKIP_MDS_QUERY"]
join(Cluster(pod=sys.argv[1] == "told"))
print(json.dumps([jax.process_index(), jax.process_count(), jax.device_count()]))
"""

#: What a TPU's host knows, for each of two machines.
_KNOWN = {"agent-worker-number": "{machine}", "worker-network-endpoints": "127.0.0.1,127.0.0.1", "tpu-env": "ZONE: 'z'"}


class _Host(http.server.BaseHTTPRequestHandler):
    """Answers `/MACHINE/computeMetadata/v1/instance/attributes/NAME` as the host of a TPU does."""

    def do_GET(self) -> None:
        machine, name = self.path.split("/")[1], self.path.rpartition("/")[2]
        self.send_response(200 if name in _KNOWN else 404)
        self.end_headers()
        self.wfile.write(_KNOWN.get(name, "").format(machine=machine).encode())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing."""


@contextlib.contextmanager
def host() -> Iterator[str]:
    """Address of a program that answers as a TPU's host does."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Host) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def environment(**told: str) -> dict[str, str]:
    """Returns what a program is told that takes this machine for one with a TPU, but computes on its processor."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TPU_", "MEGASCALE_", "SLURM_"))}
    return own | {"JAX_FORCE_TPU_INIT": "1", "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "2"} | told


def found(environments: list[dict[str, str]], *, told: bool) -> list[str]:
    """Joins programs in these environments; returns what each found."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _JOIN, "told" if told else "untold"],
            env={**each, "JAX_COORDINATOR_PORT": port}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for each in environments
    ]  # fmt: skip
    said = [process.communicate(timeout=300) for process in processes]
    assert all(process.returncode == 0 for process in processes), said
    return [out.splitlines()[-1] for out, _ in said]


def test_on_gke_they_find_each_other_without_being_told():
    """Two slices of one machine each."""
    one = {"TPU_WORKER_HOSTNAMES": "127.0.0.1", "TPU_WORKER_ID": "0"}
    both = {"MEGASCALE_COORDINATOR_ADDRESS": "127.0.0.1", "MEGASCALE_NUM_SLICES": "2"}
    told = [environment(**one, **both, MEGASCALE_SLICE_ID=str(slice_)) for slice_ in (0, 1)]
    assert found(told, told=False) == ["[0, 2, 4]", "[1, 2, 4]"]


def test_elsewhere_they_do_once_told_that_they_are_a_pod():
    with host() as address:
        told = [environment(GCE_METADATA_IP=f"{address}/{machine}") for machine in (0, 1)]
        assert found(told, told=True) == ["[0, 2, 4]", "[1, 2, 4]"]
        # Untold, each stays alone: nothing in its environment speaks of others.
        assert found(told[:1], told=False) == ["[0, 1, 2]"]


def test_without_the_package_that_asks_it_says_what_to_install():
    unable = 'import sys; sys.modules["requests"] = None\n' + _JOIN
    with host() as address:
        told = environment(GCE_METADATA_IP=f"{address}/0")
        command = [sys.executable, "-c", unable, "told"]
        done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=300, check=False)
    assert "ClusterError" in done.stderr
    assert "Install the extra tpu" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere JAX knows of no TPU")
def test_a_machine_of_no_pod_says_so():
    command = [sys.executable, "-m", "oyster_jax.cli.main", "train", "configs/coinrun_tiny.py", "--cluster.pod"]
    told = {name: value for name, value in environment().items() if name != "JAX_FORCE_TPU_INIT"}
    done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2, done.stderr
    assert "knows of no TPU pod" in done.stderr
    assert "Traceback" not in done.stderr
