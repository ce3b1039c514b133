"""All that a server is made of, put together."""

import asyncio
import contextlib
import dataclasses
import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from oyster_jax.serve.engine import Engine
from oyster_jax.serve.errors import Refusal
from oyster_jax.serve.limits import Limits, Tier
from oyster_jax.serve.lobby import Lobby
from oyster_jax.serve.metrics import Metrics
from oyster_jax.serve.protocol import CLOSE_RESTART
from oyster_jax.serve.recordings import Recordings
from oyster_jax.serve.security import Hosts, Owner, Tokens, is_local
from oyster_jax.serve.stage import Stage
from oyster_jax.serve.uploads import Uploads
from oyster_jax.session.snapshot_writer import SnapshotWriter
from oyster_jax.worlds.together import SIZES

_LOG = logging.getLogger(__name__)

_CHORES = 5.0  # seconds between two rounds of them
#: Seconds that all sessions together may take to be put on the disk at the end.
_PARTING = 60.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """How a server is set up.

    Attributes:
      data: folder of sessions and recordings, and of the secret of its tokens.
      host: that it is bound to.
      origin: of its page behind a proxy, as in `https://play.example.org`.
      duration: seconds of world time of a session that does not ask for another.
      operator: what may be had by whoever runs it, and by everybody where only this machine reaches it.
      guest: what may be had by those who come by a link.
      players: that may play at once; as many as the machine carries unless given.
      limits: of everything else.
    """

    data: Path
    host: str = "127.0.0.1"
    origin: str = ""
    duration: float = 1800.0
    operator: Tier = Tier(name="operator")
    guest: Tier = Tier(name="guest", duration=1800.0)
    players: int | None = None
    limits: Limits = Limits()


class Services:
    """The parts of a server, and their life.

    Args:
      config: of the server.
      stages: the worlds that are played.
      told: called once all is compiled and warm.

    Attributes:
      ready: set once all is compiled and warm that a player needs.
      settled: set once recorded moments need no compiling either.
    """

    def __init__(self, config: ServeConfig, stages: list[Stage], told: Callable[[], None] = lambda: None):
        self.config, self.limits, self._told = config, config.limits, told
        self.ready, self.settled = threading.Event(), threading.Event()
        self.duration = config.duration
        self.stages = {stage.name: stage for stage in stages}
        self.metrics = Metrics()
        self.tokens = Tokens(config.data, operator=config.operator, guest=config.guest)
        self.hosts = Hosts.of(config.host, config.origin)
        # What a player waits for must not wait for what takes long.
        self._quick, self._slow = ThreadPoolExecutor(8, "sessions"), ThreadPoolExecutor(3, "chores")
        self.engine = Engine(self.metrics, players=config.players)
        self.lobby = Lobby(
            config.data / "sessions", self.stages, engine=self.engine, pool=self._quick, limits=config.limits
        )
        self.recordings = Recordings(
            config.data / "recordings", engine=self.engine, pool=self._slow, limits=config.limits
        )
        self.uploads = Uploads(pool=self._slow, limits=config.limits)
        self._disk_bytes = 0

    @property
    def everybody(self) -> Owner | None:
        """Who asks without a token: whoever is at this machine, where only that is reached."""
        return self.tokens.operator if is_local(self.config.host) and not self.config.origin else None

    def check_ready(self) -> None:
        """Refuses until all is compiled and warm, and where the disk is as full as it may be.

        Raises:
          Refusal: it is not.
        """
        if not self.ready.is_set():
            raise Refusal(503, "starting", "The server is still compiling its worlds; try again in some seconds.")

    def check_room(self) -> None:
        """Refuses where the disk is as full as it may be.

        Raises:
          Refusal: it is.
        """
        if self._disk_bytes > self.limits.disk_bytes:
            raise Refusal(507, "disk_full", "The server has no room for more; delete sessions or recordings.")

    def new_seed(self) -> int:
        """Returns a seed that nobody asked for."""
        return secrets.randbelow(2**31)

    def measure(self) -> None:
        """Notes what is measured when somebody looks."""
        live = self.lobby.live
        self.metrics.open.set(len(live))
        self.metrics.lag.set(max((one.lag for one in live), default=0))
        self.metrics.disk.set(self._disk_bytes)

    async def run(self) -> None:
        """Warms up, then keeps everything going until it is cancelled; all sessions are on the disk at its end."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._slow, self.lobby.clean)
        engine = asyncio.create_task(self.engine.run())
        writer = SnapshotWriter()
        try:
            await loop.run_in_executor(self._slow, writer.start)
            for stage in self.stages.values():
                await loop.run_in_executor(self._slow, stage.warm)
            self.ready.set()
            self._told()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._chores())
                tasks.create_task(self._grow())
                # Without it nobody plays: its end would be the server's.
                tasks.create_task(asyncio.wait_for(asyncio.shield(engine), None))
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PARTING):
                    await self.lobby.put_away(code=CLOSE_RESTART)
            engine.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await engine
            self.engine.close()
            await loop.run_in_executor(self._slow, writer.close)
            for pool in (self._quick, self._slow):
                pool.shutdown(wait=True, cancel_futures=True)

    async def _chores(self) -> None:
        """Puts away what nobody watches, and counts the disk."""
        loop, counted = asyncio.get_running_loop(), 0.0
        while True:
            await self.lobby.put_away(idle=self.limits.idle)
            if time.monotonic() - counted > 12 * _CHORES:
                self._disk_bytes = await loop.run_in_executor(self._slow, _bytes_of, self.config.data)
                counted = time.monotonic()
            await asyncio.sleep(_CHORES)

    async def _grow(self) -> None:
        """Compiles what is not needed at once: other beginnings, edits, and batches once so many worlds are played."""
        loop = asyncio.get_running_loop()
        for stage in self.stages.values():
            await loop.run_in_executor(self._slow, stage.warm_beginnings)
            await loop.run_in_executor(self._slow, stage.warm_edits)
            # While all was starting, ticks were measured beside that.
            await loop.run_in_executor(self._slow, stage.together.prepare, 1)
        self.settled.set()
        for size in SIZES[1:]:
            # Where some do not compute the bits of one alone, more will not.
            able = [one for one in self.stages.values() if size in one.together.sizes and not one.together.unequal]
            while able and self.engine.worlds < size:
                await asyncio.sleep(1.0)
            for stage in able:
                if not await loop.run_in_executor(self._slow, stage.together.prepare, size):
                    _LOG.info("%s: %d worlds at once do not compute the bits of one alone; not used.", stage.name, size)


def _bytes_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total
