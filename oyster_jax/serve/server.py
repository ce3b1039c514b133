"""The application: routes, what guards them, and how it is run."""

import asyncio
import contextlib
import logging
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from oyster_jax.serve import openapi, protocol
from oyster_jax.serve.connection import PatientConnection
from oyster_jax.serve.controls import Controls
from oyster_jax.serve.errors import Refusal, missing
from oyster_jax.serve.protocol import SUBPROTOCOL
from oyster_jax.serve.rest import Rest, fault
from oyster_jax.serve.security import ENTER, Guard, Owner
from oyster_jax.serve.services import ServeConfig, Services
from oyster_jax.serve.stage import Stage
from oyster_jax.serve.stream import Stream
from oyster_jax.session.errors import SessionError
from oyster_jax.worlds.errors import WorldError

STATIC = Path(__file__).parent / "static"
_LIVE = "/v1/health/live"


class _Identity(Convertor[str]):
    """Ids that a server makes: nothing else reaches a handler."""

    regex = "[0-9a-f]{16}"

    def convert(self, value: str) -> str:
        """Returns the id."""
        return value

    def to_string(self, value: str) -> str:
        """Returns the id."""
        return value


register_url_convertor("id", _Identity())


class Server:
    """A server of sessions, as an ASGI application.

    Args:
      config: how it is set up.
      stages: the worlds that are played.
      told: called once all is compiled and warm.

    Attributes:
      app: the application, guarded.
    """

    def __init__(self, config: ServeConfig, stages: list[Stage], told: Callable[[], None] = lambda: None):
        self.services = services = Services(config, stages, told)
        self._server: uvicorn.Server | None = None
        self._error: BaseException | None = None
        rest = Rest(services, openapi.document())
        routes = [Route(route.path, getattr(rest, route.handler), methods=[route.method]) for route in openapi.ROUTES]
        self._app = Starlette(
            routes=[
                *routes,
                WebSocketRoute("/v1/sessions/{id:id}/stream", self._stream),
                WebSocketRoute("/{path:path}", _no_stream),
                Route(ENTER, self._enter, methods=["GET", "POST"]),
                Mount("/", StaticFiles(directory=STATIC, html=True)),
            ],
            exception_handlers={
                Refusal: _refused, SessionError: _impossible, WorldError: _impossible, HTTPException: _plain,
                500: _broken,
            },
            lifespan=self._lifespan,
        )  # fmt: skip
        self.app: ASGIApp = Guard(
            self._count,
            hosts=services.hosts,
            tokens=services.tokens,
            everybody=services.everybody,
            open_paths=(_LIVE, ENTER),
        )

    async def _count(self, scope: Any, receive: Any, send: Any) -> None:
        """Counts the answers of the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.services.metrics.requests.labels(scope["method"], str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, sending)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(self.services.run())
        task.add_done_callback(lambda done: None if done.cancelled() else self.stop(done.exception()))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _enter(self, request: Request) -> Response:
        """Lets somebody in who has a link: a click is asked for, so that no program that previews links uses it up."""
        tokens, link = self.services.tokens, request.query_params.get("link", "")
        if request.method == "GET":
            return HTMLResponse(_DOOR if tokens.knows(link) else _USED, 200 if tokens.knows(link) else 403)
        token = tokens.enter(link)
        if token is None:
            return HTMLResponse(_USED, 403)
        secure = self.services.config.origin.startswith("https")
        return RedirectResponse("/", 303, headers={"set-cookie": tokens.cookie(token, secure=secure)})

    async def _stream(self, socket: WebSocket) -> None:
        """Serves one client of one session."""
        services, owner = self.services, socket.state.owner
        offered, role = socket.scope.get("subprotocols", []), socket.query_params.get("role", "player")
        if role not in ("player", "spectator") or (offered and SUBPROTOCOL not in offered):
            message = f"A stream is for a player or a spectator and speaks {SUBPROTOCOL}."
            await socket.send_denial_response(fault(400, "bad_request", message))
            return
        await socket.accept(SUBPROTOCOL if offered else None)
        gauge = services.metrics.streams.labels(role)
        gauge.inc()
        try:
            await self._serve(socket, owner, role)
        except (Refusal, SessionError) as error:
            code = getattr(error, "code", "session")
            await socket.send_text(protocol.encode(protocol.ClosedEvent(code=code, message=str(error))).decode())
            await socket.close(protocol.CLOSE_FULL if code == "full" else protocol.CLOSE_GONE)
        finally:
            gauge.dec()

    async def _serve(self, socket: WebSocket, owner: Owner, role: Any) -> None:
        services = self.services
        services.check_ready()
        live = await services.lobby.find(owner, socket.path_params["id"])
        controls = Controls(live=live, engine=services.engine, limits=services.limits, tier=owner.tier)
        stream = Stream(
            socket,
            role,
            controls,
            limits=services.limits,
            metrics=services.metrics,
            export=lambda live, span: services.recordings.make(owner, live, span),
        )
        stream.hello(
            session=live.id,
            world=live.stage.card,
            codecs=["jpeg", "h264"],
            status=live.status,
            branches=live.branches,
        )
        await stream.run()

    def run(self, bound: socket.socket) -> None:
        """Serves on a bound socket until the process is interrupted, or `stop` is called.

        Raises:
          Exception: what ended the server before that.
        """
        limits = self.services.limits
        server = uvicorn.Server(
            uvicorn.Config(
                self.app,
                http=PatientConnection,
                ws="websockets-sansio",
                ws_max_size=limits.message_bytes,
                ws_max_queue=32,
                ws_per_message_deflate=False,
                ws_ping_interval=5.0,
                ws_ping_timeout=15.0,
                limit_concurrency=limits.connections,
                timeout_graceful_shutdown=5,
                h11_max_incomplete_event_size=16 << 10,
                server_header=False,
                log_config=None,
                access_log=False,
                lifespan="on",
            )
        )

        self._server = server
        # uvicorn takes a handshake that was answered with a refusal for one that was forgotten, and says so each time.
        logging.getLogger("uvicorn.error").addFilter(_is_no_refusal)
        server.run(sockets=[bound])
        if self._error is not None:
            raise self._error

    def stop(self, error: BaseException | None = None) -> None:
        """Ends the server, because of an error if one is given; every session is put on the disk."""
        self._error = error
        if self._server is not None:
            self._server.should_exit = True

    @contextlib.contextmanager
    def beside(self, bound: socket.socket) -> Iterator[None]:
        """Serves on a thread of its own for as long as the context lasts, and is ready within it.

        Raises:
          Exception: what ended the server before it was ready.
        """
        thread, ready = threading.Thread(target=self._run_beside, args=(bound,), name="server"), self.services.ready
        thread.start()
        try:
            while thread.is_alive() and not ready.wait(0.05):
                pass
            if not ready.is_set():
                raise self._error or RuntimeError("The server ended before it was ready.")
            yield
        finally:
            self.stop(self._error)
            thread.join()

    def _run_beside(self, bound: socket.socket) -> None:
        # What ends it is raised on the thread that waits.
        with contextlib.suppress(Exception):
            self.run(bound)


def bind(host: str, port: int) -> socket.socket:
    """Returns a socket that listens at an address; port 0 is any that is free.

    Raises:
      OSError: the address is another's, or taken.
      OverflowError: there is no such port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except (OSError, OverflowError):
        bound.close()
        raise
    return bound


def _is_no_refusal(record: logging.LogRecord) -> bool:
    return record.msg != "ASGI callable returned without completing handshake."


async def _no_stream(socket: WebSocket) -> None:
    """Answers a WebSocket to any other place."""
    refusal = missing("session")
    await socket.send_denial_response(fault(refusal.status, refusal.code, refusal.message))


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return fault(error.status, error.code, error.message)


async def _impossible(_: Request, error: Exception) -> Response:
    return fault(422, "not_possible", str(error))


async def _plain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # What is no id at all is as little there as one that nobody has.
    if found := re.match(rf"/v1/(session|recording)s/(?!{_Identity.regex}(/|$))[^/]", request.url.path):
        return await _refused(request, missing(found[1]))
    code = re.sub(r"[^a-z]+", "_", error.detail.lower())
    response = fault(error.status_code, code, f"{error.detail}; see /v1/openapi.json for what there is.")
    response.headers.update(error.headers or {})
    return response


async def _broken(_: Request, __: Exception) -> Response:
    return fault(500, "internal", "Something went wrong at the server; its log says what.")


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Oyster</title>
<meta name="viewport" content="width=device-width"><body><h1>Oyster</h1>{}</body></html>"""
_DOOR = _PAGE.format('<p>Somebody has invited you to play.</p><form method="post"><button>Play</button></form>')
_USED = _PAGE.format("<p>This link has been used, or is none. Ask for another.</p>")
