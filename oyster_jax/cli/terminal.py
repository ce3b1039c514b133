"""The terminal while something plays in it: keys at once, a screen of its own, and at the end all as it was."""

import os
import select
import signal
import sys
import termios
import tty
from types import FrameType
from typing import Any, Self

from oyster_jax.cli.keyboard import ASK_FOR_RELEASES, END_RELEASES

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J" + ASK_FOR_RELEASES
_LEAVE = END_RELEASES + "\x1b[0m\x1b[?25h\x1b[?1049l"
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Terminal:
    """A context manager around standard input and output; whatever ends it, the terminal is left as it was found."""

    def __init__(self) -> None:
        self._input, self._output = sys.stdin.fileno(), sys.stdout.fileno()
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        sys.stdout.flush()
        self._before = termios.tcgetattr(self._input)
        # From here on a signal must run __exit__, or the shell would be left without echo and cursor.
        for number in _SIGNALS:
            self._handlers[number] = signal.signal(number, _end)
        try:
            tty.setcbreak(self._input)
            changed = termios.tcgetattr(self._input)
            changed[6][termios.VSUSP] = os.fpathconf(self._input, "PC_VDISABLE").to_bytes()
            termios.tcsetattr(self._input, termios.TCSANOW, changed)
            self.write(_ENTER)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.write(_LEAVE)
            # What was typed and not read (a key held to the end, an answer of the terminal) must not reach the shell.
            termios.tcsetattr(self._input, termios.TCSAFLUSH, self._before)
        except OSError:
            pass  # The terminal itself has gone.
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows; 80 × 24 of a terminal that does not know."""
        columns, rows = os.get_terminal_size(self._output)
        return columns or 80, rows or 24

    def write(self, text: str) -> None:
        """Prints `text`, all of it."""
        data = text.encode()
        while data:
            data = data[os.write(self._output, data) :]

    def read(self, seconds: float) -> bytes | None:
        """Returns what was typed within so long: empty if nothing was, None if the terminal has gone."""
        if not select.select([self._input], [], [], max(0.0, seconds))[0]:
            return b""
        try:
            return os.read(self._input, 4096) or None
        except OSError:
            return None


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
