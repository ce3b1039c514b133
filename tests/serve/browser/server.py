"""`oyster serve` in a process of its own, as people start it."""

import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

PATIENCE = 120.0
_READY = re.compile(r"^Ready: http://127\.0\.0\.1:(\d+)/$")


class Server:
    """A server of one world; it can be killed and started again at the same port."""

    def __init__(self, world: Path, data: Path):
        self._world, self._data, self._port = world, data, 0
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._drained()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    def start(self) -> None:
        """Starts it and waits until it is ready."""
        command = [sys.executable, "-m", "oyster_jax.cli.main", "serve", "--world", str(self._world)]
        command += ["--players", "2"]
        command += ["--data", str(self._data), "--port", str(self._port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        watchdog = threading.Timer(PATIENCE, self._process.kill)
        watchdog.start()
        said = []
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said.append(line)
            if found := _READY.match(line):
                self._port = int(found[1])
                break
        else:
            raise RuntimeError("The server ended before it was ready:\n" + "".join(said))
        watchdog.cancel()
        # Nothing may fill the pipe up.
        self._reader = threading.Thread(target=self._process.stdout.read, daemon=True)
        self._reader.start()

    def kill(self) -> None:
        """Ends it as a crash does."""
        assert self._process is not None
        self._process.kill()
        self._drained()

    def _drained(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
