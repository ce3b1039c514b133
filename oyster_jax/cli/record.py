"""`oyster record`: plays a game by a policy and writes what was seen and done as a dataset."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Records a dataset: frames, actions, rewards, ends, and on request the simulator's entities."""

    source: tyro.conf.Positional[str]
    """What to record, as in procgen:coinrun."""
    out: Path
    """The folder to write; it must not exist or be empty."""
    frames: int = 100_000
    """How many frames."""
    levels: str = "0:200000"
    """START:STOP, STOP not included. Levels from 1000000 on are held out: they never mix with training levels."""
    policy: Literal["sticky", "random"] = "sticky"
    """Who acts: sticky keeps its actions for a while and leans to the right, random draws each one."""
    seed: int = 0
    """The same seed records the same bytes."""
    entities: tyro.conf.FlagCreatePairsOff[bool] = False
    """Also record positions, velocities and kinds of everything that moves (about a third slower)."""
    distribution: Literal["easy", "hard", "extreme", "memory"] = "easy"
    """Which levels of the game."""
    backgrounds: tyro.conf.FlagCreatePairsOff[bool] = False
    """Levels with pictures behind them."""
    themes: tyro.conf.FlagCreatePairsOff[bool] = False
    """Levels that differ in their tiles and figures."""
    environments: Annotated[int, tyro.conf.arg(metavar="N")] = 64
    """How many run side by side; it changes what is recorded."""


def main(config: Config) -> int:
    """Records and says what was written; 2 if something about the request was wrong."""
    from rich.console import Console

    from oyster_jax.data.errors import DatasetError

    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        return _record(config)
    except DatasetError as error:
        console.print(str(error), style="red")
        return 2
    except KeyboardInterrupt:
        console.print(f"Stopped. {config.out} holds an unfinished recording, which nothing reads; delete it.")
        return 130


def _record(config: Config) -> int:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from oyster_jax.data.errors import DatasetError
    from oyster_jax.data.record import RecordConfig, record
    from oyster_jax.data.sources.procgen import Procgen

    family, _, game = config.source.partition(":")
    if family != "procgen":
        raise DatasetError(f"There is no source '{config.source}'; write procgen:GAME, as in procgen:coinrun.")
    source = Procgen(
        game=game,
        distribution=config.distribution,
        backgrounds=config.backgrounds,
        themes=config.themes,
        entities=config.entities,
    )
    request = RecordConfig(
        source=source,
        frames=config.frames,
        levels=_levels(config.levels),
        policy=config.policy,
        seed=config.seed,
        environments=config.environments,
    )
    speed = TextColumn("{task.fields[rate]:,.0f} frames/s")
    bar = Progress(TextColumn("recording"), BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn())
    task = bar.add_task("recording", total=config.frames, rate=0.0)

    def progress(frames: int) -> None:
        # Not before something is recorded: until then there may be a reason not to.
        bar.start()
        elapsed = bar.tasks[task].elapsed or 0.0
        bar.update(task, completed=frames, rate=frames / elapsed if elapsed else 0.0)

    try:
        manifest = record(request, config.out, progress)
    finally:
        bar.stop()
    size = sum(shard.bytes for shard in manifest.shards)
    Console().print(
        f"Wrote {manifest.frames:,} frames in {manifest.episodes:,} episodes ({size / 2**20:,.1f} MiB, "
        f"{manifest.provenance.split}) to {config.out}.",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _levels(text: str) -> tuple[int, int]:
    from oyster_jax.data.errors import DatasetError

    start, _, stop = text.partition(":")
    if not (start.isdigit() and stop.isdigit()):
        raise DatasetError(f"Levels '{text}' are no range; write START:STOP, as in 0:200000.")
    return int(start), int(stop)


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Config)))
