"""`oyster play`: a learned world live in the terminal, or a clip of it where there is no terminal."""

import dataclasses
import importlib.util
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from oyster_jax.cli.errors import UsageError

if TYPE_CHECKING:
    from oyster_jax.worlds.world import World

#: Ten seconds that show a platformer's running, jumping and turning.
SCRIPT = (
    "right*25,right+jump*10,right*15,right+jump*10,noop*5,jump*10,left*20,right+jump*10,right*20,right+jump*10,right*15"
)
SCALE = 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Plays a learned world: arrow keys or WASD steer, up or space jumps."""

    world: str = "coinrun"
    """Name of an installed world, or the folder of one."""
    seed: int = 7
    """Of the world that is dreamt; each seed gives another."""
    rate: Annotated[float | None, tyro.conf.arg(metavar="HERTZ")] = None
    """Ticks a second, the world's own pace unless given."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="K")] = None
    """Denoising steps a tick, the world's own unless given."""
    out: Path | None = None
    """Write ten scripted seconds to this clip (.mp4, .webp or .npz) instead of playing."""


def main(config: Config) -> int:
    """Plays until the player quits, or writes the clip."""
    if config.rate is not None and config.rate <= 0:
        raise UsageError(f"--rate is in ticks a second and must be positive, but was {config.rate:g}.")
    print(f"Loading the learned world {config.world} …", flush=True)
    from oyster_jax.cli.opening import open_world

    world = open_world(config.world, config.steps)
    print(f"Compiling {_parameters(world)} (takes some seconds, less the next time) …", flush=True)
    live = config.out is None and _terminal()
    _warm(world, config.seed, live)
    return _play(world, config) if live else _write(world, config)


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and importlib.util.find_spec("termios") is not None


def _parameters(world: "World") -> str:
    import jax

    count = sum(leaf.size for leaf in jax.tree.leaves(world.params))
    return f"its {count / 1e6:.1f} million parameters"


def _warm(world: "World", seed: int, live: bool) -> None:
    import jax

    state = world.reset(seed)
    world.render(state)
    jax.block_until_ready(world.tick(state, world.spec.action.idle, donate=live))


def _play(world: "World", config: Config) -> int:
    import numpy as np

    from oyster_jax.cli.player import Player
    from oyster_jax.cli.terminal import Terminal

    with Terminal() as terminal:
        player = Player(world, terminal, seed=config.seed, rate=config.rate or world.spec.frame.rate)
        player.run()
    if player.latencies:
        median, slow = 1000 * np.quantile(player.latencies, [0.5, 0.99])
        ticks = len(player.latencies)
        print(f"Played {ticks:,} ticks of {world.name}: {median:.1f} ms a tick, 99 % of them under {slow:.1f} ms.")
    _next_steps(config, player.seed)
    return 0


def _write(world: "World", config: Config) -> int:
    from oyster_jax.frames import write_clip

    out = config.out or Path(f"oyster-{world.name}.mp4")
    actions = _script(world)
    rate = config.rate or world.spec.frame.rate
    if config.out is None:
        print("There is no terminal to play in, so a script plays.", flush=True)
    state = world.reset(config.seed)
    begin = time.perf_counter()
    _, frames = world.rollout(state, actions)
    speed = len(frames) / (time.perf_counter() - begin)
    write_clip(out, [world.render(state), *frames], rate=rate, scale=SCALE)
    print(
        f"Wrote {out}: {len(frames)} ticks of {world.name}, simulated at {speed:.1f} frames/s; "
        f"real time is {world.spec.frame.rate:g}."
    )
    _next_steps(config, config.seed)
    return 0


def _script(world: "World") -> list[int]:
    """Returns ten seconds of actions: the platformer's script, or the sticky policy's where that does not fit."""
    import numpy as np

    from oyster_jax.data.policies import make_policy

    spec, ticks = world.spec.action, round(10 * world.spec.frame.rate)
    try:
        ids = spec.script(SCRIPT)
        return [int(action) for action in ids[np.arange(ticks) % len(ids)]]
    except ValueError:
        policy = make_policy("sticky", spec, 1, seed=0)
        return [int(policy.act(np.zeros(1, bool))[0]) for _ in range(ticks)]


def _next_steps(config: Config, seed: int) -> None:
    from oyster_jax.cli.command import command

    oyster, name = command(), config.world
    print("Next:")
    print(f"  {oyster} play --world {name} --seed {seed + 1}")
    print(f'  {oyster} rollout --world {name} --actions "right*30,right+jump*6,right*20" --out clip.mp4')
    print(f"  {oyster} worlds")
