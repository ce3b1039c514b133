"""One client's stream: what it says is read at once, what it is sent waits for the client to have drawn the last.

Frames that nobody can draw in time are dropped before they are encoded; events and answers never are.
"""

import asyncio
import collections
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from oyster_jax.serve import protocol
from oyster_jax.serve.controls import Controls, parsed
from oyster_jax.serve.errors import Refusal
from oyster_jax.serve.limits import Allowance, Limits
from oyster_jax.serve.live import Live, Role
from oyster_jax.serve.metrics import Metrics
from oyster_jax.serve.pacing import Window
from oyster_jax.serve.pictures import Video
from oyster_jax.serve.protocol import Ack, ErrorAnswer, Event, Flag, Input, Kind, Request, Response
from oyster_jax.serve.resources import ExportSpan, Fault, Recording
from oyster_jax.serve.shown import Shown
from oyster_jax.session.errors import SessionError

_LOG = logging.getLogger(__name__)

type Export = Callable[[Live, ExportSpan], Awaitable[Recording]]

#: Frames after a jump that wait to be sent, at most; older ones go.
_JUMPS = 8
#: Texts that wait to be sent, at most: whoever reads none of them has gone.
_TEXTS = 1_000


class Stream:
    """A connected client.

    Args:
      socket: accepted already.
      role: whether it plays.
      controls: of the session.
      limits: of the server.
      metrics: to count in.
      export: makes a recording of the session.
    """

    def __init__(
        self, socket: WebSocket, role: Role, controls: Controls, *, limits: Limits, metrics: Metrics, export: Export
    ):
        self.role: Role = role
        self._socket, self._controls, self._limits, self._metrics = socket, controls, limits, metrics
        self._live, self._export = controls.live, export
        self._window = Window(self._live.rate)
        self._frame = 0
        # Of each lane: the newest frame, and how many were left out since the last one that was sent.
        self._newest: dict[int, Shown] = {}
        self._dropped: collections.Counter[int] = collections.Counter()
        self._jumps: collections.deque[Shown] = collections.deque(maxlen=_JUMPS)
        self._texts: collections.deque[bytes] = collections.deque()
        self._wake, self._ending = asyncio.Event(), None
        self._requests: asyncio.Queue[Request] = asyncio.Queue(limits.waiting)
        self._readouts, self._videos, self._codec = False, {}, "jpeg"

    def show(self, shown: Shown) -> None:
        """Takes a frame; it takes the place of one of its lane that still waits, unless either follows a jump."""
        if Flag.JUMPED in shown.flags:
            self._drop(shown.lane)
            self._jumps.append(shown)
        else:
            self._drop(shown.lane)
            self._newest[shown.lane] = shown
        self._wake.set()

    def tell(self, event: Event) -> None:
        """Takes an event."""
        self._send(event)

    def end(self, code: int, name: str, message: str) -> None:
        """Ends the stream once what waits has been sent."""
        if self._ending is None:
            self._send(protocol.ClosedEvent(code=name, message=message))
            self._ending = code
            self._wake.set()

    async def run(self) -> None:
        """Serves the client until it goes or the stream is ended."""
        tasks = [asyncio.create_task(part()) for part in (self._read, self._write, self._answer)]
        try:
            await self._live.attach(self)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except (Refusal, SessionError) as refusal:
            self._metrics.refused.labels("stream").inc()
            code = getattr(refusal, "code", "session")
            self.end(
                protocol.CLOSE_FULL if code in ("full", "too_many_spectators") else protocol.CLOSE_GONE,
                code,
                str(refusal),
            )
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=self._limits.patience)
        finally:
            self._live.detach(self)
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception) and not isinstance(ended, WebSocketDisconnect | OSError):
                    _LOG.error("A stream ended in an error", exc_info=ended)
            if self._socket.application_state is WebSocketState.CONNECTED:
                with contextlib.suppress(RuntimeError, WebSocketDisconnect, OSError):
                    await self._socket.close(self._ending or 1000)

    def hello(self, **fields: Any) -> None:
        """Sends the first message."""
        self._send(protocol.Hello(role=self.role, protocol=protocol.VERSION, **fields))

    async def _read(self) -> None:
        messages = Allowance(self._limits.messages, 2 * self._limits.messages)
        requests = Allowance(self._limits.requests, 2 * self._limits.requests)
        while True:
            received = await self._socket.receive()
            if received["type"] == "websocket.disconnect":
                return
            now = time.monotonic()
            if not messages.take(now):
                self._metrics.refused.labels("rate").inc()
                self.end(
                    protocol.CLOSE_RATE, "too_many_messages", f"At most {self._limits.messages:g} messages a second."
                )
                await asyncio.sleep(self._limits.patience)
                return
            self._take(received.get("text"), now, requests)

    def _take(self, text: str | None, now: float, requests: Allowance) -> None:
        if text is None:
            self._refuse(None, "bad_message", "Messages to the server are JSON text, not binary.")
            return
        try:
            message = protocol.decode_client(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
            self._refuse(None, "bad_message", f"This is no message of the protocol: {error}.")
            return
        match message:
            case Ack(frame=frame):
                if (trip := self._window.acknowledged(frame, now)) is not None:
                    self._metrics.round_trip.observe(trip)
                    self._wake.set()
            case Input() if self.role == "spectator":
                self._refuse(None, "spectator", "Who watches holds no buttons.")
            case Input(held=held):
                known = self._live.stage.card.buttons
                if unknown := next((button for button in held if button not in known), None):
                    self._refuse(
                        None, "unknown_button", f"There is no button '{unknown}'; there is {', '.join(known)}."
                    )
                else:
                    self._live.press(message)
            case Request(id=identity):
                if not requests.take(now):
                    self._refuse(identity, "too_many_requests", f"At most {self._limits.requests:g} requests a second.")
                elif self._requests.full():
                    self._refuse(identity, "busy", f"{self._limits.waiting} requests wait already; wait for answers.")
                else:
                    self._requests.put_nowait(message)

    async def _answer(self) -> None:
        while True:
            request = await self._requests.get()
            try:
                result = await self._call(request)
            except Refusal as refusal:
                self._refuse(request.id, refusal.code, refusal.message)
            except SessionError as error:
                self._refuse(request.id, "session", str(error))
            except Exception:  # noqa: BLE001  # One request must not end the stream.
                _LOG.exception("The request '%s' failed", request.method)
                self._refuse(request.id, "internal", "Something went wrong at the server; its log says what.")
            else:
                self._send(Response(id=request.id, result=result))

    async def _call(self, request: Request) -> Any:
        if self.role == "spectator" and request.method not in protocol.SPECTATOR_METHODS:
            allowed = ", ".join(sorted(protocol.SPECTATOR_METHODS))
            raise Refusal(403, "spectator", f"Who watches may use {allowed} only.")
        params = parsed(request.method, request.params)
        match params:
            case protocol.Readouts(on=on):
                self._readouts = on
                return None
            case protocol.ChooseCodec(codec=codec):
                return self._choose(codec)
            case ExportSpan():
                return await self._export(self._live, params)
        return await self._controls.call(request.method, params)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._texts:
                await self._socket.send_text(self._texts.popleft().decode())
            if self._ending is not None:
                return
            while (shown := self._next()) is not None:
                await self._send_frame(shown)

    def _next(self) -> Shown | None:
        """Returns what to send now: after a jump always, else the newest of a lane if there is room under way."""
        if self._texts or self._ending is not None:
            return None
        if self._jumps:
            return self._jumps.popleft()
        self._window.rate = self._live.rate * len(self._live.lanes)
        if not self._newest or not self._window.has_room:
            return None
        return self._newest.pop(next(iter(self._newest)))

    async def _send_frame(self, shown: Shown) -> None:
        if self._readouts:
            await self._socket.send_text(protocol.encode(shown.event).decode())
        kind, picture, took = self._picture(shown)
        self._frame += 1
        header = shown.header(kind, self._frame, self._dropped.pop(shown.lane, 0), took)
        self._window.sent(self._frame, time.monotonic())
        await self._socket.send_bytes(header.pack() + picture)
        self._metrics.encode.observe(took / 1000)
        self._metrics.frames.labels(self._codec).inc()
        self._metrics.frame_bytes.labels(self._codec).inc(len(picture))

    def _picture(self, shown: Shown) -> tuple[Kind, bytes, float]:
        if self._codec == "jpeg":
            data, took = shown.jpeg
            return Kind.JPEG, data, took
        begin = time.perf_counter()
        data, key = self._video(shown.lane).encode(shown.frame)
        return Kind.H264_KEY if key else Kind.H264_DELTA, data, 1000 * (time.perf_counter() - begin)

    def _video(self, lane: int) -> Video:
        if lane not in self._videos:
            frame = self._live.stage.world.spec.frame
            self._videos[lane] = Video(frame.height, frame.width, self._live.rate)
        return self._videos[lane]

    def _choose(self, codec: str) -> dict[str, Any]:
        """Sends pictures as something else from now on; returns what the client has to know to draw them."""
        self._codec, self._videos = codec, {}
        video = None if codec == "jpeg" else self._video(0)
        return {"codec": codec, "scale": video.scale if video else 1, "decoder": video.decoder if video else ""}

    def _drop(self, lane: int) -> None:
        if self._newest.pop(lane, None) is not None:
            self._dropped[lane] += 1
            self._metrics.dropped.inc()

    def _send(self, message: Any) -> None:
        if self._ending is None:
            self._texts.append(protocol.encode(message))
            if len(self._texts) > _TEXTS:
                self._ending = protocol.CLOSE_RATE
            self._wake.set()

    def _refuse(self, identity: int | None, code: str, message: str) -> None:
        self._metrics.refused.labels(code).inc()
        self._send(ErrorAnswer(id=identity, error=Fault(code=code, message=message)))
