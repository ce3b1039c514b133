"""The part of `oyster bench` that measures generating: stored, and beside it the same episodes without storage."""

import dataclasses
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    import numpy as np

    from oyster_jax.evaluate.figure import Figure
    from oyster_jax.generate.devices import Blocks
    from oyster_jax.generate.generation import GenerateConfig, Origin
    from oyster_jax.typing import Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class Generate:
    """Generates episodes with and without storing them, in turns: frames/s of both, bytes a frame, growth of memory."""

    world: str = "coinrun"
    """Name of an installed world, or the folder of one."""
    episodes: Annotated[int, tyro.conf.arg(metavar="N")] = 128
    """Of one turn."""
    ticks: Annotated[int, tyro.conf.arg(metavar="N")] = 256
    """Of each."""
    rounds: Annotated[int, tyro.conf.arg(metavar="N")] = 3
    """How many turns each has."""
    block: Annotated[int, tyro.conf.arg(metavar="N")] = 32
    """Episodes that a device plays at once."""
    devices: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """On a CPU, how many devices it is taken for: one a core unless given."""
    states: bool = True
    """Keep the states in which episodes began."""
    out: Path | None = None
    """Folder on the disk that is measured; the system's own for temporary files unless given."""
    seed: int = 0
    """Of the episodes."""


def generate(config: Generate) -> "Iterator[Figure]":
    """Yields `generate.plain.rate`, `generate.stored.rate`, `generate.share`, `generate.bytes`, `generate.memory`."""
    from oyster_jax.cli.allocator import give_back_large_blocks
    from oyster_jax.cli.errors import UsageError
    from oyster_jax.cli.opening import open_world
    from oyster_jax.generate.devices import Blocks
    from oyster_jax.generate.episodes import Kept
    from oyster_jax.generate.generation import GenerateConfig
    from oyster_jax.generate.policies import make_policy
    from oyster_jax.generate.starts import Dreams
    from oyster_jax.worlds.generation import origin_of

    if config.rounds < 1:
        raise UsageError(f"--rounds must be at least one, but was {config.rounds}.")
    give_back_large_blocks()
    world = open_world(config.world)
    request = GenerateConfig(
        episodes=config.episodes,
        ticks=config.ticks,
        seed=config.seed,
        block=config.block,
        # Going on beyond an end takes as long as not, and every frame is one.
        kept=Kept(beyond=True),
        states=config.states,
    )
    policy = make_policy("sticky", world.spec.action)
    blocks = Blocks(world.model, world.params, policy, Dreams(), seed=config.seed, kept=request.kept)
    about = {"world": world.name, "digest": world.digest, "devices": blocks.count}
    about |= {name: getattr(config, name) for name in ("episodes", "ticks", "rounds", "block", "states")}
    print(f"Generating {config.episodes} episodes of {world.name} {2 * config.rounds + 2} times …", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=config.out, prefix="oyster-") as folder:
        yield from _figures(blocks, world.params, request, origin_of(world), Path(folder), config.rounds, about)


def _figures(
    blocks: "Blocks",
    params: "Params",
    request: "GenerateConfig",
    origin: "Origin",
    folder: Path,
    rounds: int,
    about: dict[str, Any],
) -> "Iterator[Figure]":
    import numpy as np

    from oyster_jax.evaluate.figure import Figure, median_figure
    from oyster_jax.evaluate.memory import resident_bytes

    # Compiles, and lets memory grow to what it is going to be: both ways need some of their own.
    _stored(blocks, params, request, origin, folder / "first")
    _plain(blocks, request)
    before = resident_bytes()
    frames = request.episodes * request.ticks
    plain, stored = np.zeros(rounds), np.zeros(rounds)
    for number in range(rounds):
        plain[number] = frames / _plain(blocks, request)
        stored[number] = frames / _stored(blocks, params, request, origin, folder / str(number))
    after = resident_bytes()
    yield median_figure("generate.plain.rate", plain, "frames/s", about)
    yield median_figure("generate.stored.rate", stored, "frames/s", about)
    yield median_figure("generate.share", stored / plain, "of the rate without storage", about)
    size = sum(path.stat().st_size for path in (folder / "0").rglob("*") if path.is_file())
    yield Figure(name="generate.bytes", value=size / frames, unit="bytes/frame", spread=None, conditions=about)
    if before and after:
        growth = after / before
        yield Figure(
            name="generate.memory", value=growth, unit="of that after one turn each", spread=None, conditions=about
        )


def _plain(blocks: "Blocks", request: "GenerateConfig") -> float:
    """Returns the seconds that computing takes, every frame rendered and fetched."""
    from oyster_jax.generate.devices import of_blocks
    from oyster_jax.generate.generation import indices_of

    begin = time.perf_counter()
    axes = request.axes
    for first in range(0, axes.blocks, blocks.count):
        chosen = list(range(first, min(first + blocks.count, axes.blocks)))
        playing = blocks.begin(indices_of(chosen, blocks.count, axes))
        for ticks in axes.spans:
            playing, rows = blocks.play(playing, ticks)
            _look([of_blocks(array) for array in rows.values()])
    return time.perf_counter() - begin


def _look(arrays: "list[list[np.ndarray]]") -> None:
    """Waits until the last of them is there."""
    for blocks in arrays:
        for block in blocks:
            block[-1:].sum()


def _stored(blocks: "Blocks", params: "Params", request: "GenerateConfig", origin: "Origin", folder: Path) -> float:
    """Returns the seconds that computing and writing take, until the last byte is on the disk."""
    from oyster_jax.generate.generation import compute, layouts_of
    from oyster_jax.generate.writer import Writer

    layouts = layouts_of(params, request, blocks)
    begin = time.perf_counter()
    with Writer(folder, layouts, request.axes, {"source": dict(origin.world)}) as writer:
        compute(writer, blocks, request, lambda *_: None)
    return time.perf_counter() - begin
