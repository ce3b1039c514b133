"""Starting servers for tests, and asking them what no client would."""

import contextlib
import dataclasses
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from oyster_jax.client import Client, Stream
from oyster_jax.serve.limits import Limits
from oyster_jax.serve.server import Server, bind
from oyster_jax.serve.services import ServeConfig, Services
from oyster_jax.serve.stage import Stage

#: A test asks faster than a person.
LIMITS = Limits(heavy=1_000.0, calls=10_000.0, requests=10_000.0, messages=10_000.0, idle=600.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Served:
    """A running server."""

    services: Services
    port: int
    client: Client

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """Sends one request as it is; returns status, body and headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            if body is not None and "Content_Length" not in headers:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, response.read(), {name.lower(): value for name, value in response.getheaders()}
        finally:
            connection.close()

    def json(self, method: str, path: str, content: Any = None, **headers: str) -> tuple[int, Any]:
        """Sends JSON, or nothing; returns status and content."""
        status, body, _ = self.ask(method, path, None if content is None else json.dumps(content).encode(), **headers)
        return status, json.loads(body) if body else None

    def shake_hands(self, path: str, **headers: str) -> int:
        """Asks for a WebSocket; returns the status of the answer."""
        upgrade = {
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }  # fmt: skip
        return self.ask("GET", path, None, **{"Host": f"127.0.0.1:{self.port}", **upgrade, **headers})[0]

    def raw(self) -> socket.socket:
        """Connects, and says nothing yet."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


@contextlib.contextmanager
def serving(stage: Stage, data: Path, **options: Any) -> Iterator[Served]:
    """Serves a world for as long as the context lasts."""
    config = ServeConfig(data=data, **{"limits": LIMITS, **options})
    server, bound = Server(config, [stage]), bind(config.host, 0)
    port = bound.getsockname()[1]
    with server.beside(bound):
        yield Served(services=server.services, port=port, client=Client(f"http://127.0.0.1:{port}"))


def until(stream: Stream, wanted: Any, seconds: float = 20.0) -> Any:
    """Returns the first frame for which `wanted` holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        frame = stream.frame()
        if wanted(frame.header):
            return frame
    raise AssertionError("no such frame came")
