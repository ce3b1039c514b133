"""`oyster record`: plays a game by a policy and writes what was seen and done as a dataset."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from oyster_jax.data.sources.source import Source


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Records a dataset: frames, actions, rewards, ends, and of Procgen on request the entities.

    Any environment of Gymnasium can be recorded that shows pictures, or renders rgb_array.
    """

    source: tyro.conf.Positional[str]
    """What to record, as in procgen:coinrun, craftax:classic, gym:CartPole-v1 or gym:minigrid:MiniGrid-Empty-8x8-v0
    (gym:MODULE:ID)."""
    out: Path
    """The folder to write; it must not exist or be empty."""
    frames: int = 100_000
    """How many frames."""
    levels: str = "0:200000"
    """START:STOP, STOP not included. Levels from 1000000 on are held out: they never mix with training levels."""
    policy: str = "sticky"
    """Who acts: sticky keeps its actions for a while and leans to the right, random draws each one; several share the
    environments, as in sticky*3,random, and mixed is all that there are."""
    seed: int = 0
    """The same seed records the same bytes."""
    environments: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """How many run side by side, 64 of Procgen and Craftax and 8 of Gymnasium unless given; it changes what is
    recorded."""
    entities: tyro.conf.FlagCreatePairsOff[bool] = False
    """Procgen: also record positions, velocities and kinds of everything that moves (about a third slower)."""
    scenery: tyro.conf.FlagCreatePairsOff[bool] = False
    """Procgen's coinrun: with --entities, also record the tiles around the agent, and what types are called."""
    distribution: Literal["easy", "hard", "extreme", "memory"] = "easy"
    """Procgen: which levels of the game."""
    backgrounds: tyro.conf.FlagCreatePairsOff[bool] = False
    """Procgen: levels with pictures behind them."""
    themes: tyro.conf.FlagCreatePairsOff[bool] = False
    """Procgen: levels that differ in their tiles and figures."""
    events: float = 0.0
    """Craftax: share of ticks at which something is made to happen that no action did, as when night falls."""
    view: Literal["auto", "observation", "rendering"] = "auto"
    """Gymnasium: where frames come from; auto takes observations that are pictures, else what is rendered."""
    size: Annotated[str | None, tyro.conf.arg(metavar="HEIGHTxWIDTH")] = None
    """Gymnasium: pixels of a frame, multiples of 16; unless given, 64 for the shorter side where another is needed."""
    rate: float | None = None
    """Gymnasium: ticks a second, where the environment's own rate is not meant."""
    actions: Annotated[str | None, tyro.conf.arg(metavar="NAMES")] = None
    """Gymnasium: names in order, as in left,right, or with values, as in noop=0:0,left=-1:0,right=1:0."""


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

    from oyster_jax.data.record import RecordConfig, record

    source, environments = _source(config)
    request = RecordConfig(
        source=source,
        frames=config.frames,
        levels=_levels(config.levels),
        policy=config.policy,
        seed=config.seed,
        environments=environments if config.environments is None else config.environments,
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


def _source(config: Config) -> tuple["Source", int]:
    """Returns the source, and how many of its environments run side by side unless something else is asked for."""
    from oyster_jax.data.errors import DatasetError
    from oyster_jax.data.sources.craftax import Craftax
    from oyster_jax.data.sources.gymnasium import Gymnasium
    from oyster_jax.data.sources.procgen import Procgen

    options = {
        "procgen": ("entities", "scenery", "distribution", "backgrounds", "themes"),
        "craftax": ("events",),
        "gym": ("view", "size", "rate", "actions"),
    }
    family, _, game = config.source.partition(":")
    if family not in options:
        raise DatasetError(
            f"There is no source '{config.source}'; write procgen:GAME, craftax:classic or gym:ENV_ID, as in "
            "procgen:coinrun."
        )
    for other in (name for kind, names in options.items() if kind != family for name in names):
        if getattr(config, other) != getattr(Config, other):
            raise DatasetError(f"--{other} is not for {family}:; leave it out.")
    given = {name: getattr(config, name) for name in options[family]}
    if family == "gym":
        return Gymnasium(id=game, **given), 8
    return (Procgen(game=game, **given) if family == "procgen" else Craftax(game=game, **given)), 64


def _levels(text: str) -> tuple[int, int]:
    from oyster_jax.data.errors import DatasetError

    start, _, stop = text.partition(":")
    if not (start.isdigit() and stop.isdigit()):
        raise DatasetError(f"Levels '{text}' are no range; write START:STOP, as in 0:200000.")
    return int(start), int(stop)


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Config)))
