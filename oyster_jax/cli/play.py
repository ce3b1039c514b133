"""`oyster play`: a learned world in the browser, in the terminal, or as a clip that a script plays."""

import contextlib
import dataclasses
import functools
import importlib.util
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from oyster_jax.cli.beginning import Beginning
from oyster_jax.cli.clip import check_clip
from oyster_jax.cli.cores import use_one_core
from oyster_jax.cli.errors import UsageError
from oyster_jax.worlds.record import read_record
from oyster_jax.worlds.registry import find

if TYPE_CHECKING:
    import socket

    from oyster_jax.serve.server import Server
    from oyster_jax.worlds.world import World


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Plays a learned world in the browser: arrow keys or WASD steer, up or space jumps."""

    world: str = "coinrun"
    """Name of an installed world, or the folder of one."""
    terminal: bool = False
    """Play in this terminal instead of the browser."""
    demo: bool = False
    """Let a script play ten seconds on the real server, write the clip, print what was measured, and end."""
    out: Path | None = None
    """Of the demo: the clip (.mp4, .webp or .npz), oyster-WORLD.mp4 unless given."""
    seed: int = 7
    """Of the world that is dreamt in the terminal or the demo, or described; each gives another."""
    entities: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None
    """Tiles, entities and quantities that the world begins with; tools/examples/scene.json is one for coinrun."""
    prompt: str | None = None
    """Where to begin, for a world that knows words, as in "a lake to the north, two cows, dusk"."""
    image: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """A picture to begin from (PNG, JPEG, WebP), of any size: the middle of it is taken."""
    rate: Annotated[float | None, tyro.conf.arg(metavar="HERTZ")] = None
    """Ticks a second in the terminal, the world's own pace unless given."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="K")] = None
    """Denoising steps a tick, the world's own unless given."""
    port: int | None = None
    """Port of the page, 8765 or else any that is free unless given."""
    data: Path | None = None
    """Folder of sessions and recordings; in the user's data folder unless given."""
    browser: bool = True
    """Open the page in a browser, where there is a desktop."""


def main(config: Config) -> int:
    """Plays until the player quits, or writes the clip."""
    if config.rate is not None and config.rate <= 0:
        raise UsageError(f"--rate is in ticks a second and must be positive, but was {config.rate:g}.")
    if config.terminal and config.demo:
        raise UsageError("--terminal is for a person and --demo is for none; give one of them.")
    if config.out is not None and not config.demo:
        raise UsageError("--out names the clip that --demo writes; give both.")
    if config.out is not None:
        check_clip(config.out)
    find(config.world)
    beginning = Beginning(entities=config.entities, prompt=config.prompt, image=config.image)
    use_one_core()
    if config.terminal:
        return _in_terminal(config, beginning)
    if config.demo:
        from oyster_jax.cli.demo import demo

        _tell_loading(config)
        demo(config.world, config.steps, config.seed, config.out, beginning)
        _next_steps(config, config.seed)
        return 0
    return _in_browser(config, beginning)


def _in_browser(config: Config, beginning: Beginning) -> int:
    from oyster_jax.cli import serve
    from oyster_jax.serve.services import ServeConfig

    with contextlib.closing(_bound(config.port)) as bound:
        url = serve.address("127.0.0.1", bound)
        _tell_loading(config)
        stages = serve.opened((config.world,), config.steps)
        # Whether the world can begin so is known now, not when the page is open.
        beginning.check(stages[0].world, config.seed)
        print(f"Compiling {_parameters(stages[0].world)} (takes some seconds, less the next time) …", flush=True)
        settings = ServeConfig(data=config.data or serve.data_folder())

        def tell() -> None:
            link = "" if beginning.dreamt else _session(url, beginning, config.seed)
            _tell(url + link, config.browser)

        # The server goes on meanwhile, for it is asked itself.
        told = threading.Thread(target=tell, name="ready", daemon=True)
        server: Server = serve.made(settings, stages, told.start)
        return serve.run(server, bound)


def _session(url: str, beginning: Beginning, seed: int) -> str:
    """Begins a session; returns what leads to it, behind the address of the page."""
    from oyster_jax.client import Client

    with Client(url) as client:
        return f"#session={beginning.session(client, seed)}"


def _bound(port: int | None) -> "socket.socket":
    from oyster_jax.cli import serve

    try:
        return serve.bind("127.0.0.1", serve.PORT if port is None else port)
    except UsageError:
        if port is not None:
            raise
    bound = serve.bind("127.0.0.1", 0)
    print(f"Port {serve.PORT} is taken; the page is at port {bound.getsockname()[1]} instead.", flush=True)
    return bound


def _tell_loading(config: Config) -> None:
    print(f"Loading the learned world {config.world} …", flush=True)


def _tell(url: str, browser: bool) -> None:
    print(f"Ready: {url}", flush=True)
    if browser and _has_desktop():
        import webbrowser

        webbrowser.open(url)
        print("Opened in your browser. Ctrl-C ends it; your sessions go on the next time.", flush=True)
    else:
        print("Open this address in a browser. Ctrl-C ends it; your sessions go on the next time.", flush=True)


def _has_desktop() -> bool:
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _parameters(world: "World") -> str:
    import jax

    count = sum(leaf.size for leaf in jax.tree.leaves(world.params))
    return f"its {count / 1e6:.1f} million parameters"


def _in_terminal(config: Config, beginning: Beginning) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty() and importlib.util.find_spec("termios") is not None):
        raise UsageError("There is no terminal to play in; leave --terminal out, or let a script play with --demo.")
    import jax
    import numpy as np

    from oyster_jax.cli.opening import open_world
    from oyster_jax.cli.player import Player
    from oyster_jax.cli.terminal import Terminal

    _tell_loading(config)
    world = open_world(config.world, config.steps)
    print(f"Compiling {_parameters(world)} (takes some seconds, less the next time) …", flush=True)
    begin = functools.partial(beginning.state, world)
    state = begin(config.seed)
    world.render(state)
    jax.block_until_ready(world.tick(state, world.spec.action.idle, donate=True))
    with Terminal() as terminal:
        rate = config.rate or world.spec.frame.rate
        player = Player(world, terminal, seed=config.seed, rate=rate, begin=begin)
        player.run()
    if player.latencies:
        median, slow = 1000 * np.quantile(player.latencies, [0.5, 0.99])
        ticks = len(player.latencies)
        print(f"Played {ticks:,} ticks of {world.name}: {median:.1f} ms a tick, 99 % of them under {slow:.1f} ms.")
    _next_steps(config, player.seed)
    return 0


def _next_steps(config: Config, seed: int) -> None:
    from oyster_jax.cli.command import command

    oyster, name = command(), config.world
    how = " --terminal" if config.terminal else ""
    print("Next:")
    print(f"  {oyster} play --world {name}{how}" + (f" --seed {seed + 1}" if config.terminal else ""))
    print(f'  {oyster} rollout --world {name} --actions "{_example(name)}" --out clip.mp4')
    print(f"  {oyster} worlds")


def _example(world: str) -> str:
    """Returns a script of actions that a world knows."""
    action = read_record(find(world))["spec"]["action"]
    if {"right", "right+jump"} <= set(action["names"]):
        return "right*30,right+jump*6,right*20"
    others = [name for name in action["names"] if name != action["idle"]] or [action["idle"]]
    return ",".join(f"{name}*20" for name in others[:3])
