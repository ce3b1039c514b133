"""A program's way to a server of sessions: what a person does in the browser, from Python.

    with Client("http://127.0.0.1:8765") as client:
        session = client.create("coinrun", seed=7)
        with client.play(session["id"]) as stream:
            stream.hold("right")
            for _ in range(30):
                frame = stream.frame()
            stream.request("seek", tick=10)

The protocol is in `serve/PROTOCOL.md`.
"""

import collections
import contextlib
import dataclasses
import functools
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Literal, Self

import numpy as np
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from oyster_jax.serve.protocol import CLOSE_RESTART, SUBPROTOCOL, FrameHeader, Kind

#: Seconds that the server may take to answer.
PATIENCE = 60.0
#: Frames that wait to be looked at while an answer is waited for; older ones go.
_WAITING = 256


class ClientError(Exception):
    """The server did not do what was asked, or could not be reached.

    Attributes:
      code: for programs, as in `full` or `not_found`.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """A frame that the server sent.

    Attributes:
      header: what it says of itself.
      data: the encoded picture.
      received: when it came in, in ms of the stream's clock.
    """

    header: FrameHeader
    data: bytes
    received: float

    @functools.cached_property
    def picture(self) -> np.ndarray:
        """The picture, uint8 `[height, width, 3]`.

        Raises:
          ClientError: it is video, which only makes sense with what came before.
        """
        import simplejpeg

        if self.header.kind is not Kind.JPEG:
            raise ClientError("video", "Frames of video are not decoded here; choose the codec jpeg.")
        return simplejpeg.decode_jpeg(self.data, colorspace="RGB", fastdct=False, fastupsample=False)


class Client(contextlib.AbstractContextManager["Client"]):
    """A server, as a program sees it.

    Args:
      url: of the page, as in `http://127.0.0.1:8765`.
      token: of whoever asks, where the server asks for one.
    """

    def __init__(self, url: str, token: str | None = None):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ClientError(
                "bad_address", f"A server's address begins with http:// or https://, but '{url}' does not."
            )
        self.url = f"{parts.scheme}://{parts.netloc}"
        if token is not None and not (token.isascii() and token.isprintable()):
            raise ClientError("bad_token", "A token has printable ASCII only; give it as the server printed it.")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def __exit__(self, *exception: object) -> None:
        pass

    def worlds(self) -> list[dict[str, Any]]:
        """Returns the cards of the worlds that can be played."""
        return self._json("GET", "/v1/worlds")["worlds"]

    def prompts(self, world: str) -> list[dict[str, Any]]:
        """Returns the recorded moments of a world."""
        return self._json("GET", f"/v1/prompts?{urllib.parse.urlencode({'world': world})}")["prompts"]

    def create(self, world: str, **start: Any) -> dict[str, Any]:
        """Begins a session: from a `seed`, a moment (`prompt`), an upload (`image`), a `sentence` or `entities`."""
        return self._json("POST", "/v1/sessions", json.dumps({"world": world, **start}).encode())

    def sessions(self) -> list[dict[str, Any]]:
        """Returns the sessions, the newest first."""
        return self._json("GET", "/v1/sessions")["sessions"]

    def session(self, identity: str) -> dict[str, Any]:
        """Returns what the list says of one."""
        return self._json("GET", f"/v1/sessions/{_quoted(identity)}")

    def delete(self, identity: str) -> None:
        """Deletes a session with all its files."""
        self._call("DELETE", f"/v1/sessions/{_quoted(identity)}")

    def frame(self, identity: str, branch: str, tick: int) -> bytes:
        """Returns any frame of a session as PNG, exactly."""
        return self._call("GET", f"/v1/sessions/{_quoted(identity)}/frames/{_quoted(branch)}/{tick}")

    def upload(self, world: str, data: bytes, kind: str = "image/png") -> dict[str, Any]:
        """Brings a picture, and returns what the server says of it."""
        return self._json("POST", f"/v1/uploads?{urllib.parse.urlencode({'world': world})}", data, kind)

    def recording(self, identity: str) -> bytes:
        """Returns a recording that the request `export` made."""
        return self._call("GET", f"/v1/recordings/{_quoted(identity)}")

    def play(self, identity: str, role: Literal["player", "spectator"] = "player") -> "Stream":
        """Opens the stream of a session.

        Raises:
          ClientError: the server is full, there is no such session, or it asks for a token.
        """
        address = f"{self.url.replace('http', 'ws', 1)}/v1/sessions/{_quoted(identity)}/stream?role={role}"
        return Stream(address, self._headers)

    def _json(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:
        return json.loads(self._call(method, path, body, kind))

    def _call(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        headers = self._headers | ({} if body is None else {"Content-Type": kind})
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error.read(), str(error)) from error
        except OSError as error:
            raise _unreachable(self.url, error) from error


class Stream(contextlib.AbstractContextManager["Stream"]):
    """The stream of one session. Every frame is acknowledged when it is returned, so that none of them grows old.

    Attributes:
      hello: the first message: role, world, status, branches.
      status: how the session is doing, as told last.
      branches: the timeline, as told last.
      events: what else was told, the newest hundred.
    """

    def __init__(self, url: str, headers: dict[str, str]):
        protocols, self._open = [Subprotocol(SUBPROTOCOL)], contextlib.ExitStack()
        try:
            opening = connect(
                url, subprotocols=protocols, additional_headers=headers, compression=None, max_size=None,
                open_timeout=PATIENCE,
            )  # fmt: skip
            self._socket = self._open.enter_context(opening)
        except InvalidStatus as error:
            raise _refusal(bytes(error.response.body or b""), f"The stream could not be opened ({error}).") from error
        except OSError as error:
            raise _unreachable(url, error) from error
        self.hello: dict[str, Any] = {}
        self.status: dict[str, Any] = {}
        self.branches: list[dict[str, Any]] = []
        self.events: collections.deque[dict[str, Any]] = collections.deque(maxlen=100)
        self._frames: collections.deque[Frame] = collections.deque(maxlen=_WAITING)
        self._answers: dict[int, dict[str, Any]] = {}
        self._asked = 0
        try:
            while not self.hello:
                self._receive(PATIENCE)
        except ClientError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Leaves; without its player the session pauses."""
        self._open.close()

    @property
    def now(self) -> float:
        """The stream's clock, in ms: a frame's `echo` is this at the newest input that it used."""
        return 1000 * time.perf_counter()

    def hold(self, *buttons: str) -> float:
        """Holds these buttons and no others from now on; returns when that was, in ms of the stream's clock.

        Raises:
          ClientError: the world has no such button, or the server has ended the stream.
        """
        known = self.hello["world"]["buttons"]
        if unknown := next((button for button in buttons if button not in known), None):
            raise ClientError("unknown_button", f"There is no button '{unknown}'; there is {', '.join(known)}.")
        at = self.now
        self._send({"type": "input", "held": list(buttons), "at": at})
        return at

    def frame(self, timeout: float = PATIENCE) -> Frame:
        """Returns the next frame, and acknowledges it.

        Raises:
          ClientError: none came within `timeout` seconds, or the server has ended the stream.
        """
        end = time.monotonic() + timeout
        while not self._frames:
            self._receive(max(0.0, end - time.monotonic()))
        frame = self._frames.popleft()
        self._send({"type": "ack", "frame": frame.header.frame})
        return frame

    def request(self, method: str, **params: Any) -> Any:
        """Asks for something, and returns the result; frames that come meanwhile are the next to be returned.

        Raises:
          ClientError: it is not done.
        """
        self._asked += 1
        self._send({"type": "request", "id": self._asked, "method": method, "params": params})
        end = time.monotonic() + PATIENCE
        while self._asked not in self._answers:
            self._receive(max(0.0, end - time.monotonic()))
        answer = self._answers.pop(self._asked)
        if answer["type"] == "error":
            raise ClientError(answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._socket.send(json.dumps(message))
        except ConnectionClosed as error:
            raise self._gone(error) from error

    def _receive(self, timeout: float) -> None:
        try:
            message = self._socket.recv(timeout)
        except TimeoutError as error:
            raise ClientError("timeout", "Nothing came from the server in time.") from error
        except ConnectionClosed as error:
            raise self._gone(error) from error
        if isinstance(message, bytes):
            header = FrameHeader.unpack(message)
            self._frames.append(Frame(header=header, data=message[FrameHeader.SIZE :], received=self.now))
            return
        content = json.loads(message)
        if content["type"] != "event":
            self._answers[content["id"] or 0] = content
            return
        self.hello = content if content["event"] == "hello" else self.hello
        self.status = content.get("status", self.status)
        self.branches = content.get("branches", self.branches)
        self.events.append(content)

    def _gone(self, error: ConnectionClosed) -> ClientError:
        # Its last words may not have been read yet.
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            while True:
                if isinstance(message := self._socket.recv(0), str):
                    self.events.append(json.loads(message))
        told = next((event for event in reversed(self.events) if event.get("event") == "closed"), None)
        if told is None and error.rcvd is not None and error.rcvd.code == CLOSE_RESTART:
            message = "The server has been ended; the session goes on where it was once it runs again."
            return ClientError("restart", message)
        if told is None:
            return ClientError("closed", f"The server has ended the stream ({error}).")
        return ClientError(told["code"], told["message"])


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _unreachable(url: str, error: OSError) -> ClientError:
    address, reason = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(url)), getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLError):
        return ClientError("unreachable", f"{address} does not speak https ({reason}); try http://.")
    return ClientError("unreachable", f"No server answers at {address} ({reason}); is it running?")


def _refusal(body: bytes, otherwise: str) -> ClientError:
    try:
        error = json.loads(body)["error"]
        return ClientError(str(error["code"]), str(error["message"]))
    except (ValueError, KeyError, TypeError):
        return ClientError("refused", otherwise)
