"""`oyster connect`: plays on a server from this terminal, or measures what one gets from it."""

import dataclasses
import importlib.util
import sys
import time
from typing import TYPE_CHECKING, Annotated

import tyro

from oyster_jax.cli.errors import UsageError

if TYPE_CHECKING:
    from oyster_jax.client import Client, Stream
    from oyster_jax.core.spec import ActionSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Plays on a server in this terminal; where there is none, watches for some seconds and prints what it measured."""

    url: tyro.conf.Positional[str]
    """Address of the server, as in http://127.0.0.1:8765; behind a # may stand what the page's share link says."""
    session: str | None = None
    """Id of a session to go on with; a new one begins unless given."""
    world: str | None = None
    """World of a new session, the server's first unless given."""
    seed: int | None = None
    """Seed of a new session."""
    token: str | None = None
    """Token of whoever plays, where the server asks for one."""
    watch: bool = False
    """Watch a session that somebody else plays."""
    seconds: Annotated[float, tyro.conf.arg(metavar="N")] = 10.0
    """How long to measure where there is no terminal."""


def main(config: Config) -> int:
    """Plays until the player quits, or measures."""
    try:
        from oyster_jax.client import Client
    except ModuleNotFoundError as error:
        raise UsageError(f"The player needs the package {error.name}; install oyster-jax[play].") from error
    if config.watch and config.session is None:
        raise UsageError("--watch is for a session that somebody plays; name it with --session.")
    if config.seconds <= 0:
        raise UsageError(f"--seconds must be more than 0, but was {config.seconds:g}.")
    with Client(config.url, config.token) as client:
        session = config.session or _linked(config.url) or _begun(client, config)
        with client.play(session, "spectator" if config.watch else "player") as stream:
            print(f"Session {session} of {stream.hello['world']['name']} at {client.url}", flush=True)
            if sys.stdin.isatty() and sys.stdout.isatty() and importlib.util.find_spec("termios") is not None:
                _play(stream)
            else:
                _measure(stream, config.seconds)
    return 0


def _begun(client: "Client", config: Config) -> str:
    world = config.world or client.worlds()[0]["name"]
    return client.create(world, **({} if config.seed is None else {"seed": config.seed}))["id"]


def _linked(url: str) -> str | None:
    from urllib.parse import parse_qs, urlsplit

    return parse_qs(urlsplit(url).fragment).get("session", [None])[0]


def _play(stream: "Stream") -> None:
    from oyster_jax.cli.keyboard import Decoder, HeldKeys, bindings
    from oyster_jax.cli.player import PAUSE, QUIT
    from oyster_jax.cli.screen import Screen
    from oyster_jax.cli.terminal import Terminal
    from oyster_jax.client import ClientError

    keys, held, screen = Decoder(), HeldKeys(), Screen()
    buttons, pressed = bindings(_actions(stream), QUIT | {PAUSE}), set()
    with Terminal() as terminal:
        while (typed := terminal.read(0.0)) is not None:
            for key in keys.decode(typed):
                if key.name in QUIT and key.kind == "press":
                    return
                if key.name == PAUSE and key.kind == "press":
                    stream.request("pause" if stream.status["phase"] == "running" else "resume")
                else:
                    held.take(key, time.monotonic(), tells_releases=keys.tells_releases)
            now = {buttons[name] for name in held.names(time.monotonic()) if name in buttons}
            if now != pressed:
                pressed = now
                stream.hold(*sorted(now))
            try:
                frame = stream.frame(0.05)
            except ClientError as error:
                if error.code != "timeout":
                    raise
                continue
            header = frame.header
            figures = f"tick {header.tick}  {header.step:.1f} ms/tick  {header.remaining:.0f} s left"
            line = f"{figures}  {'+'.join(sorted(now))}"
            columns, rows = terminal.size
            terminal.write(screen.draw(frame.picture, [line, "q quit  p pause"], columns, rows))


def _actions(stream: "Stream") -> "ActionSpec":
    from oyster_jax.core.spec import ActionSpec

    names = stream.hello["world"]["actions"]
    # Only the names of its buttons matter here, and no button is called so.
    return ActionSpec(names=(*(name for name in names if name != "noop"), "noop"), idle="noop")


def _measure(stream: "Stream", seconds: float) -> None:
    import numpy as np

    from oyster_jax.client import ClientError

    end, frames = time.monotonic() + seconds, []
    while (left := end - time.monotonic()) > 0:
        try:
            frames.append(stream.frame(left))
        except ClientError as error:
            if error.code != "timeout":
                raise
    if len(frames) < 2:
        print(f"{len(frames)} frames in {seconds:g} s: {stream.status['sentence']}")
        return
    step, slow = np.quantile([frame.header.step for frame in frames], [0.5, 0.95])
    span = (frames[-1].received - frames[0].received) / 1000
    print(
        f"{(len(frames) - 1) / span:.1f} frames a second over {span:.1f} s; {step:.1f} ms a tick, 95 % under "
        f"{slow:.1f} ms; {sum(frame.header.dropped for frame in frames)} frames dropped."
    )
