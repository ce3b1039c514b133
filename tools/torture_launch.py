"""A run of four processes that is killed, hung and stopped again and again, beside one that is left alone."""

import dataclasses
import random
import signal
import time
from pathlib import Path
from typing import Any

import torture_runs
from torture_meshes import differences

PROCESSES = 4

#: Seconds without a step after which the launcher takes a process for hung.
SILENCE = 100

#: Seconds within which training has to go on after a kill.
LIMIT = 60.0


@dataclasses.dataclass(kw_only=True)
class Disturbed:
    """A run and what was done to it.

    Attributes:
      run: its folder.
      data: of the recording.
      seed: of the order of the windows: the experiment's.
      process: of the launcher.
      waits: seconds from each disturbance to the next step, by kind.
      lost: steps done twice after a SIGTERM.
    """

    run: Path
    data: Path
    process: Any = None
    waits: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    lost: int = 0

    def start(self) -> None:
        """Starts the run, or goes on with it."""
        launch = ("-n", str(PROCESSES), "--silence", str(SILENCE))
        self.process = torture_runs.start(self.run, self.data, (), launch=launch)

    def disturb(self, kind: str, victim: int) -> None:
        """Does what `kind` says to a process, and waits until training goes on."""
        at = time.time()
        if kind == "SIGTERM":
            self.process.send_signal(signal.SIGTERM)
            if (code := self.process.wait()) != 143:
                raise RuntimeError(f"The launcher ended with code {code} after SIGTERM.")
            before = torture_runs.records(self.run)[-1]
            at = time.time()
            self.start()
            first = torture_runs.wait_for_steps(self.run, self.process, at, 1)
            again = [record["step"] for stage, record in torture_runs.records(self.run) if record["time"] >= first]
            self.lost += max(0, before[1]["step"] + 1 - again[0]) if again else 0
        else:
            number = signal.SIGSTOP if kind == "hang" else signal.SIGKILL
            torture_runs.send(torture_runs.children(self.process)[victim], number)
            first = torture_runs.wait_for_steps(self.run, self.process, at + 0.5, 1)
        self.waits.setdefault(kind, []).append(first - at)


def torture(folder: Path, *, times: int, seed: int) -> bool:
    """Disturbs a run `times` times by a kill, and once each by a hang and a SIGTERM; returns whether all was well."""
    data, calm = folder / "data", folder / "calm"
    torture_runs.finish(torture_runs.start(calm, data, (), launch=("-n", str(PROCESSES))), calm)
    generator, disturbed = random.Random(seed), Disturbed(run=folder / "disturbed", data=data)
    kinds = ["kill"] * (times - times // 3) + ["kill of the coordinator"] * (times // 3) + ["hang", "SIGTERM"]
    generator.shuffle(kinds)
    disturbed.start()
    for kind in kinds:
        torture_runs.wait_for_steps(disturbed.run, disturbed.process, time.time(), generator.randint(1, 25))
        victim = 0 if kind.endswith("coordinator") else generator.randrange(1, PROCESSES)
        disturbed.disturb(kind, victim)
        print(f"{kind} of process {victim}: training again after {disturbed.waits[kind][-1]:.0f} s", flush=True)
    torture_runs.finish(disturbed.process, disturbed.run)
    apart = differences(torture_runs.losses(calm), torture_runs.losses(disturbed.run))
    return outcome(disturbed, apart)


def outcome(disturbed: Disturbed, apart: dict[str, float]) -> bool:
    """Says what came of it; returns whether all was well."""
    kills = [wait for kind, waits in disturbed.waits.items() if kind.startswith("kill") for wait in waits]
    for stage, difference in apart.items():
        print(f"{stage}: largest relative difference of a loss to the undisturbed run: {difference:.1e}")
    print(f"{len(kills)} kills in a row; training again after {max(kills):.0f} s at most ({LIMIT:.0f} allowed).")
    print(f"Steps lost by SIGTERM: {disturbed.lost}.")
    return max(kills) <= LIMIT and disturbed.lost == 0 and max(apart.values()) == 0
