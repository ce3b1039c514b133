"""Training runs as programs of their own: started, disturbed, and compared by the losses that they wrote."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "coinrun_tiny.py"

#: Stages of that configuration, in their order.
STAGES = ("tokenizer", "dynamics", "self_rollout_4")

#: Losses of all steps, by stage.
type Losses = dict[str, dict[int, float]]


def lengths(steps: int) -> tuple[str, ...]:
    """Returns options by which tokenizer and dynamics train for so many steps."""
    return ("--tokenizer-training.steps", str(steps), "--dynamics-training.steps", str(steps))


def start(run: Path, data: Path, options: Sequence[str], *, devices: int = 1, launch: Sequence[str] = ()) -> Any:
    """Starts `oyster train`, or `oyster launch` with options of its own; what it says goes to a file beside the run."""
    command = [sys.executable, "-m", "oyster_jax.cli.main"]
    if launch:
        command += ["launch", *launch, "--devices", str(devices), "--"]
    command += ["train", str(CONFIG), "--run", str(run), "--data", str(data), *options]
    with run.with_suffix(".log").open("a") as log:
        environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices)}
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)


def finish(process: Any, run: Path) -> None:
    """Waits for a run to end well.

    Raises:
      RuntimeError: it did not.
    """
    if process.wait() != 0:
        log = run.with_suffix(".log").read_text().splitlines()
        raise RuntimeError(f"{run.name} ended with code {process.returncode}:\n" + "\n".join(log[-20:]))


def wait_for(path: Path, process: Any) -> None:
    """Waits until a run has made a file or folder.

    Raises:
      RuntimeError: it ended before.
    """
    while not path.exists():
        if process.poll() is not None:
            raise RuntimeError(f"A run ended with code {process.returncode} before it had made {path}.")
        time.sleep(0.05)


def kill(process: Any) -> None:
    """Kills a run at once, and waits until all of its processes are gone."""
    those = children(process)
    process.kill()
    process.wait()
    while any(_alive(one) for one in those):
        time.sleep(0.05)


def records(run: Path) -> list[tuple[str, dict[str, Any]]]:
    """Returns what a run has written so far, by stage, in order; a line that is being written is left out."""
    found = []
    for stage in STAGES:
        path = run / stage / "metrics.jsonl"
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                found.append((stage, json.loads(line)))
            except ValueError:
                break
    return found


def losses(run: Path) -> Losses:
    """Returns the losses of a run.

    Raises:
      RuntimeError: a step was written twice.
    """
    found: Losses = {stage: {} for stage in STAGES}
    for stage, record in records(run):
        if record["step"] in found[stage]:
            raise RuntimeError(f"{run.name} wrote step {record['step']} of the {stage} twice.")
        found[stage][record["step"]] = record["loss"]
    return found


def wait_for_steps(run: Path, process: Any, since: float, count: int) -> float:
    """Waits until a run has written `count` steps after the moment `since`; returns when it wrote the first of them.

    Raises:
      RuntimeError: it ended before.
    """
    while True:
        later = [record["time"] for _, record in records(run) if record["time"] > since]
        if len(later) >= count:
            return later[0]
        if process.poll() is not None:
            raise RuntimeError(f"{run.name} ended with code {process.returncode} before it could be disturbed.")
        time.sleep(0.05)


def children(process: Any) -> list[int]:
    """Returns the processes that a launcher, or any other, runs, in their order (Linux only)."""
    return [int(word) for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def send(process: int, number: signal.Signals) -> None:
    """Sends a signal to a process, unless it is gone."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def _alive(process: int) -> bool:
    """Whether a process still does anything; one that nobody has waited for yet is dead, too."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
