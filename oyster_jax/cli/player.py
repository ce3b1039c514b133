"""Playing a world live in the terminal."""

import collections
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from oyster_jax.cli.keyboard import Decoder, HeldKeys, bindings
from oyster_jax.cli.screen import Screen
from oyster_jax.cli.terminal import Terminal
from oyster_jax.core.state import Status
from oyster_jax.worlds.world import World

QUIT = frozenset({"q", "escape", "ctrl+c"})
RESET, NEW, PAUSE = "r", "n", "p"
COMMANDS = QUIT | {RESET, NEW, PAUSE}

#: Ticks over which speed and latency are shown.
RECENT = 30
#: How long a note stays, in seconds.
NOTE = 3.0


class Player:
    """Steps a world at its own pace under the keys that are held, until the player quits.

    Attributes:
      latencies: of every tick, in seconds: from the action to the finished frame.
      seed: of the world that is shown.
      place: the document of a scene that it begins with each time, where there is one.
    """

    def __init__(
        self, world: World, terminal: Terminal, *, seed: int, rate: float, place: dict[str, Any] | None = None
    ) -> None:
        self.world, self.terminal, self.period = world, terminal, 1 / rate
        self.place = place
        self.latencies: list[float] = []
        self._keys, self._held, self._screen = Decoder(), HeldKeys(), Screen()
        self._buttons = bindings(world.spec.action, COMMANDS)
        self._ticks: collections.deque[float] = collections.deque(maxlen=RECENT)
        self._paused, self._note, self._note_until = False, "", 0.0
        self.begin(seed)

    def begin(self, seed: int, note: str = "") -> None:
        """Begins a world anew."""
        self.seed = seed
        self.state = self.world.reset(seed) if self.place is None else self.world.encode(entities=self.place, seed=seed)
        self.frame = self.world.render(self.state)
        self._note, self._note_until = note, time.monotonic() + NOTE

    def run(self) -> None:
        """Plays; returns when the player quits or the terminal has gone."""
        self.show()
        due = time.monotonic() + self.period
        while True:
            typed = self.terminal.read(self.period if self._paused else due - time.monotonic())
            if typed is None or not self.take(typed):
                return
            now = time.monotonic()
            if self._paused:
                self._ticks.clear()
                due = now
            elif now >= due:
                self.tick()
                # A tick that came late is not made up for: the world would rush.
                due = max(due + self.period, time.monotonic())
            else:
                continue
            self.show()

    def take(self, typed: bytes) -> bool:
        """Handles what was typed; false when it says to quit."""
        for key in self._keys.decode(typed):
            if key.name in COMMANDS:
                if key.kind == "release":
                    continue
                if key.name in QUIT:
                    return False
                self._command(key.name)
            else:
                self._held.take(key, time.monotonic(), tells_releases=self._keys.tells_releases)
        return True

    def tick(self) -> None:
        """Advances the world by one tick under the keys that are held; one that has ended begins anew."""
        begin = time.monotonic()
        self.state, frame = self.world.tick(self.state, self.action, donate=True)
        self.frame = np.asarray(frame)
        self.latencies.append(time.monotonic() - begin)
        self._ticks.append(begin)
        status = self.world.status(self.state)
        if status is Status.TERMINAL:
            self.begin(self.seed + 1, f"The episode has ended: here is another, seed {self.seed + 1}.")
        elif status is Status.NONFINITE:
            self.begin(self.seed + 1, f"{status.sentence} Here is another, seed {self.seed + 1}.")

    @property
    def action(self) -> int:
        """The id of the action that the held keys make."""
        held = self._held.names(time.monotonic())
        return self.world.spec.action.held(self._buttons[key] for key in held if key in self._buttons)

    def show(self) -> None:
        """Draws the frame and the lines below it."""
        columns, rows = self.terminal.size
        self.terminal.write(self._screen.draw(self.frame, self._lines(), columns, rows))

    def _command(self, name: str) -> None:
        if name == PAUSE:
            self._paused = not self._paused
            return
        self._held.clear()
        seed = self.seed + (name == NEW)
        self.begin(seed, f"A new world, seed {seed}." if name == NEW else "Back at the beginning.")

    def _lines(self) -> list[str]:
        name, latencies = self.world.name, self.latencies[-RECENT:]
        speed = (len(self._ticks) - 1) / (self._ticks[-1] - self._ticks[0]) if len(self._ticks) > 1 else 0.0
        latency = 1000 * float(np.median(latencies)) if latencies else 0.0
        action = self.world.spec.action.names[self.action]
        status = "paused" if self._paused else f"{speed:.1f} fps  {latency:.1f} ms/tick"
        note = self._note if time.monotonic() < self._note_until else ""
        keys = f"q quit  {_listed(self._buttons)}  p pause  r reset  n new"
        return [f"{name} seed {self.seed}  {status}  {action}", note or keys]


def _listed(buttons: Iterable[str]) -> str:
    names = set(buttons)
    arrows = "arrows" if "left" in names or "up" in names else ""
    letters = "WASD" if {"a", "d"} <= names else ""
    space = "space" if "space" in names else ""
    return " ".join(filter(None, [arrows, letters, space]))
