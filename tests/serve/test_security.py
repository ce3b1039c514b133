"""Who may ask, and what becomes of those who mean harm."""

import struct
import time
import zlib

import pytest

from oyster_jax.client import Client, ClientError
from oyster_jax.serve.limits import Limits, Tier
from oyster_jax.serve.security import Hosts, Tokens
from tests.serve.serving import serving, until


def test_another_host_or_origin_is_turned_away(served, session):
    own, path = f"127.0.0.1:{served.port}", f"/v1/sessions/{session}/stream"
    assert served.ask("GET", "/v1/worlds", Host="evil.example")[0] == 421
    assert served.ask("GET", "/", Host=f"evil.example:{served.port}")[0] == 421
    assert served.ask("GET", "/v1/worlds", Host=f"localhost:{served.port}")[0] == 200
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{served.port + 1}", f"http://{own}.evil.example"):
        assert served.ask("POST", "/v1/sessions", b"{}", Origin=origin)[0] == 403
        assert served.ask("DELETE", f"/v1/sessions/{session}", Origin=origin)[0] == 403
        assert served.shake_hands(path, Origin=origin) == 403
    assert served.shake_hands(path, Host="evil.example") == 421
    assert served.ask("GET", f"/v1/sessions/{session}/export", Sec_Fetch_Site="cross-site")[0] == 403
    assert served.ask("POST", "/v1/sessions", b"{}", Origin=f"http://{own}", Host=own)[0] == 400
    assert served.shake_hands(path, Origin=f"http://{own}") == 101
    assert served.ask("GET", f"/v1/sessions/{session}")[0] == 200


def test_every_answer_carries_the_policy(served):
    for path in ("/", "/v1/worlds", "/v1/nothing"):
        headers = served.ask("GET", path)[2]
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


@pytest.mark.parametrize(
    "name",
    [
        "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "....//", "a/../b", "%00", "con", "0123456789ABCDEF", "%D9%A1" * 16,
        "x" * 5000,
    ],
)  # fmt: skip
def test_no_name_becomes_a_path(served, session, name):
    before = {path: path.stat().st_mtime for path in served.services.config.data.parent.iterdir()}
    for path in (
        f"/v1/sessions/{name}", f"/v1/recordings/{name}", f"/v1/uploads/{name}/picture.png", f"/{name}",
        f"/v1/worlds/{name}", f"/v1/worlds/tiny/pictures/{name}", f"/v1/sessions/{session}/frames/{name}/1",
    ):  # fmt: skip
        status, body, _ = served.ask("GET", path)
        assert status in (400, 404, 422), path
        assert b"root:" not in body
    assert served.ask("DELETE", f"/v1/sessions/{name}")[0] in (404, 405)
    assert {path: path.stat().st_mtime for path in served.services.config.data.parent.iterdir()} == before


def bomb(width, height):
    """A PNG of many pixels in few bytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * min(50_000_000, height * (3 * width + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (bomb(30_000, 30_000), "image/png", 422),
        (bomb(4_000, 4_000)[:2_000], "image/png", 422),
        (b"GIF89a" + b"\0" * 100, "image/png", 422),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "image/jpeg", 422),
        (b"", "image/webp", 422),
        (b"x" * (5 << 20), "image/png", 413),
        (b"<svg/>", "image/svg+xml", 415),
    ],
)
def test_pictures_that_are_none_or_too_large_are_refused(served, data, kind, status):
    answered, body, _ = served.ask("POST", "/v1/uploads?world=tiny", data, Content_Type=kind)
    assert (answered, b"Traceback" in body) == (status, False)
    assert served.ask("GET", "/v1/health/live")[0] == 200


def test_who_comes_by_a_link_has_sessions_of_their_own_and_less_time(stage, tmp_path):
    config = {"guest": Tier(name="guest", duration=300.0, mark="demo"), "origin": "https://play.example.org"}
    with serving(stage, tmp_path, **config) as served:
        assert served.ask("GET", "/v1/worlds")[0] == 401
        assert served.ask("GET", "/")[0] == 401
        assert served.shake_hands("/v1/sessions/0123456789abcdef/stream") == 401
        with pytest.raises(ClientError, match="send a token"):
            served.client.play("0123456789abcdef")
        with pytest.raises(ClientError, match="none of this server's"):
            Client(served.client.url, "operator.00").worlds()
        tokens, host = served.services.tokens, "play.example.org"
        link = tokens.link()
        assert served.ask("GET", link, Host=host)[0] == 200  # Whoever only looks does not use it up.
        origin = {"Host": host, "Origin": "https://play.example.org"}
        status, _, headers = served.ask("POST", link, b"", **origin)
        assert status == 303
        cookie = headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Secure"} <= set(cookie.split("; "))
        assert served.ask("POST", link, b"", **origin)[0] == 403
        guest = {"Cookie": cookie.split(";")[0], **origin}
        status, session = served.json("POST", "/v1/sessions", {"world": "tiny", "seed": 1}, **guest)
        assert status == 201
        assert served.json("POST", "/v1/sessions", {"world": "tiny", "duration": 301}, **guest)[0] == 422
        other = {"Cookie": f"oyster={tokens.token('guest-other')}", "Host": host}
        assert served.ask("GET", f"/v1/sessions/{session['id']}", None, **other)[0] == 404
        assert served.json("GET", "/v1/sessions", **other)[1] == {"sessions": []}
        assert served.ask("GET", "/v1/worlds", Cookie="oyster=operator.0000", Host=host)[0] == 401
        client = Client(f"http://127.0.0.1:{served.port}", tokens.token("operator"))
        assert [found["id"] for found in client.sessions()] == [session["id"]]
        guest_client = Client(f"http://127.0.0.1:{served.port}", cookie.split(";")[0].removeprefix("oyster="))
        with guest_client.play(session["id"]) as stream:
            assert stream.hello["status"]["duration"] == 300
            with pytest.raises(ClientError, match="at most 300 s"):
                stream.request("extend", seconds=1)
    # A token holds when the server is started again; the secret is for nobody else's eyes.
    again = Tokens(tmp_path, operator=Tier(name="operator"), guest=Tier(name="guest"))
    owner = again.owner(cookie.split(";")[0].removeprefix("oyster="))
    assert owner is not None
    assert not owner.is_operator
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:80", True), ("[::1]:80", True), ("localhost", True), ("192.168.1.7:80", False), ("", False),
        ("localhost.evil.example", False), ("127.0.0.1@evil.example", False), ("127.0.0.1:80:90", False),
    ],
)  # fmt: skip
def test_names_of_a_local_server(host, known):
    assert Hosts.of("127.0.0.1").knows(host) == known


def test_names_of_a_server_for_others():
    hosts = Hosts.of("0.0.0.0", "https://play.example.org")
    assert hosts.knows("192.168.1.7:8765")
    assert hosts.knows("play.example.org")
    assert not hosts.knows("evil.example")
    assert hosts.is_own("https://play.example.org", "127.0.0.1:8765")
    assert not hosts.is_own("https://evil.example", "play.example.org")


def test_who_asks_too_often_or_too_slowly_is_let_go(stage, tmp_path, monkeypatch):
    from oyster_jax.serve import connection

    monkeypatch.setattr(connection, "PATIENCE", 0.5)
    limits = Limits(calls=5.0, messages=50.0, patience=0.5, idle=600.0)
    with serving(stage, tmp_path, limits=limits) as served:
        begin = time.monotonic()
        with served.raw() as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nHost: 127")
            assert slow.recv(100) == b""
        with served.raw() as slow:
            slow.sendall(b"POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{")
            assert b" 408 " in slow.recv(1000)
        assert time.monotonic() - begin < 10
        session = served.client.create("tiny", seed=1)["id"]
        with served.client.play(session) as stream, pytest.raises(ClientError) as error:
            _flood(stream)
        assert error.value.code == "too_many_messages"
        answers = [served.ask("GET", "/v1/worlds")[0] for _ in range(40)]
        assert {200, 429} == set(answers)


def _flood(stream):
    for _ in range(500):
        stream.hold("right")
    while True:
        stream.frame()


def test_a_message_that_is_too_long_ends_the_stream_and_nothing_else(served, session):
    with served.client.play(session) as stream:
        stream._socket.send("x" * 100_000)
        with pytest.raises(ClientError):
            until(stream, lambda header: False)
    assert served.client.session(session)["id"] == session
