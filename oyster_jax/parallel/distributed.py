"""Many processes as one: who they are, who leads, when to stop together, and signs of life for whoever watches."""

import contextlib
import ctypes
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

#: Seconds without a word after which a process counts as dead, and with it the run.
SILENCE = 10

#: The exit code of a program that was told to end (SIGTERM) and has saved all: give the same command again.
STOPPED = 143

#: Seconds between looks at what another process is to finish first.
PAUSE = 0.2

#: What a launcher tells its processes by; see `launched`.
COORDINATOR, PROCESSES, PROCESS = "OYSTER_COORDINATOR", "OYSTER_PROCESSES", "OYSTER_PROCESS"
SIGN, LAUNCHER = "OYSTER_SIGN", "OYSTER_LAUNCHER"


class ClusterError(ValueError):
    """Processes cannot find each other as told; the message says what is missing."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """The processes of one program. What is not given is found in the environment; see `found_in`.

    Attributes:
      coordinator: address and port of process 0, as in "10.0.0.1:8476".
      processes: how many there are.
      process: which of them this is, from 0.
      pod: this is one of the machines of a TPU pod, which know of each other. GKE says so in the environment; on TPU
        virtual machines without it nothing does, and it has to be given.
    """

    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None
    pod: bool = False

    def __post_init__(self) -> None:
        given = [value is not None for value in (self.coordinator, self.processes, self.process)]
        if any(given) and not all(given):
            raise ClusterError("Give coordinator, processes and process together, or none of them.")
        if self.processes is not None and self.process is not None and not 0 <= self.process < self.processes:
            raise ClusterError(f"Process {self.process} of {self.processes} was asked for; they count from 0.")

    @property
    def given(self) -> bool:
        """Whether it says anything."""
        return self.processes is not None


#: Nothing said of other processes: they are found in the environment, if there are any.
ALONE = Cluster()


def found_in(environment: Mapping[str, str]) -> Cluster:
    """Returns what an environment tells of the processes of this program; nothing where it is alone.

    `oyster launch` tells by its own variables; SLURM's are those of a job step (`srun`); GKE's name the hosts of a TPU
    slice, or count slices.

    Raises:
      ClusterError: a variable is not what it should be.
    """
    try:
        if PROCESSES in environment:
            return Cluster(
                coordinator=environment[COORDINATOR],
                processes=int(environment[PROCESSES]),
                process=int(environment[PROCESS]),
            )
        if int(environment.get("SLURM_NTASKS", "1")) > 1 and "SLURM_STEP_NODELIST" in environment:
            first = _first_host(environment["SLURM_STEP_NODELIST"])
            # Each job of a host that several share gets a port of its own.
            port = 61440 + int(environment["SLURM_JOB_ID"]) % 4096
            return Cluster(
                coordinator=f"{first}:{port}",
                processes=int(environment["SLURM_NTASKS"]),
                process=int(environment["SLURM_PROCID"]),
            )
        hosts = environment.get("TPU_WORKER_HOSTNAMES", "").split(",")
        return Cluster(pod=len(hosts) > 1 or int(environment.get("MEGASCALE_NUM_SLICES", "1")) > 1)
    except (KeyError, ValueError) as error:
        raise ClusterError(f"The environment does not tell which process this is: {error!r}.") from error


def launched(process: int, processes: int, port: int, sign: Path) -> dict[str, str]:
    """Returns the variables by which `found_in` finds a process of this machine.

    Args:
      process: which of them it is.
      processes: how many there are.
      port: of process 0.
      sign: the file that it touches as it gets on.
    """
    numbers = {PROCESSES: processes, PROCESS: process, LAUNCHER: os.getpid()}
    return {COORDINATOR: f"127.0.0.1:{port}", SIGN: str(sign)} | {name: str(value) for name, value in numbers.items()}


def join(cluster: Cluster) -> None:
    """Joins the other processes of this program, before JAX is first used; does nothing where there are none.

    Raises:
      ClusterError: the environment makes no sense, or this is no machine of a TPU pod, though it was said to be one.
    """
    _end_with_launcher()
    if not cluster.given:
        found = found_in(os.environ)
        cluster = dataclasses.replace(found, pod=found.pod or cluster.pod)
    if cluster.processes == 1:
        return
    if cluster.given:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        local = os.environ.get("SLURM_LOCALID")
        jax.distributed.initialize(
            cluster.coordinator,
            cluster.processes,
            cluster.process,
            # On a host with several GPUs each task of SLURM takes its own; processes of `launch` share what there is.
            local_device_ids=int(local) if local and PROCESSES not in os.environ else None,
            cluster_detection_method="deactivate",
            heartbeat_timeout_seconds=SILENCE,
        )
    elif cluster.pod:
        try:
            jax.distributed.initialize(heartbeat_timeout_seconds=SILENCE)
        # JAX found no pod, so nobody whose address it could know; or not the package by which it asks the host.
        except (ValueError, ModuleNotFoundError) as error:
            raise ClusterError(
                f"This machine knows of no TPU pod: {error} Install the extra tpu where it is one; elsewhere leave "
                "--cluster.pod out, or give coordinator, processes and process."
            ) from error


def leads() -> bool:
    """Whether this process does what only one may do: writing figures, samples and recordings."""
    return jax.process_index() == 0


def once(done: Callable[[], bool], do: Callable[[], Any]) -> None:
    """Lets the leader `do` what all processes need, unless it is `done`; the others wait until it is.

    Args:
      done: looks at files that all processes see; they must be whole once it says yes.
      do: makes it so.
    """
    if leads():
        if not done():
            do()
        return
    wait_until(done)


def wait_until(done: Callable[[], bool], pause: float = PAUSE) -> None:
    """Waits for what other processes do, giving signs of life.

    Args:
      done: looks at files that all processes see.
      pause: seconds between looks.
    """
    while not done():
        alive()
        time.sleep(pause)


def on_host(tree: Any) -> Any:
    """Returns a pytree of arrays whole on this host, as NumPy; as it is where it lies on one device only."""
    leaves = jax.tree.leaves(tree)
    if all(not isinstance(leaf, jax.Array) or len(leaf.sharding.device_set) == 1 for leaf in leaves):
        return tree
    if jax.process_count() == 1:
        return jax.device_get(tree)
    return jax.tree.map(np.asarray, multihost_utils.process_allgather(tree, tiled=True))


def alive() -> None:
    """Gives a sign of life to whoever launched this process, if anybody did."""
    if sign := os.environ.get(SIGN):
        Path(sign).touch()


class Terminated(KeyboardInterrupt):
    """This program was told to end (SIGTERM)."""


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Lets SIGTERM raise `Terminated`, for work that needs no last save; with many processes JAX would hold it back."""

    def hear(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, hear)
    except ValueError:  # not the main thread: whoever has that decides
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class StopRequest:
    """Whether this program was told to end (SIGTERM), asked after every step; all processes stop after the same one.

    A context manager, for the main thread.
    """

    _asked_before = 0

    def __init__(self) -> None:
        self._told = False
        self._before: Any = None

    def __enter__(self) -> "StopRequest":
        # With several processes JAX listens for the signal, and tells the others.
        if jax.process_count() == 1:
            with contextlib.suppress(ValueError):  # not the main thread: whoever has that decides
                self._before = signal.signal(signal.SIGTERM, self._hear)
        return self

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self._told = True

    def after_step(self) -> bool:
        """Whether to save and end now; to be asked after every step, by all processes alike."""
        if jax.process_count() == 1:
            return self._told
        # Counts over all stages of a program, for processes agree on a number that is still to come.
        StopRequest._asked_before += 1
        return multihost_utils.reached_preemption_sync_point(StopRequest._asked_before)


def _end_with_launcher() -> None:
    """Has Linux kill this process when the one that launched it is gone, however that went: two runs must not meet."""
    launcher = os.environ.get(LAUNCHER)
    if launcher is None or sys.platform != "linux":
        return
    parent_death_signal = 1
    ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)
    if os.getppid() != int(launcher):
        raise SystemExit("The program that launched this one is gone.")


def _first_host(hosts: str) -> str:
    """Returns the first host of a SLURM list such as `node[07-09,12],other`."""
    name, bracket, rest = hosts.partition("[")
    if "," in name or not bracket:
        return name.partition(",")[0]
    first = rest.partition("]")[0].partition(",")[0].partition("-")[0]
    return name + first
