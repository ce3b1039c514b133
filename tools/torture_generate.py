"""Kills a generation again and again, and compares every byte with one that nobody disturbed."""

import dataclasses
import filecmp
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorstore

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.generate.journal import finished

#: Of the tiny world; a block is done in some hundredths of a second.
BLOCK, TICKS, SPAN = 4, 48, 16
#: Blocks that a life does at most before it is killed, and seconds after the last of them.
_BLOCKS, _DELAY = 5, 0.1
#: Seconds that a life may take to come so far.
_PATIENCE = 300.0


@dataclasses.dataclass(kw_only=True)
class Outcome:
    """What became of a generation that was killed.

    Attributes:
      kills: for each, how many blocks were done, and how many devices there were.
      wrong: what should not be, as sentences.
      files: that were compared.
    """

    kills: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    wrong: list[str] = dataclasses.field(default_factory=list)
    files: int = 0

    @property
    def fine(self) -> bool:
        """Whether nothing differs."""
        return not self.wrong

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        moments = ", ".join(f"{done} blocks ({devices} devices)" for done, devices in self.kills)
        killed = f"{len(self.kills)} kills, after {moments}."
        if not self.fine:
            return "\n".join(["NOT FINE:", *self.wrong, killed])
        return f"{killed}\nAll {self.files} files equal those of a generation that nobody disturbed, byte for byte."


def kill(world: Path, folder: Path, *, times: int, seed: int, tell: Callable[[str], None] = print) -> Outcome:
    """Kills a generation at random moments, goes on with it each time, and compares it at last.

    Args:
      world: folder of the world.
      folder: of both generations and of what they say on their standard error, `noise`.
      times: how often.
      seed: of when.
      tell: told of every kill.
    """
    generator, outcome = random.Random(seed), Outcome()
    blocks = (_BLOCKS + 8) * times + 8
    episodes = BLOCK * blocks - 1  # The last block is not full.
    whole, cut = folder / "whole", folder / "cut"
    for number in range(times):
        # One life, and the run that nobody disturbs, have one device; the others take turns.
        devices = 8 if number % 3 == 1 else 1
        with _begun(world, cut, folder / "noise", episodes, devices) as process:
            before, aim = len(finished(cut)), generator.randint(0, _BLOCKS)
            _wait(process, lambda before=before, aim=aim: cut.exists() and len(finished(cut)) >= before + aim)
            time.sleep(generator.uniform(0, _DELAY))
            process.kill()
            if process.wait() == 0:
                outcome.wrong.append(f"Life {number} was done before it was killed.")
        outcome.kills.append((len(finished(cut)), devices))
        tell(f"kill {number + 1}: {outcome.kills[-1][0]} of {blocks} blocks are done")
    for path, devices in ((cut, 8), (whole, 1)):
        with _begun(world, path, folder / "noise", episodes, devices) as process:
            if process.wait() != 0:
                outcome.wrong.append(f"{path.name} ended with {process.returncode}; see {folder / 'noise'}.")
    if outcome.fine:
        compare(whole, cut, outcome)
    return outcome


def compare(whole: Path, cut: Path, outcome: Outcome) -> None:
    """Compares all files of two generations, and looks for holes and duplicates."""
    files = [{path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} for folder in (whole, cut)]
    outcome.wrong += [f"{path} is in one of them only." for path in sorted(files[0] ^ files[1])]
    for path in sorted(files[0] & files[1]):
        outcome.files += 1
        if not filecmp.cmp(whole / path, cut / path, shallow=False):
            outcome.wrong.append(f"{path} differs.")
    dataset = EpisodeDataset(cut)
    dataset.verify()
    seeds = tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{cut / 'seeds'}/"}}).result()
    if len(np.unique(np.asarray(seeds.read().result()), axis=0)) != len(dataset) or not dataset.lengths.all():
        outcome.wrong.append("Two episodes are the same one, or one is empty.")


def _begun(world: Path, out: Path, noise: Path, episodes: int, devices: int) -> "subprocess.Popen[bytes]":
    request = {"world": world, "out": out, "episodes": episodes, "ticks": TICKS, "block": BLOCK, "span": SPAN}
    options = [text for name, value in (request | {"devices": devices}).items() for text in (f"--{name}", str(value))]
    package = os.fspath(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    cache = {"JAX_COMPILATION_CACHE_DIR": os.fspath(noise.with_name("compiled"))}
    command = [sys.executable, "-m", "oyster_jax.cli.main", "generate", "--beyond", *options]
    with noise.open("ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, env=cache | os.environ | {"PYTHONPATH": path})


def _wait(process: "subprocess.Popen[bytes]", until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not until() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
