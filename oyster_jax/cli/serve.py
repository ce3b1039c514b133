"""`oyster serve`: the player for many, over a network or for programs."""

import contextlib
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from oyster_jax.cli.errors import UsageError

if TYPE_CHECKING:
    import socket

    from oyster_jax.serve.server import Server
    from oyster_jax.serve.services import ServeConfig
    from oyster_jax.serve.stage import Stage

PORT = 8765


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Serves learned worlds to browsers and programs, until Ctrl-C."""

    world: tuple[str, ...] = ("coinrun",)
    """Names of installed worlds, or folders of such."""
    host: str = "127.0.0.1"
    """Address to bind to. Any but this machine's own asks everybody for a link or a token."""
    port: int = PORT
    """Port to bind to; 0 is any that is free."""
    data: Path | None = None
    """Folder of sessions and recordings; in the user's data folder unless given."""
    origin: str = ""
    """Address of the page behind a proxy, as in https://play.example.org."""
    links: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """One-time links to print where everybody is asked for one."""
    players: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Players at once; as many as this machine carries unless given."""
    guest_seconds: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 1800.0
    """World time that a session of a guest may last, as in 300 for a free tier of five minutes."""
    mark: str = ""
    """Written into the corner of the clips that guests export."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="K")] = None
    """Denoising steps a tick, the world's own unless given."""


def main(config: Config) -> int:
    """Serves until the process is interrupted."""
    from oyster_jax.worlds.registry import find

    for name in config.world:
        find(name)
    settings = served(config)
    with contextlib.closing(bind(config.host, config.port)) as bound:
        print(f"Loading {', '.join(config.world)} …", flush=True)
        stages = opened(config.world, config.steps)
        server = made(settings, stages, lambda: _tell(server, config, bound))
        print("Compiling (takes some seconds, less the next time) …", flush=True)
        return run(server, bound)


def served(config: Config) -> "ServeConfig":
    """Returns how the server is set up."""
    from oyster_jax.serve.limits import Tier
    from oyster_jax.serve.services import ServeConfig

    if config.guest_seconds <= 0:
        raise UsageError(f"--guest-seconds must be positive, but was {config.guest_seconds:g}.")
    if config.players is not None and config.players < 1:
        raise UsageError(f"--players must be at least 1, but was {config.players}.")
    return ServeConfig(
        data=config.data or data_folder(),
        host=config.host,
        origin=config.origin.rstrip("/"),
        guest=Tier(name="guest", duration=config.guest_seconds, mark=config.mark),
        players=config.players,
    )


def data_folder() -> Path:
    """Returns where sessions are kept unless told otherwise."""
    from oyster_jax.worlds.registry import data_home

    return data_home() / "player"


def opened(names: tuple[str, ...], steps: int | None) -> "list[Stage]":
    """Loads worlds.

    Raises:
      WorldError: there is none of that name, or it is damaged.
      UsageError: the sampler does not know that number of steps, or what playing needs is not installed.
    """
    try:
        from oyster_jax.serve.stage import Stage
    except ModuleNotFoundError as error:
        raise UsageError(f"The player needs the package {error.name}; install oyster-jax[play].") from error
    from oyster_jax.cli.opening import open_world
    from oyster_jax.worlds.registry import find

    return [Stage(world=open_world(name, steps), folder=find(name)) for name in names]


def made(config: "ServeConfig", stages: "list[Stage]", told: Callable[[], None]) -> "Server":
    """Returns a server that tells when it is ready; only one at a time has its data folder."""
    from oyster_jax.serve.server import Server

    return Server(config, stages, told)


def bind(host: str, port: int) -> "socket.socket":
    """Returns a socket at an address.

    Raises:
      UsageError: the address is another machine's, or taken.
    """
    from oyster_jax.serve.server import bind

    try:
        return bind(host, port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"Nothing can be served at {host}:{port} ({reason}); choose another --port.") from error


def run(server: "Server", bound: "socket.socket") -> int:
    """Serves until Ctrl-C, which is how it is meant to end."""
    with contextlib.suppress(KeyboardInterrupt):
        server.run(bound)
    print("The server has ended; its sessions go on the next time.")
    return 0


def address(host: str, bound: "socket.socket") -> str:
    """Returns the address of the page."""
    port = bound.getsockname()[1]
    # Bound to all addresses of this machine, it is reached from elsewhere by the one that it goes out with.
    named = _outward(bound) if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{named}]' if ':' in named else named}:{port}/"


def _outward(bound: "socket.socket") -> str:
    """Returns the address of this machine towards others, or its name where it has no way out; nothing is sent."""
    import socket

    anywhere = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}[bound.family]
    with contextlib.suppress(OSError), socket.socket(bound.family, socket.SOCK_DGRAM) as probe:
        probe.connect((anywhere, 9))
        return str(probe.getsockname()[0])
    return socket.gethostname()


def _tell(server: "Server", config: Config, bound: "socket.socket") -> None:
    base = config.origin.rstrip("/") + "/" if config.origin else address(config.host, bound)
    tokens = server.services.tokens
    print(f"Ready: {base}", flush=True)
    if server.services.everybody is None:
        for _ in range(config.links):
            print(f"Lets one guest in, once: {base.rstrip('/')}{tokens.link()}")
        print(f"Token of the operator, for programs: {tokens.token(tokens.operator.id)}")
    print("Ctrl-C ends it; sessions go on the next time.", flush=True)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
