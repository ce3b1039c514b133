"""Lives a session of half an hour as fast as it goes, and measures whether it stays as quick and as small as it began.

    tools/soak                                                        27,000 ticks: 30 minutes at 15 ticks/s
    tools/soak --ticks 108000 --rate 60 --verify all --plot soak.png  30 minutes at 60 ticks/s
    tools/soak --pacing                                               what snapshots cost a player at 60 ticks/s

One line of JSON a figure, as of tools/bench, and on the standard error what was asked of each. Ends with 1 if a frame
did not come back bit for bit.
"""

import contextlib
import dataclasses
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import soak_life
import tyro
from soak_turns import pacing_figures, sticky_actions

from oyster_jax.cli.cores import use_one_core
from oyster_jax.evaluate.figure import Figure, as_line, surroundings
from oyster_jax.files import write_whole
from oyster_jax.parallel.tpu import quiet_without_tpu
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.world import World

#: The most that each figure may be.
ASKED = {
    "soak.flatness.p50": 1.03,
    "soak.flatness.p99": 1.03,
    "soak.flatness.paired": 1.03,
    "soak.memory.parent.growth": 1.01,
    "soak.memory.writer.growth": 1.01,
    "soak.rewind.p95": 1.0,
    "soak.branches.disk": 1.2,
    "soak.branches.memory": 1.2,
    "pacing.difference.p99": 2.0,
}
#: Ends the names of figures that are the share of what came back bit for bit.
EXACT = ".exact"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """What is lived, and what is done with it then."""

    world: str = "coinrun"
    """Name of an installed world, or the folder of one."""
    seed: int = 0
    """Of the world and of the actions."""
    ticks: Annotated[int, tyro.conf.arg(metavar="N")] = 27_000
    """How long it is lived; 27,000 are half an hour at 15 ticks/s."""
    rate: Annotated[float | None, tyro.conf.arg(metavar="HZ")] = None
    """Ticks a second of the world's own time, as the world has it unless given; with --pacing of the wall's, 60."""
    slices: Annotated[int, tyro.conf.arg(metavar="N")] = 30
    """Parts of the run that are compared with each other."""
    turns: Annotated[int, tyro.conf.arg(metavar="N")] = 20
    """Turns in which the end is compared with a session that has just begun, or snapshots with none."""
    turn_ticks: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Of one turn, 50 unless given; with --pacing 300."""
    rewinds: Annotated[int, tyro.conf.arg(metavar="N")] = 100
    """To random ticks, the latest first."""
    branches: Annotated[int, tyro.conf.arg(metavar="N")] = 50
    """That leave at random ticks and are all open at once."""
    branch_ticks: Annotated[int, tyro.conf.arg(metavar="N")] = 8
    """That each of them is lived."""
    verify: Annotated[int | Literal["all"], tyro.conf.arg(metavar="N|all")] = 0
    """The last ticks that are lived again from the log."""
    pacing: bool = False
    """Live two sessions in turns at a steady pace instead, one with snapshots and one without."""
    plot: Path | None = None
    """A PNG to draw of the run."""
    out: Path | None = None
    """A file for the lines of JSON, beside printing them."""
    folder: Path | None = None
    """Where sessions are kept, empty as yet; a temporary folder that is removed again unless given."""

    def __post_init__(self) -> None:
        fewest = soak_life.UNCOUNTED + 1
        if self.slices < 2 or self.ticks < fewest * self.slices:
            raise ValueError(
                f"A run has at least two slices of {fewest} ticks, but this one has {self.ticks} ticks in "
                f"{self.slices}; make it longer or give fewer --slices."
            )
        if min(self.turns, self.rewinds, self.branches) < 1 or min(self.turn_ticks or 1, self.branch_ticks) < 1:
            raise ValueError("Turns, rewinds, branches and their ticks are at least one each.")
        if self.pacing and self.plot is not None:
            raise ValueError("--plot draws a run, and --pacing is none; leave one of them out.")


def measure(config: Config, world: World, folder: Path) -> tuple[list[Figure], soak_life.Life, np.ndarray]:
    """Lives a session and does everything with it; returns figures, its life, and ticks and seconds of its rewinds."""
    if config.rate is not None:
        frame = dataclasses.replace(world.spec.frame, rate=config.rate)
        model = dataclasses.replace(world.model, spec=dataclasses.replace(world.spec, frame=frame))
        world = dataclasses.replace(world, model=model)
    rate, turn = world.spec.frame.rate, sticky_actions(world, config.turn_ticks or 50, config.seed + 1)
    about = _conditions(config, world) | {"ticks": config.ticks, "rate": rate}
    seconds = (config.ticks + config.turns * len(turn) + config.branch_ticks) / rate
    with world.session(folder / "session", seed=config.seed, max_duration=seconds) as session:
        life = soak_life.live(session, config.ticks, seed=config.seed, slices=config.slices, say=say)
        figures = soak_life.life_figures(life, rate, about)
        with world.session(folder / "fresh", seed=config.seed, max_duration=seconds + 60) as fresh:
            figures.append(soak_life.flatness_figure(session, fresh, turn, config.turns, about, say))
        found, rewinds = soak_life.rewind_figures(session, life, config.rewinds, about, say)
        figures += found
        figures += soak_life.branch_figures(session, life, config.branches, config.branch_ticks, about, say)
        problems = session.problems
    for problem in problems:
        say(problem)
    figures += soak_life.opening_figures(folder / "session", world, about)
    if config.verify:
        last = -1 if config.verify == "all" else config.verify
        figures += soak_life.verification_figures(folder / "session", world, last, about, say)
    return figures, life, rewinds


def draw(path: Path, life: soak_life.Life, rewinds: np.ndarray, rate: float) -> None:
    """Draws latency, memory, disk and rewinds over world time."""
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(11, 7), layout="constrained")
    ((latency, memory), (disk, rewinding)) = drawing.subplots(2, 2)
    end = len(life.times) / rate / 60
    middles = (np.arange(life.slices) + 0.5) * end / life.slices
    for percentile in (50, 99):
        latency.plot(middles, life.percentiles(percentile), marker=".", label=f"p{percentile}")
    latency.set(title="one tick, from its action to its frame", ylabel="ms")
    looks = life.looks / rate / 60
    memory.plot(looks, life.parent / soak_life.MEGABYTE, label="the session's process")
    memory.plot(looks, life.writer / soak_life.MEGABYTE, label="the process that writes snapshots")
    memory.set(title="resident memory", ylabel="MB")
    disk.plot(looks, life.disk / soak_life.MEGABYTE, label=f"with {life.snapshots[-1]:,.0f} snapshots at the end")
    disk.set(title="on the disk", ylabel="MB")
    rewinding.plot(rewinds[0] / rate / 60, rewinds[1], ".", label="to a random tick")
    rewinding.axhline(ASKED["soak.rewind.p95"], color="grey", linestyle="--", label="asked of 95 %")
    rewinding.set(title="rewinding", ylabel="s")
    for axes in drawing.axes:
        axes.set(xlabel="minutes of world time", xlim=(0, end), ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.png")
    drawing.savefig(temporary, dpi=140)
    temporary.replace(path)


def sentence(figure: Figure) -> str:
    """Says a figure, and what was asked of it, for people."""
    text = f"{figure.name}: {figure.value:.4g} {figure.unit}"
    if figure.name.endswith(EXACT):
        return f"{text} – {'as asked' if figure.value == 1 else 'NOT bit for bit'}"
    if (most := ASKED.get(figure.name)) is None:
        return text
    return f"{text} – {'as asked' if figure.value <= most else 'MORE than asked'} (at most {most:g})"


def main(config: Config, world: World | None = None) -> int:
    """Measures, prints and draws; 1 if a frame did not come back bit for bit.

    Args:
      config: what to do.
      world: to live in, the one that `config` names unless given.
    """
    world = world or load(config.world)
    with _folder(config.folder) as folder:
        if config.pacing:
            about, rate, ticks = _conditions(config, world), config.rate or 60.0, config.turn_ticks or 300
            figures = pacing_figures(
                world, folder, seed=config.seed, rate=rate, turns=config.turns, ticks=ticks, conditions=about, say=say
            )
        else:
            figures, life, rewinds = measure(config, world, folder)
            if config.plot is not None:
                draw(config.plot, life, rewinds, config.rate or world.spec.frame.rate)
    shared = surroundings()
    lines = "".join(as_line(figure, shared) + "\n" for figure in figures)
    print(lines, end="")
    if config.out is not None:
        write_whole(config.out.parent, {config.out.name: lines.encode()})
    for figure in figures:
        say(sentence(figure))
    return 0 if all(figure.value == 1 for figure in figures if figure.name.endswith(EXACT)) else 1


def say(text: str) -> None:
    """Tells people how it goes."""
    print(text, file=sys.stderr, flush=True)


def _conditions(config: Config, world: World) -> dict[str, Any]:
    return {"world": world.name, "digest": world.digest, "seed": config.seed}


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        yield Path(folder)


if __name__ == "__main__":
    quiet_without_tpu()
    use_one_core()
    raise SystemExit(main(tyro.cli(Config, description=__doc__)))
