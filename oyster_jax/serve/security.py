"""Who may ask: the right host, the right origin, and, bound beyond this machine, somebody with a token.

A page of another origin can open a WebSocket to this machine and send forms to it, and a name that its owner points at
127.0.0.1 makes a page of theirs look like ours. So requests name a host that the server knows, and what changes
something comes from a page of that host, or from no page at all.
"""

import dataclasses
import hashlib
import hmac
import http.cookies
import ipaddress
import os
import re
import secrets
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oyster_jax.serve.limits import Tier

COOKIE = "oyster"
#: Where a one-time link leads.
ENTER = "/enter"
#: Seconds that a cookie is good for.
_COOKIE_AGE = 30 * 86_400
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Owner:
    """Somebody with sessions of their own.

    Attributes:
      id: tells them from all others.
      tier: what they may have.
      is_operator: whether everybody's sessions are theirs.
    """

    id: str
    tier: Tier
    is_operator: bool = False


class Tokens:
    """Tells owners by what they carry: a token that only this server can make.

    Args:
      folder: keeps the secret that tokens are made with, so that they hold when the server is started again.
      operator: what whoever runs the server may have.
      guest: what those may have that come by a link.
    """

    def __init__(self, folder: Path, *, operator: Tier, guest: Tier):
        self._secret = _secret(folder / "secret")
        self._operator = Owner(id="operator", tier=operator, is_operator=True)
        self._guest = guest
        self._links: dict[str, str] = {}

    @property
    def operator(self) -> Owner:
        """Whoever runs the server."""
        return self._operator

    def link(self) -> str:
        """Returns the path of a new link, which lets one guest in, once."""
        name = secrets.token_urlsafe(24)
        self._links[name] = f"guest-{secrets.token_hex(8)}"
        return f"{ENTER}?link={name}"

    def enter(self, link: str) -> str | None:
        """Uses a link up; returns the token of its guest, None if it is none or has been used."""
        owner = self._links.pop(link, None)
        return None if owner is None else self.token(owner)

    def knows(self, link: str) -> bool:
        """Returns whether a link can still be used."""
        return link in self._links

    def token(self, owner: str) -> str:
        """Returns the token of an owner."""
        return f"{owner}.{self._sign(owner)}"

    def owner(self, token: str) -> Owner | None:
        """Returns whose token it is, None if this server did not make it."""
        name, _, signature = token.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(name).encode()):
            return None
        return self._operator if name == self._operator.id else Owner(id=name, tier=self._guest)

    def cookie(self, token: str, *, secure: bool) -> str:
        """Returns the header that keeps a token in a browser, out of reach of scripts and of other sites."""
        tail = "; Secure" if secure else ""
        return f"{COOKIE}={token}; Path=/; Max-Age={_COOKIE_AGE}; HttpOnly; SameSite=Strict{tail}"

    def _sign(self, owner: str) -> str:
        return hmac.new(self._secret, owner.encode(), hashlib.sha256).hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hosts:
    """The names that the server goes by.

    Attributes:
      names: that may stand in a request's `Host`, without port.
      addresses: whether any IP address may, which no name can be made to look like.
      origin: of the page where a proxy stands before the server, as in `https://play.example.org`; else empty.
    """

    names: frozenset[str]
    addresses: bool = False
    origin: str = ""

    @classmethod
    def of(cls, host: str, origin: str = "") -> "Hosts":
        """Returns the names of a server that is bound to `host`."""
        names = {"localhost", "127.0.0.1", "::1"} if is_local(host) else {host, "localhost", socket.gethostname()}
        if origin:
            names.add(urlsplit(origin).hostname or "")
        return cls(names=frozenset(name.lower() for name in names), addresses=not is_local(host), origin=origin)

    def knows(self, host: str) -> bool:
        """Returns whether a `Host` header names this server."""
        found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]/@]+)(?::\d{1,5})?", host)
        name = found[1].strip("[]").lower() if found else ""
        return name in self.names or (self.addresses and _is_address(name))

    def is_own(self, origin: str, host: str) -> bool:
        """Returns whether a page of `origin` is this server's, as `host` is called."""
        if self.origin and origin == self.origin:
            return True
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and bool(host) and parts.netloc.lower() == host.lower()


class Guard:
    """Stands before the whole application: lets in whom it may, tells it whose requests are, adds headers to answers.

    Args:
      app: that is guarded.
      hosts: names of the server.
      tokens: of owners.
      everybody: who asks without a token; None where nobody may.
      open_paths: that need no token: what tells whether the server lives, and the way in.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Hosts, tokens: Tokens, everybody: Owner | None, open_paths: Iterable[str] = ()
    ):
        self._app, self._hosts, self._tokens, self._everybody = app, hosts, tokens, everybody
        self._open_paths = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request or one WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is None:
            owner = self._owner(headers)
            if owner is None and scope["path"] not in self._open_paths:
                sent = "authorization" in headers or COOKIE in headers.get("cookie", "")
                wrong = "The token that was sent is none of this server's. " if sent else ""
                told = f"{wrong}Open the link that the server printed when it started, or send a token."
                refusal = (401, "no_token", told)
            scope.setdefault("state", {})["owner"] = owner
        if refusal is not None:
            await self._refuse(*refusal)(scope, receive, send)
            return
        await self._app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str, str] | None:
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._hosts.knows(host):
            return 421, "unknown_host", "The server does not go by this name; use the address that it printed."
        is_socket = scope["type"] == "websocket"
        is_safe = not is_socket and scope["method"] in _SAFE_METHODS
        origin = headers.get("origin")
        if origin is not None and not is_safe and not self._hosts.is_own(origin, host):
            return 403, "other_origin", "This comes from a page of another origin; open the server's own page."
        # Pictures and frames of other pages can ask, too, and make the server work.
        foreign = headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")
        if foreign and (not is_safe or scope["path"].startswith("/v1/")):
            return 403, "other_origin", "This comes from a page of another origin; open the server's own page."
        return None

    def _owner(self, headers: Headers) -> Owner | None:
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._tokens.owner(token.strip())
        cookies: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except http.cookies.CookieError:
            return self._everybody
        if COOKIE in cookies and (owner := self._tokens.owner(cookies[COOKIE].value)) is not None:
            return owner
        return self._everybody

    def _refuse(self, status: int, code: str, message: str) -> ASGIApp:
        """Returns what answers so, be it to a request or to the handshake of a WebSocket."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            content = {"error": {"code": code, "message": message}}
            await JSONResponse(content, status)(scope, receive, _with_headers(send))

        return answer


def is_local(host: str) -> bool:
    """Returns whether only this machine reaches what is bound to `host`."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-cache")
        await send(message)

    return sending


def _secret(path: Path) -> bytes:
    """Returns the secret in a file, which is made for its owner's eyes alone if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    found = path.read_bytes()
    if len(found) != 32:
        raise ValueError(f"{path} is no secret of this server; remove it, and all links and cookies are void.")
    return found


def state_of(scope: dict[str, Any]) -> Owner:
    """Returns who asks."""
    return scope["state"]["owner"]
