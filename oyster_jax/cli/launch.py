"""`oyster launch`: runs a verb in several processes of this machine that work as one, and watches over them."""

import dataclasses
import sys
from collections.abc import Sequence
from typing import Annotated, Literal

import tyro

from oyster_jax.cli.errors import UsageError

_USAGE = "oyster launch -n 4 -- train CONFIG.py [OPTIONS]"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Runs a verb in several processes that work as one; all that stands behind `--` is the verb and its options.

    When a process dies or hangs, the others are ended and all start again from the last checkpoint. SIGTERM and Ctrl-C
    let them save first; the same command goes on from there.
    """

    processes: Annotated[int, tyro.conf.arg(aliases=["-n"], metavar="N")]
    """How many."""
    devices: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Virtual devices of each, on CPUs."""
    restart: Literal["all", "left"] = "all"
    """Start again with all processes, or with those that are left, on a mesh that has shrunk to them."""
    silence: float = 600.0
    """Seconds without a step after which a process counts as hung; ten times as many before its first."""
    grace: float = 60.0
    """Seconds that processes get to save after SIGTERM."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """What to launch, and how."""

    options: Options
    arguments: tuple[str, ...]


def parse(arguments: Sequence[str], prog: str) -> Config:
    """Parses what stands before `--`, and keeps the rest.

    Raises:
      UsageError: there is no verb behind `--`, or it is not one that can be launched.
    """
    from oyster_jax.cli.main import VERBS

    own, rest = list(arguments), []
    if "--" in own:
        place = own.index("--")
        own, rest = own[:place], own[place + 1 :]
    options = tyro.cli(Options, args=own, prog=prog)
    if not rest or rest[0] not in VERBS or rest[0] == "launch":
        raise UsageError(f"A verb and its options stand behind `--`, as in: {_USAGE}")
    return Config(options=options, arguments=tuple(rest))


def main(config: Config) -> int:
    """Runs the verb to its end; returns its exit code."""
    from oyster_jax.parallel.supervisor import LaunchConfig, Supervisor

    try:
        how = LaunchConfig(**dataclasses.asdict(config.options))
    except ValueError as error:
        raise UsageError(str(error)) from error
    command = [sys.executable, "-m", "oyster_jax.cli.main", *config.arguments]
    return Supervisor(how, command, lambda sentence: print(sentence, file=sys.stderr, flush=True)).run()
