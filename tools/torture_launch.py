"""A run of four processes that is killed, hung and stopped again and again, beside one that is left alone."""

import dataclasses
import random
import signal
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torture_runs
from torture_meshes import differences

from oyster_jax.parallel.distributed import STOPPED

#: Seconds without a step after which the launcher takes a process for hung.
SILENCE = 100

#: Seconds within which training has to go on after a kill.
LIMIT = 60.0

COORDINATOR, KILL, HANG, STOP = "kill of the coordinator", "kill", "hang", "SIGTERM"


@dataclasses.dataclass(kw_only=True)
class Disturbed:
    """A run and what was done to it.

    Attributes:
      run: its folder.
      data: of the recording.
      options: of the training.
      processes: how many work on it.
      process: of the launcher.
      waits: seconds from each disturbance to the next step, by kind.
      lost: steps done twice after a SIGTERM.
    """

    run: Path
    data: Path
    options: Sequence[str]
    processes: int
    process: Any = None
    waits: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    lost: int = 0

    def start(self) -> None:
        """Starts the run, or goes on with it."""
        launch = ("-n", str(self.processes), "--silence", str(SILENCE))
        self.process = torture_runs.start(self.run, self.data, self.options, launch=launch)

    def disturb(self, kind: str, victim: int) -> float:
        """Does what `kind` says to a process; returns after how many seconds training went on."""
        at = time.time()
        if kind == STOP:
            at = self._stop()
        else:
            number = signal.SIGSTOP if kind == HANG else signal.SIGKILL
            torture_runs.send(torture_runs.children(self.process)[victim], number)
        # A step that was on its way when it happened does not count.
        took = torture_runs.wait_for_steps(self.run, self.process, at + 0.5, 1) - at
        self.waits.setdefault(kind, []).append(took)
        return took

    def _stop(self) -> float:
        """Lets the launcher end and starts it again; returns when."""
        self.process.send_signal(signal.SIGTERM)
        if (code := self.process.wait()) != STOPPED:
            raise RuntimeError(f"The launcher ended with code {code} after SIGTERM.")
        (stage, last), at = torture_runs.records(self.run)[-1], time.time()
        self.start()
        torture_runs.wait_for_steps(self.run, self.process, at, 1)
        later = [one["step"] for name, one in torture_runs.records(self.run) if name == stage and one["time"] > at]
        self.lost += max(0, last["step"] + 1 - later[0]) if later else 0
        return at


def torture(folder: Path, *, kinds: Sequence[str], processes: int, seed: int, options: Sequence[str] = ()) -> bool:
    """Disturbs a run in the given ways, in a random order at random moments; returns whether all was well."""
    data, calm = folder / "data", folder / "calm"
    torture_runs.finish(torture_runs.start(calm, data, options, launch=("-n", str(processes))), calm)
    disturbed = Disturbed(run=folder / "disturbed", data=data, options=options, processes=processes)
    generator = random.Random(seed)
    disturbed.start()
    for kind in generator.sample(kinds, len(kinds)):
        torture_runs.wait_for_steps(disturbed.run, disturbed.process, time.time(), generator.randint(1, 25))
        victim = 0 if kind == COORDINATOR else generator.randrange(1, processes)
        took = disturbed.disturb(kind, victim)
        print(f"{kind}, process {victim}: training again after {took:.0f} s", flush=True)
    torture_runs.finish(disturbed.process, disturbed.run)
    apart = differences(torture_runs.losses(calm), torture_runs.losses(disturbed.run))
    return outcome(disturbed, apart)


def disturbances(kills: int) -> list[str]:
    """Returns so many kills, a third of them of the coordinator, a hang and a SIGTERM."""
    return [KILL] * (kills - kills // 3) + [COORDINATOR] * (kills // 3) + [HANG, STOP]


def outcome(disturbed: Disturbed, apart: dict[str, float]) -> bool:
    """Says what came of it; returns whether all was well."""
    kills = [wait for kind, waits in disturbed.waits.items() if kind in (KILL, COORDINATOR) for wait in waits]
    for stage, difference in apart.items():
        print(f"{stage}: largest relative difference of a loss to the undisturbed run: {difference:.1e}")
    if kills:
        print(
            f"{len(kills)} kills; training again after {statistics.median(kills):.0f} s in the median and "
            f"{max(kills):.0f} s at most ({LIMIT:.0f} allowed)."
        )
    print(f"Steps lost by SIGTERM: {disturbed.lost}.")
    return max(kills, default=0) <= LIMIT and disturbed.lost == 0 and max(apart.values()) == 0
