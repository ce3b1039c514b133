"""How long someone waits for a world that nobody has opened yet: fresh processes, with and without compiled programs.

Cold is a fresh process with an empty compilation cache; warm is one that finds there what the cold one left. Both find
Python's own byte code and, most likely, the files in the system's memory: neither is the first start after a reboot.
"""

import contextlib
import dataclasses
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.evaluate.chunks import Progress
from oyster_jax.evaluate.figure import Figure, median_figure

#: What a process that is measured prints, one a line: it shows its first frame; it has answered its first action; it
#: ends, and this many bytes were the most that it held (where it knows).
FRAME, TICK, PEAK = "frame", "tick", "peak"

#: Settings of JAX that would let the caller's own programs be found.
_CACHE_SETTINGS = ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")

#: Seconds after which a process is taken for stuck.
PATIENCE = 900.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """One start.

    Attributes:
      frame: seconds from the call to the first frame.
      tick: seconds from the call to the frame that answers the first action.
      peak: bytes that the process held at most, or None.
    """

    frame: float
    tick: float
    peak: int | None


def start_figures(
    command: Sequence[str],
    *,
    starts: int,
    conditions: dict[str, Any],
    progress: Progress | None = None,
) -> list[Figure]:
    """Measures cold and warm starts: seconds to the first frame and to the first answer, and peak memory.

    Args:
      command: starts a process that prints `frame`, `tick` and `peak BYTES`, and that keeps what it compiles under
        `$XDG_CACHE_HOME`.
      starts: how many pairs of a cold and a warm start.
      conditions: of the figures.
      progress: told the pairs done and to do.

    Raises:
      RuntimeError: a process failed; the sentence ends with what it said.
    """
    found: dict[str, list[Start]] = {"cold": [], "warm": []}
    for index in range(starts):
        with tempfile.TemporaryDirectory() as cache:
            for name in found:
                found[name].append(start_once(command, Path(cache)))
        if progress is not None:
            progress(index + 1, starts)
    about = conditions | {"starts": starts}
    figures = []
    for name, measured in found.items():
        figures += [
            median_figure(f"start.{name}.frame", np.asarray([start.frame for start in measured]), "s", about),
            median_figure(f"start.{name}.tick", np.asarray([start.tick for start in measured]), "s", about),
        ]
        peaks = np.asarray([start.peak for start in measured if start.peak is not None])
        if len(peaks):
            figures.append(median_figure(f"memory.peak.{name}", peaks / 2**20, "MB", about))
    return figures


def start_once(command: Sequence[str], cache: Path) -> Start:
    """Starts a process as `start_figures` says, with `cache` as the user's cache folder, and waits for its end.

    Raises:
      RuntimeError: it failed.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _CACHE_SETTINGS}
    environment["XDG_CACHE_HOME"] = str(cache)
    heard: dict[str, float] = {}
    peak = None
    with tempfile.TemporaryFile("w+") as errors, _watched(command, environment, errors) as (process, began):
        for line in process.stdout:
            name, _, value = line.strip().partition(" ")
            heard[name] = time.perf_counter() - began
            if name == PEAK and value.isdigit():
                peak = int(value)
        code = process.wait()
        errors.seek(0)
        if code != 0 or not {FRAME, TICK} <= heard.keys():
            said = errors.read().strip().splitlines()[-1:] or ["nothing"]
            raise RuntimeError(
                f"A start could not be measured: {' '.join(command)} ended with code {code} and said {said[0]!r}."
            )
    return Start(frame=heard[FRAME], tick=heard[TICK], peak=peak)


@contextlib.contextmanager
def _watched(command: Sequence[str], environment: dict[str, str], errors: Any) -> Iterator[tuple[Any, float]]:
    """Starts a process that is ended when it takes too long or when the caller leaves."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    watch = threading.Timer(PATIENCE, process.kill)
    watch.start()
    try:
        with process:
            yield process, began
    finally:
        watch.cancel()
        process.kill()
