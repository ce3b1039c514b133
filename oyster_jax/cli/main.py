"""`oyster`: hands over to one of its verbs, and turns a user's mistake into a sentence."""

import difflib
import importlib
import keyword
import os
import sys
from collections.abc import Sequence

from oyster_jax.cli.errors import INTERRUPTED

#: The verbs in the order in which people meet them; each is a module beside this one.
VERBS = {
    "play": "Plays a learned world in the browser, or in the terminal, or lets a script play it.",
    "serve": "Serves worlds to browsers and programs, for one or many players.",
    "connect": "Plays on a server from the terminal, or measures what one gets from it.",
    "rollout": "Simulates a world under given actions and writes the clip.",
    "generate": "Generates episodes in bulk, labelled and in arrays, on all devices.",
    "session": "Lives in a world; shows, replays, branches, verifies and exports what was lived.",
    "direct": "Lives a story of acts that fork, and writes every way through it as an episode.",
    "worlds": "Lists the installed worlds, or shows the card of one.",
    "record": "Records a dataset from Procgen or from any environment of Gymnasium.",
    "import": "Imports recordings of others as a dataset.",
    "train": "Trains a world from a configuration file.",
    "launch": "Runs a verb in several processes that work as one, and starts them again when one dies.",
    "plan": "Tells what an experiment takes on TPUs, without one: memory, exchanges, time, cost.",
    "eval": "Measures how close a world is to its original, on levels that it has not seen.",
    "bench": "Measures speed, one line of JSON a figure, and compares two runs.",
}

MISTAKE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `oyster VERB …` and returns its exit code: 0, 2 after a user's mistake, 130 after Ctrl-C.

    Args:
      arguments: what stands behind `oyster`; the process's own unless given.
    """
    verb, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if verb in ("-h", "--help", "help"):
        print(_help())
        return 0
    if verb == "--version":
        from importlib.metadata import version

        print(f"oyster {version('oyster-jax')}")
        return 0
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"choose one of {', '.join(VERBS)}."
        return _mistake(f"There is no verb '{verb}'; {hint}")
    try:
        code = _run(verb, rest)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Who read our output has gone; without this, Python complains once more as it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        return _mistake(sentence)


def _run(verb: str, arguments: Sequence[str]) -> int:
    import tyro

    from oyster_jax.parallel.tpu import quiet_without_tpu

    quiet_without_tpu()
    # A keyword of Python is no name for a module.
    module = importlib.import_module(f"oyster_jax.cli.{verb}{'_' * keyword.iskeyword(verb)}")
    prog = f"oyster {verb}"
    try:
        if hasattr(module, "parse"):
            return module.main(module.parse(arguments, prog))
        return module.main(tyro.cli(module.Config, args=arguments, prog=prog))
    except SystemExit as end:  # The parser's: after --help, or after it has told what was wrong.
        return end.code if isinstance(end.code, int) else MISTAKE if end.code else 0


def _sentence(error: Exception) -> str | None:
    """Returns what to tell the user about an error that is of their making, or None for one that is ours."""
    from oyster_jax.cli.errors import UsageError
    from oyster_jax.data.errors import DatasetError
    from oyster_jax.generate.errors import GenerateError
    from oyster_jax.session.errors import SessionError
    from oyster_jax.worlds.errors import StoryError, WorldError

    kinds: list[type[Exception]] = [UsageError, DatasetError, GenerateError, SessionError, StoryError, WorldError]
    # These modules import much: who has not used them cannot have met their errors.
    known = (
        ("train.checkpoint", "CheckpointError"),
        ("train.loop", "DivergedError"),
        ("client", "ClientError"),
        ("parallel.distributed", "ClusterError"),
        ("parallel.mesh", "MeshError"),
    )
    for name, kind in known:
        if (module := sys.modules.get(f"oyster_jax.{name}")) is not None:
            kinds.append(getattr(module, kind))
    if isinstance(error, tuple(kinds)):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; check the path and its permissions."
    return None


def _mistake(sentence: str) -> int:
    if sys.stderr.isatty():
        sentence = f"\x1b[31m{sentence}\x1b[0m"
    print(sentence, file=sys.stderr)
    return MISTAKE


def _help() -> str:
    width = max(map(len, VERBS)) + 2
    lines = [f"  {verb:<{width}}{what}" for verb, what in VERBS.items()]
    return "\n".join(
        [
            "usage: oyster VERB [OPTIONS]",
            "",
            "Learns a world from recordings and then simulates it in real time under your actions.",
            "",
            *lines,
            "",
            "`oyster VERB --help` tells the options of a verb. Begin with `oyster play`.",
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
