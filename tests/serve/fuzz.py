"""Malformed messages and requests: made up from what is almost right, reproducible by their seed."""

import json
import random
import string
from typing import Any

from tests.serve.serving import Served

_METHODS = (
    "pause", "resume", "step", "rate", "seek", "branch", "hop", "label", "reset", "extend", "timeline", "readouts",
    "compare", "codec", "export", "edit", "event", "nonsense", "__class__", "",
)  # fmt: skip
_FIELDS = (
    "type", "id", "method", "params", "held", "at", "frame", "tick", "branch", "name", "text", "factor", "seconds",
    "document",
)  # fmt: skip
_PATHS = (
    "/", "/enter", "/v1", "/v1/sessions", "/v1/sessions/{}", "/v1/sessions/{}/timeline", "/v1/sessions/{}/frames/{}/{}",
    "/v1/sessions/{}/export", "/v1/recordings", "/v1/recordings/{}", "/v1/worlds", "/v1/worlds/{}",
    "/v1/worlds/{}/pictures/{}", "/v1/prompts", "/v1/uploads", "/v1/uploads/{}/{}", "/v1/metrics", "/v1/openapi.json",
)  # fmt: skip
_NAMES = (
    "main", "tiny", "..", "%2e%2e%2f", "%00", "0123456789abcdef", "-1", "1e9", "%ff", "a" * 300, "%E2%80%AE", "null",
)  # fmt: skip
_STARTS = ("seed", "prompt", "image", "entities", "duration")
_VERBS = (*4 * ("GET", "POST", "DELETE"), "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW")


def value(random: random.Random, depth: int = 0) -> Any:
    """Returns any JSON value, extreme ones more often than not."""
    kind = random.randrange(9 if depth < 4 else 6)
    if kind == 0:
        return random.choice([None, True, False])
    if kind == 1:
        return random.choice([0, -1, 2**31, 2**32, 2**53, 2**64, -(2**63), random.randrange(100)])
    if kind == 2:
        return random.choice([0.5, -0.0, 1e308, -1e-308, 4.000001, random.random() * 100])
    if kind in (3, 4, 5):
        letters = random.choice([string.ascii_letters, string.printable, "\u202e\U0001f9aa\x00\ud800", "../\\"])
        return "".join(random.choice(letters) for _ in range(random.choice([0, 1, 5, 33, 600])))
    if kind == 6:
        return [value(random, depth + 1) for _ in range(random.randrange(5))]
    return {random.choice(_FIELDS): value(random, depth + 1) for _ in range(random.randrange(5))}


def message(random: random.Random) -> str | bytes:
    """Returns something to send over a stream."""
    kind = random.randrange(8)
    if kind == 0:
        return random.randbytes(random.choice([0, 1, 64, 5_000]))
    if kind == 1:
        return "".join(random.choice(string.printable) for _ in range(random.randrange(200)))
    if kind == 2:
        return random.choice(["[" * 5_000, '{"a":' * 2_000, "1" * 10_000, '"' + "\\u0000" * 1_000 + '"'])
    content: dict[str, Any] = {"type": random.choice(["input", "ack", "request"])}
    if kind == 3:
        content = {random.choice(_FIELDS): value(random) for _ in range(random.randrange(6))}
    elif kind == 4:
        content |= {"held": value(random), "at": value(random)}
    elif kind == 5:
        content |= {"frame": value(random)}
    else:
        params = {random.choice(_FIELDS): value(random) for _ in range(random.randrange(3))}
        content |= {"type": "request", "id": value(random), "method": random.choice(_METHODS), "params": params}
        if random.random() < 0.7:
            content["id"] = random.randrange(1_000)
    text = json.dumps(content)
    if random.random() < 0.2:
        cut = random.randrange(len(text))
        text = text[:cut] + random.choice(["", "}", '"', "\\"]) + text[cut + 1 :]
    return text


def request(random: random.Random) -> tuple[str, str, bytes | None, dict[str, str]]:
    """Returns method, path, body and headers of a request."""
    path = random.choice(_PATHS)
    while "{}" in path:
        path = path.replace("{}", random.choice(_NAMES), 1)
    if random.random() < 0.4:
        path += "?" + "&".join(f"{random.choice(_FIELDS)}={random.choice(_NAMES)}" for _ in range(random.randrange(4)))
    body = None
    if random.random() < 0.6:
        body = random.choice(
            [
                json.dumps(value(random)).encode(),
                json.dumps({"world": "tiny", random.choice(_STARTS): value(random)}).encode(),
                random.randbytes(random.choice([0, 10, 5_000])),
            ]
        )
    headers = {}
    if random.random() < 0.3:
        headers["Content_Type"] = random.choice(["image/png", "application/json", "multipart/form-data", "x/y; z"])
    if random.random() < 0.2:
        headers[random.choice(["Cookie", "Authorization", "Range", "Accept"])] = random.choice(
            ["oyster=a.b", "Bearer x", "bytes=0-", "*/*", "oyster=\x7f; ;=", "Bearer " + "x" * 2_000]
        )
    return random.choice(_VERBS), path, body, headers


def ask(served: Served, random: random.Random) -> int:
    """Makes one malformed request; returns the status of the answer."""
    method, path, body, headers = request(random)
    return served.ask(method, path, body, **headers)[0]
