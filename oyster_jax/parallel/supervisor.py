"""Several processes of one machine that work as one: watched, ended together, and started again when one dies.

A process whose neighbour has died waits for it in some exchange, where no handler of its own runs; so whoever watches
is another program. What was done since the last checkpoint is done again, with the same numbers.
"""

import dataclasses
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Literal

from oyster_jax.parallel.distributed import STOPPED, launched

#: Seconds between looks, and seconds that processes get to end after another has died: they cannot save any more.
PAUSE, MERCY = 0.2, 2.0

#: Times in a row that a start may fail before anything has been done.
FAILED_STARTS = 3

#: Exit code of a program after a user's mistake, which starting again does not mend.
MISTAKE = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class LaunchConfig:
    """How processes are run.

    Attributes:
      processes: how many.
      devices: virtual devices of each, on CPUs; one unless given.
      restart: with all processes again, or with those that are left.
      silence: seconds without a step after which a process counts as hung; ten times as many before its first.
      grace: seconds that processes get to save after SIGTERM.
    """

    processes: int
    devices: int = 1
    restart: Literal["all", "left"] = "all"
    silence: float = 600.0
    grace: float = 60.0

    def __post_init__(self) -> None:
        if self.processes < 1 or self.devices < 1:
            raise ValueError(
                f"At least one process with one device is launched, not {self.processes} with {self.devices}."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Failure:
    """Why processes have to be started again."""

    sentence: str
    worked: bool


class Supervisor:
    """Runs a command in several processes until it is done.

    Args:
      config: how.
      command: what to run in each of them.
      tell: told in sentences what happens.
    """

    def __init__(self, config: LaunchConfig, command: Sequence[str], tell: Callable[[str], None]) -> None:
        self._config, self._command, self._tell = config, list(command), tell
        self._told_to_end = False
        self._processes: list[subprocess.Popen[bytes]] = []

    def run(self) -> int:
        """Returns 0 when the command is done, 143 after SIGTERM or Ctrl-C, 2 after a mistake, 1 if it gives up."""
        before = {number: signal.signal(number, self._hear) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            return self._until_done()
        finally:
            self._kill()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _until_done(self) -> int:
        count, failed_starts = self._config.processes, 0
        while True:
            with tempfile.TemporaryDirectory() as signs:
                outcome = self._attempt(count, Path(signs))
            if outcome == MISTAKE and 1 < count < self._config.processes:
                outcome = _Failure(sentence=f"The work does not come out even on {count} processes.", worked=True)
            if isinstance(outcome, int):
                return outcome
            failed_starts = 0 if outcome.worked else failed_starts + 1
            if failed_starts == FAILED_STARTS:
                self._tell(
                    f"{outcome.sentence} It got nowhere {FAILED_STARTS} times in a row, so it is not tried again."
                )
                return 1
            if self._config.restart == "left":
                count = max(1, count - 1)
            self._tell(f"{outcome.sentence} Starting again with {count} from the last checkpoint.")

    def _attempt(self, count: int, signs: Path) -> int | _Failure:
        """Runs the command once; returns an exit code, or why it has to be run again."""
        self._start(count, signs)
        begun, asked = time.time(), None
        while True:
            codes = [process.poll() for process in self._processes]
            if all(code in (0, STOPPED) for code in codes):
                return STOPPED if self._told_to_end or STOPPED in codes else 0
            if MISTAKE in codes:
                self._kill()
                return MISTAKE
            if self._told_to_end and asked is None:
                asked = time.time()
                self._signal(signal.SIGTERM)
            failure = self._failure(codes, signs, begun, asked)
            if failure is not None:
                self._end()
                if not self._told_to_end:
                    return failure
                self._tell(f"{failure.sentence} What was done since the last checkpoint is done again next time.")
                return STOPPED
            time.sleep(PAUSE)

    def _failure(self, codes: list[int | None], signs: Path, begun: float, asked: float | None) -> _Failure | None:
        now, seen = time.time(), [_seen(_sign(signs, number)) for number in range(len(codes))]
        worked = any(seen)
        for number, code in enumerate(codes):
            if code not in (None, 0, STOPPED):
                how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
                return _Failure(sentence=f"Process {number} of {len(codes)} {how}.", worked=worked)
            limit = self._config.silence if seen[number] else 10 * self._config.silence
            if code is None and now - (seen[number] or begun) > limit:
                silent = now - (seen[number] or begun)
                return _Failure(
                    sentence=f"Process {number} of {len(codes)} is silent for {silent:.0f} s.", worked=worked
                )
        if asked is not None and now - asked > self._config.grace:
            return _Failure(sentence=f"The processes did not end within {self._config.grace:.0f} s.", worked=worked)
        return None

    def _start(self, count: int, signs: Path) -> None:
        port = _free_port()
        self._processes = []
        for number in range(count):
            told = launched(number, count, port, _sign(signs, number))
            told["JAX_NUM_CPU_DEVICES"] = str(self._config.devices)
            self._processes.append(
                subprocess.Popen(
                    self._command,
                    env=os.environ | told,
                    # Ctrl-C reaches this program alone, which tells the others.
                    start_new_session=True,
                )
            )

    def _end(self) -> None:
        self._signal(signal.SIGTERM)
        end = time.time() + MERCY
        while time.time() < end and any(process.poll() is None for process in self._processes):
            time.sleep(PAUSE / 4)
        self._kill()

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)
        for process in self._processes:
            process.wait()

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(number)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self._told_to_end = True


def _sign(signs: Path, number: int) -> Path:
    return signs / f"process-{number}"


def _seen(sign: Path) -> float | None:
    """Returns when a process last gave a sign of life, None if never."""
    try:
        return sign.stat().st_mtime
    except FileNotFoundError:
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
