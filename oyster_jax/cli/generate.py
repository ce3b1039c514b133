"""`oyster generate`: simulates many episodes and writes them as arrays, or draws the frames of those it wrote."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from oyster_jax.cli.errors import INTERRUPTED
from oyster_jax.parallel.distributed import ALONE, STOPPED, Cluster

if TYPE_CHECKING:
    from oyster_jax.data.dataset import EpisodeDataset
    from oyster_jax.worlds.world import World


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Generates episodes in bulk: frames, actions, rewards, ends, entities, in zarr arrays [episode, tick, …].

    Interrupted or killed, the same command goes on where it was; the bytes are those of a run that never stopped.
    """

    out: Path
    """The folder to write, or to go on with."""
    world: str = "coinrun"
    """Name of an installed world, or the folder of one."""
    episodes: Annotated[int, tyro.conf.arg(metavar="N")] = 1000
    """How many. Episode i follows from the world, the policy, the seed and i alone."""
    ticks: Annotated[int, tyro.conf.arg(metavar="N")] = 256
    """Of each; one that ends before is filled up with zeros."""
    policy: str = "sticky"
    """Who acts: sticky, random, or actions as in "right*30,right+jump*6", the last of which is kept."""
    seed: int = 0
    """Of all randomness."""
    prompt_dir: Path | None = None
    """A dataset of `oyster record`: episodes begin at moments of it instead of in dreams."""
    context: Annotated[int, tyro.conf.arg(metavar="N")] = 8
    """How many of its frames the world sees of each moment."""
    moments: Annotated[int, tyro.conf.arg(metavar="N")] = 256
    """How many moments of it are drawn; the episodes share them evenly."""
    latents: tyro.conf.FlagCreatePairsOff[bool] = False
    """Keep latents instead of frames; --render draws the frames later."""
    render: tyro.conf.FlagCreatePairsOff[bool] = False
    """Draw the frames of what was generated with --latents into the same folder."""
    beyond: tyro.conf.FlagCreatePairsOff[bool] = False
    """Go on after the world has said that an episode ended."""
    no_states: tyro.conf.FlagCreatePairsOff[bool] = False
    """Do not keep the states in which episodes began."""
    block: Annotated[int, tyro.conf.arg(metavar="N")] = 32
    """Episodes that a device plays at once and that share a file."""
    span: Annotated[int, tyro.conf.arg(metavar="N")] = 128
    """Ticks that share a file; what is held in memory grows with blocks and spans, not with episodes."""
    tensor: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Devices that share a block, for a world too large for one; as many everywhere, and the bytes follow from it."""
    devices: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """On a CPU, how many devices it is taken for: one a core unless given. The bytes stay the same."""
    cluster: Cluster = ALONE
    """The processes of this generation; found in the environment of `oyster launch`, SLURM and GKE unless given."""


def main(config: Config) -> int:
    """Generates or renders, and says what was written."""
    from rich.console import Console

    from oyster_jax.cli.allocator import give_back_large_blocks
    from oyster_jax.cli.opening import open_world, split_cpu
    from oyster_jax.parallel.distributed import Terminated, join, leads, terminable

    give_back_large_blocks()
    split_cpu(config.devices)
    join(config.cluster)
    console = Console(highlight=False, soft_wrap=True, quiet=not leads())
    console.print(f"Loading world {config.world} …")
    try:
        with terminable():
            world = open_world(config.world)
            dataset = _render(world, config) if config.render else _generate(world, config)
    except KeyboardInterrupt as stopped:
        console.print(f"Stopped. What is done stays in {config.out}; the same command goes on with it.")
        return STOPPED if isinstance(stopped, Terminated) else INTERRUPTED
    size = sum(shard.bytes for shard in dataset.manifest.shards)
    console.print(
        f"{config.out} holds {dataset.frames:,} ticks of {len(dataset):,} episodes in {size / 2**20:,.1f} MiB "
        f"({', '.join(dataset.content)})."
    )
    return 0


def _generate(world: "World", config: Config) -> "EpisodeDataset":
    from oyster_jax.worlds.generation import generate_rollouts

    with _progress("generating", config.episodes * config.ticks) as update:
        return generate_rollouts(
            world,
            config.out,
            episodes=config.episodes,
            ticks=config.ticks,
            policy=config.policy,
            seed=config.seed,
            prompts=config.prompt_dir,
            context=config.context,
            moments=config.moments,
            latents=config.latents,
            beyond=config.beyond,
            states=not config.no_states,
            block=config.block,
            span=config.span,
            tensor=config.tensor,
            progress=update,
        )


def _render(world: "World", config: Config) -> "EpisodeDataset":
    from oyster_jax.worlds.generation import render_rollouts

    with _progress("rendering", None) as update:
        return render_rollouts(world, config.out, progress=update)


@contextmanager
def _progress(what: str, total: int | None) -> Iterator:
    """Yields what is told of the frames so far, and of those that an earlier run had left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from oyster_jax.parallel.distributed import leads

    speed = TextColumn("{task.fields[rate]:,.0f} frames/s")
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True, quiet=not leads()), transient=True)
    task = bar.add_task(what, total=total, rate=0.0)

    def update(done: int, before: int = 0) -> None:
        # A request that is refused shows no bar.
        bar.start()
        if done == before:
            # Neither compiling nor what was there already counts as speed.
            bar.reset(task, completed=done, total=total)
        elapsed = bar.tasks[task].elapsed or 0.0
        bar.update(task, completed=done, rate=(done - before) / elapsed if elapsed else 0.0)

    try:
        yield update
    finally:
        if bar.live.is_started:
            bar.stop()
