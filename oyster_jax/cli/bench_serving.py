"""The part of `oyster bench` that measures the player: a real server, and who plays on it."""

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oyster_jax.evaluate.figure import Figure


@dataclasses.dataclass(frozen=True, kw_only=True)
class Photon:
    """Presses keys in a real Chromium: from the press to the picture on the canvas that was computed with it."""

    world: str = "coinrun"
    """Name of an installed world, or the folder of one."""
    presses: Annotated[int, tyro.conf.arg(metavar="N")] = 150
    """How many."""
    speed: Annotated[float, tyro.conf.arg(metavar="FACTOR")] = 4.0
    """A multiple of the world's own ticks a second, one of those of the page: 4 is 60 a second for a world of 15."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Together:
    """Steps several sessions' worlds at once: milliseconds of each tick, spread over cores or in batches."""

    world: str = "coinrun"
    """Name of an installed world, or the folder of one."""
    sizes: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N …")] = (2, 4)
    """Of batches; each is compiled, which takes half a minute."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Players:
    """Adds players until ticks come late: how many a server on this machine carries, and that one more hears so."""

    world: str = "coinrun"
    """Name of an installed world, or the folder of one."""
    seconds: Annotated[float, tyro.conf.arg(metavar="N")] = 10.0
    """How long each number of players plays."""


def together(config: Together) -> "Iterator[Figure]":
    """Measures what a server's ticks cost: `together.1` one after the other, `together.cores` spread over the cores.

    Of each batch `together.N`, and `together.N.exact`: 1 if it computes the bits of single ticks, else 0. Only one that
    does is ever used.
    """
    from oyster_jax.cli import serve
    from oyster_jax.evaluate.figure import Figure
    from oyster_jax.worlds.together import Together as Steps

    (stage,) = serve.opened((config.world,), None)
    conditions = {"world": stage.name, "digest": stage.world.digest}
    steps = Steps(stage.world)

    def figure(name: str, value: float, unit: str) -> Figure:
        return Figure(name=f"together.{name}", value=value, unit=unit, spread=None, conditions=conditions)

    steps.prepare(1)
    yield figure("cores", 1000 * steps.seconds[1] / steps.workers, "ms/tick")
    for size in (1, *config.sizes):
        yield figure(f"{size}", 1000 * steps.measure(size) / size, "ms/tick")
        if size > 1:
            yield figure(f"{size}.exact", float(steps.prepare(size)), "0 or 1")


def players(config: Players) -> "Iterator[Figure]":
    """Measures both kinds of server, each on sessions of its own; the players share the machine with them."""
    from oyster_jax.cli import serve
    from oyster_jax.cli.load import PLAYERS, admitted_figures, carried_figures
    from oyster_jax.serve.limits import Limits
    from oyster_jax.serve.services import ServeConfig

    (stage,) = serve.opened((config.world,), None)
    conditions = {"world": stage.name, "digest": stage.world.digest, "seconds": config.seconds}
    limits = Limits(heavy=1_000.0)
    for most, measure in ((max(PLAYERS), carried_figures), (None, admitted_figures)):
        with tempfile.TemporaryDirectory(prefix="oyster-") as folder:
            settings = ServeConfig(data=Path(folder), players=most, limits=limits)
            server, bound = serve.made(settings, [stage], lambda: None), serve.bind("127.0.0.1", 0)
            with server.beside(bound):
                server.services.settled.wait()
                yield from measure(
                    server.services,
                    serve.address("127.0.0.1", bound),
                    stage.name,
                    seconds=config.seconds,
                    told=lambda sentence: print(sentence, file=sys.stderr),
                    conditions=conditions,
                )


def photon(config: Photon) -> "list[Figure]":
    """Measures presses on a server of its own, which shares the machine with the browser.

    Raises:
      UsageError: there is no browser, or the page does not have that speed.
    """
    from oyster_jax.cli import serve
    from oyster_jax.cli.errors import UsageError
    from oyster_jax.client import Client
    from oyster_jax.serve.photon import SPEEDS, BrowserError, check_browser, photon_figures
    from oyster_jax.serve.services import ServeConfig

    if config.presses < 1:
        raise UsageError(f"--presses must be at least one, but was {config.presses}.")
    if config.speed not in SPEEDS:
        raise UsageError(f"--speed is one of {', '.join(f'{speed:g}' for speed in SPEEDS)}, but was {config.speed:g}.")
    try:
        check_browser()
        (stage,) = serve.opened((config.world,), None)
        conditions = {"world": stage.name, "digest": stage.world.digest, "rate": stage.world.spec.frame.rate}
        with tempfile.TemporaryDirectory(prefix="oyster-") as folder:
            server = serve.made(ServeConfig(data=Path(folder)), [stage], lambda: None)
            bound = serve.bind("127.0.0.1", 0)
            address = serve.address("127.0.0.1", bound)
            with server.beside(bound), Client(address) as client:
                print(f"Pressing {config.presses} keys in a browser that plays {stage.name} …", file=sys.stderr)
                page = f"{address}#session={client.create(stage.name, seed=0)['id']}"
                return photon_figures(page, presses=config.presses, speed=config.speed, conditions=conditions)
    except BrowserError as error:
        raise UsageError(str(error)) from error
