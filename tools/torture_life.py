"""A life in a session at full speed, in a process of its own that tells every step on its standard output.

    python tools/torture_life.py WORLD SESSION SEED [--straight]

It goes on with the session, or begins it. It takes random actions, and now and then rewinds, branches, pauses, labels
and changes branches; with --straight it only lives. `Life` is the side of whoever starts it, and ends it.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: What a line begins with: words by which the two sides understand each other.
BEGIN, OPENED, TURN, STEP, LABEL = "begin", "opened", "turn", "step", "label"
#: Seconds of ticks between two snapshots; the tiny world ticks in about a millisecond.
_SNAPSHOT_SECONDS = 0.05
#: Seconds of world time that a session may take: without end.
_FOREVER = 1e6
#: How far a rewind goes at most, in ticks.
_FAR = 300
_BRANCHES = 40
#: Turns a tick: one or two a second.
_TURNS = 0.001


class Life:
    """A life that runs, and what it has told.

    Args:
      world: folder of the world.
      session: folder of the session.
      seed: of what happens.
      noise: file for what is written on the standard error.
      straight: only live, without turns.
    """

    def __init__(self, world: Path, session: Path, seed: int, noise: Path, *, straight: bool = False):
        arguments = [sys.executable, __file__, os.fspath(world), os.fspath(session), str(seed)]
        package = os.fspath(Path(__file__).resolve().parents[1])
        # All lives compile the same: where the environment does not say otherwise, the first keeps it for the rest.
        cache = {
            "JAX_COMPILATION_CACHE_DIR": os.fspath(noise.with_name("compiled")),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        path = {"PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))}
        with noise.open("ab") as file:
            self._process = subprocess.Popen(
                [*arguments, *(["--straight"] if straight else [])],
                stdout=subprocess.PIPE,
                stderr=file,
                env=cache | os.environ | path,
            )
        self.pid = self._process.pid
        self.lines: list[list[str]] = []
        self._words: set[str] = set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self, until: Callable[["Life"], Any], seconds: float = 180.0, pause: float = 0.002) -> None:
        """Returns when `until` holds.

        Raises:
          RuntimeError: the life ended, or took too long.
        """
        deadline = time.monotonic() + seconds
        while not until(self):
            if self._process.poll() is not None:
                raise RuntimeError(f"A life ended by itself, with {self._process.returncode}.")
            if time.monotonic() > deadline:
                raise RuntimeError(f"A life did not come so far within {seconds:g} s; it told {self.lines[-1:]} last.")
            time.sleep(pause)

    def has_told(self, word: str) -> bool:
        """Returns whether a line began with a word."""
        return word in self._words

    def told(self, word: str) -> list[list[str]]:
        """Returns the lines that began with a word, without it."""
        return [rest for first, *rest in self.lines.copy() if first == word]

    def kill(self) -> float:
        """Ends it with SIGKILL, reads what it had told, and returns when that was, in monotonic seconds."""
        now = time.monotonic()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return now

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # The last one may have been cut off.
            if line.endswith(b"\n"):
                self.lines.append(line.decode().split())
                self._words.add(self.lines[-1][0])


def _live(world: Path, folder: Path, seed: int, *, straight: bool) -> None:
    from oyster_jax.session import keeper
    from oyster_jax.session.archive import is_session
    from oyster_jax.worlds.registry import load
    from oyster_jax.worlds.session import Session

    keeper.SNAPSHOT_SECONDS = _SNAPSHOT_SECONDS
    generator, loaded = random.Random(seed), load(world)
    _tell(BEGIN)
    if is_session(folder):
        session = Session.open(folder, loaded)
    else:
        session = loaded.session(folder, seed=3, respawn=False, max_duration=_FOREVER)
    session.step("noop")
    _tell(OPENED)
    while True:
        if not straight and generator.random() < _TURNS:
            session = _turn(session, generator)
        frame = session.step(generator.randrange(loaded.spec.action.count))
        trouble = session.status.sentence.count("cannot be written")
        _tell(STEP, session.branch_name, session.tick, session.durable, _digest(frame), time.monotonic(), trouble)
        if straight:
            time.sleep(0.002)


def _turn(session: Any, generator: random.Random) -> Any:
    """Does one of the things that are done to sessions beside living."""
    names = [line.name for line in session.timeline().branches]
    turns = ["pause", "label", "change", *(["rewind", "rewind", "branch", "branch"] if len(names) < _BRANCHES else [])]
    turn = generator.choice(turns)
    _tell(TURN, turn)
    back = max(0, session.tick - generator.randrange(_FAR))
    if turn == "pause":
        session.pause()
        session.resume()
    elif turn == "label":
        text = f"label-{generator.getrandbits(64):x}"
        session.label(back, text)
        session.flush()
        _tell(LABEL, session.branch_name, text)
    elif turn == "rewind":
        session.rewind(back)
    elif turn == "branch":
        other = session.branch(back)
        session, other = (other, session) if generator.random() < 0.5 else (session, other)
        other.close()
    else:
        name = generator.choice(names)
        session.seek(next(line.end for line in session.timeline().branches if line.name == name), branch=name)
    return session


def _digest(frame: Any) -> str:
    from oyster_jax.session.branch import frame_digest

    return frame_digest(frame).hex()


def _tell(*words: object) -> None:
    # One write a line, so that none is cut off but by the end.
    os.write(sys.stdout.fileno(), (" ".join(map(str, words)) + "\n").encode())


if __name__ == "__main__":
    _live(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), straight="--straight" in sys.argv)
