"""Many players at once: how many a server carries before ticks come late, and that one more is told so.

`python -m oyster_jax.cli.load URL WORLD PLAYERS SECONDS` is the other side, in a process of its own: it plays so many
sessions, each frame acknowledged and the buttons changed some times a second, and prints what each player got.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from oyster_jax.client import Client, ClientError
from oyster_jax.evaluate.figure import Figure
from oyster_jax.serve.protocol import CLOSE_FULL, SUBPROTOCOL, FrameHeader
from oyster_jax.serve.services import Services

#: Numbers of players that are tried.
PLAYERS = (1, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 32)
#: Share of ticks that may be late for a number of players to count as carried, and of its rate that each must get.
LATE, RATE = 0.01, 0.97
#: Seconds that play before it counts.
WARM_UP = 6.0


def carried_figures(
    services: Services, url: str, world: str, *, seconds: float, told: Callable[[str], None], conditions: dict[str, Any]
) -> Iterator[Figure]:
    """Adds players to a server that takes any number, until its ticks are late.

    Args:
      services: of the server.
      url: of the server.
      world: that is played.
      seconds: that each number of players plays.
      told: of what was found, as it is found.
      conditions: of the figures.

    Yields:
      For each number `players.N.late` (share of ticks), `players.N.rate` (slowest player, ticks/s) and
      `players.N.answer` (95th percentile of milliseconds from an input to its frame, all players); at last
      `players.carried`.
    """
    own = services.stages[world].world.spec.frame.rate
    carried = 0
    for players in PLAYERS:
        found = _played(services, url, world, players, seconds)
        told(
            f"{players} players: {100 * found['late']:.1f} % of ticks late, the slowest gets {found['rate']:.1f} a "
            f"second, 95 % of presses answered in {found['answer']:.0f} ms"
        )
        for name, unit in (("late", "share"), ("rate", "ticks/s"), ("answer", "ms")):
            yield Figure(
                name=f"players.{players}.{name}", value=found[name], unit=unit, spread=None, conditions=conditions
            )
        if found["late"] > LATE or found["rate"] < RATE * own:
            break
        carried = players
    yield Figure(name="players.carried", value=float(carried), unit="players", spread=None, conditions=conditions)


def admitted_figures(
    services: Services, url: str, world: str, *, seconds: float, told: Callable[[str], None], conditions: dict[str, Any]
) -> Iterator[Figure]:
    """Adds players to a server that takes as many as it thinks it carries, and one more.

    Yields:
      `players.admitted`, and `players.admitted.late`, the share of ticks that were late for those who play while
      more are being refused.
    """
    found = _played(services, url, world, max(PLAYERS), seconds)
    told(f"{found['admitted']} of {max(PLAYERS)} were let in, {found['full']} were told that it is full.")
    for name, key, unit in (("admitted", "admitted", "players"), ("admitted.late", "late", "share")):
        value = float(found[key])
        yield Figure(name=f"players.{name}", value=value, unit=unit, spread=None, conditions=conditions)


def _played(services: Services, url: str, world: str, players: int, seconds: float) -> dict[str, float]:
    """Has so many play, and returns what they got; all of their sessions are gone afterwards."""
    command = [sys.executable, "-m", __name__, url, world, str(players), str(WARM_UP + seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()  # All are playing.
        time.sleep(WARM_UP)
        before = _counted(services, world)
        time.sleep(seconds * 0.9)
        after = _counted(services, world)
        found = json.loads(process.stdout.read())
    ticks, late = (one - other for one, other in zip(after, before, strict=True))
    played = [player for player in found if player["code"] is None]
    answers = [answer for player in played for answer in player["answers"]]
    return {
        "late": late / max(1.0, ticks),
        "rate": min((player["rate"] for player in played), default=0.0),
        "answer": float(np.quantile(answers, 0.95)) if answers else float("nan"),
        "admitted": len(played),
        "full": sum(player["code"] == "full" for player in found),
    }


def _counted(services: Services, world: str) -> tuple[float, float]:
    registry = services.metrics.registry
    ticks = registry.get_sample_value("oyster_ticks_total", {"world": world}) or 0.0
    return ticks, registry.get_sample_value("oyster_late_ticks_total", {"world": world}) or 0.0


async def _player(url: str, session: str, seconds: float) -> dict[str, Any]:
    """Plays one session; returns ticks a second, answers in ms, and the code with which it was refused, if it was."""
    ticks: list[tuple[float, int]] = []
    answers: list[float] = []
    address = f"{url.replace('http', 'ws', 1)}/v1/sessions/{session}/stream?role=player"
    code, begin = None, time.perf_counter()
    async with connect(address, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None) as socket:
        try:
            await _play(socket, begin + seconds, random.Random(session), ticks, answers)
        except ConnectionClosed as closed:
            code = "full" if closed.rcvd is not None and closed.rcvd.code == CLOSE_FULL else str(closed)
    settled = [tick for tick in ticks if tick[0] > begin + WARM_UP]
    (first, low), (last, high) = (settled or [(0.0, 0)])[0], (settled or [(1.0, 0)])[-1]
    return {"rate": (high - low) / max(last - first, 1e-9), "answers": answers, "code": code}


async def _play(
    socket: ClientConnection, end: float, generator: random.Random, ticks: list[tuple[float, int]], answers: list[float]
) -> None:
    """Plays until `end`; notes when which tick came, and the milliseconds from inputs to their frames."""
    waiting, change = set(), 0.0
    while (now := time.perf_counter()) < end:
        if now > change:
            held, at = generator.choice([["right"], ["right", "jump"], ["left"], []]), 1000 * now
            waiting.add(at)
            await socket.send(json.dumps({"type": "input", "held": held, "at": at}))
            change = now + generator.uniform(0.2, 0.6)
        try:
            message = await asyncio.wait_for(socket.recv(), 0.5)
        except TimeoutError:
            continue
        if isinstance(message, str):
            continue
        now, header = time.perf_counter(), FrameHeader.unpack(message)
        await socket.send(json.dumps({"type": "ack", "frame": header.frame}))
        ticks.append((now, header.tick))
        if header.echo in waiting:
            waiting.discard(header.echo)
            answers.append(1000 * now - header.echo)


async def _all(url: str, world: str, players: int, seconds: float) -> list[dict[str, Any]]:
    client = Client(url)
    sessions = [client.create(world, seed=seed)["id"] for seed in range(players)]
    print("playing", flush=True)
    found = await asyncio.gather(*(_player(url, session, seconds) for session in sessions))
    for session in sessions:
        try:
            client.delete(session)
        except ClientError as error:
            print(error, file=sys.stderr)
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_all(sys.argv[1].rstrip("/"), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))))
