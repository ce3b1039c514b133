"""The REST interface: what there is, what is made, what is refused, and that its document tells the truth."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from oyster_jax.client import ClientError
from oyster_jax.serve import openapi
from tests.serve.serving import until


def png(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def lived(client, session):
    with client.play(session) as stream:
        stream.hold("right")
        until(stream, lambda header: header.tick >= 20)
        stream.request("pause")
    return session


def test_sessions_are_made_listed_and_deleted(served, client):
    made = client.create("tiny", seed=5)
    assert (made["world"], made["start"], made["ticks"]) == ("tiny", "seed 5", 0)
    assert made["id"] in [session["id"] for session in client.sessions()]
    assert served.json("GET", f"/v1/sessions/{made['id']}/timeline")[1]["branches"][0]["name"] == "main"
    client.delete(made["id"])
    with pytest.raises(ClientError, match="no such session"):
        client.session(made["id"])
    assert not (served.services.lobby.folder / made["id"]).exists()


def test_worlds_tell_what_their_buttons_are_and_what_they_look_like(served, client):
    (card,) = client.worlds()
    assert card["name"] == "tiny"
    assert card["height"] == card["width"] == 16
    assert {"left", "right", "jump"} <= set(card["buttons"])
    status, picture, headers = served.ask("GET", card["pictures"][0])
    assert (status, headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(picture)).size == (16, 16)
    assert served.json("GET", "/v1/worlds/nowhere")[0] == 404
    assert client.prompts("tiny") == []


def test_a_session_begins_from_an_upload(served, client):
    noise = np.random.default_rng(0).integers(256, size=(40, 60, 3), dtype=np.uint8)
    told = client.upload("tiny", png(noise))
    assert told["verdict"] in ("familiar", "strange", "foreign")
    assert f"{told['psnr']:.1f} dB" in told["sentence"]
    for address in (told["picture"], told["shown"]):
        assert Image.open(io.BytesIO(served.ask("GET", address)[1])).size == (16, 16)
    session = client.create("tiny", image=told["id"])
    assert session["start"] == "an uploaded picture"
    with client.play(session["id"]) as stream:
        until(stream, lambda header: header.tick > 2)


def test_spans_are_recorded_and_sent_again(served, client, lived):
    address = f"/v1/sessions/{lived}/export?format=npz&branch=main&start=5&stop=15"
    status, data, headers = served.ask("GET", address)
    assert status == 200
    assert re.fullmatch(r'attachment; filename="tiny-[0-9a-f]{16}-main-5-15.npz"', headers["content-disposition"])
    with np.load(io.BytesIO(data)) as arrays:
        assert arrays["frames"].shape == (11, 16, 16, 3)
        exact = np.asarray(Image.open(io.BytesIO(client.frame(lived, "main", 9))))
        assert (arrays["frames"][4] == exact).all()
    listed = served.json("GET", "/v1/recordings")[1]["recordings"]
    assert listed[0]["session"] == lived
    assert client.recording(listed[0]["id"]) == data
    assert served.ask("DELETE", listed[0]["url"])[0] == 204
    assert served.ask("GET", listed[0]["url"])[0] == 404
    clip = served.ask("GET", f"/v1/sessions/{lived}/export?branch=main&stop=5&captions=true")[1]
    assert clip[4:8] == b"ftyp"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "named"),
    [
        ("POST", "/v1/sessions", b"{", 400, "not what this takes"),
        ("POST", "/v1/sessions", b'{"world": "tiny", "sead": 1}', 400, "sead"),
        ("POST", "/v1/sessions", b'{"world": "tiny", "seed": -1}', 400, "seed"),
        ("POST", "/v1/sessions", b'{"world": "tiny", "duration": 1e9}', 400, "duration"),
        ("POST", "/v1/sessions", b'{"world": "../tiny"}', 400, "world"),
        ("POST", "/v1/sessions", b'{"world": "huge"}', 404, 'no world "huge" here; there is tiny'),
        ("POST", "/v1/sessions", b'{"world": "tiny", "prompt": "none"}', 404, "no such recorded moment"),
        ("POST", "/v1/sessions", b'{"world": "tiny", "image": "0123456789abcdef"}', 404, "no such upload"),
        ("POST", "/v1/sessions", b'{"world": "tiny", "x": "' + b"x" * 100_000, 413, "at most"),
        ("GET", "/v1/sessions/0123456789abcdef", None, 404, "no such session"),
        ("GET", "/v1/sessions/0123456789abcdef/frames/main/0", None, 404, "no such session"),
        ("GET", "/v1/sessions/SESSION/frames/main/99999", None, 422, "never lived"),
        ("GET", "/v1/sessions/SESSION/frames/main/-1", None, 400, "whole number"),
        ("GET", "/v1/sessions/SESSION/frames/nowhere/1", None, 422, "no branch 'nowhere'"),
        ("GET", "/v1/sessions/SESSION/export?format=exe", None, 400, "format"),
        ("GET", "/v1/sessions/SESSION/export?start=1&start=2", None, 400, "once"),
        ("GET", "/v1/sessions/SESSION/export?start=9&stop=5", None, 422, "never lived"),
        ("PUT", "/v1/sessions", b"", 405, "Not Allowed"),
        ("GET", "/v1/nothing", None, 404, "Not Found"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(served, session, method, path, body, status, named):
    answered, data, _ = served.ask(method, path.replace("SESSION", session), body)
    assert answered == status
    error = json.loads(data)["error"]
    assert error["code"]
    assert named in error["message"]


def test_health_metrics_and_the_document(served, client, lived):
    assert served.json("GET", "/v1/health/live") == (200, {"live": True})
    assert served.json("GET", "/v1/health/ready") == (200, {"ready": True})
    text = served.ask("GET", "/v1/metrics")[1].decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values['oyster_ticks_total{world="tiny"}']) >= 20
    assert float(values["oyster_step_seconds_count"]) >= 20
    assert float(values['oyster_frames_total{codec="jpeg"}']) >= 20
    assert {"oyster_open_sessions", "oyster_dropped_frames_total", "oyster_log_lag_ticks"} <= values.keys()
    status, document = served.json("GET", "/v1/openapi.json")
    assert status == 200
    assert document == json.loads(json.dumps(openapi.document()))
    references = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document))
    assert set(references) <= document["components"]["schemas"].keys()
    # Every route is told of, and each is there.
    for route in openapi.ROUTES:
        assert route.method.lower() in document["paths"][re.sub(r"{(\w+):\w+}", r"{\1}", route.path)]
    assert served.ask("GET", "/")[2]["cache-control"] == "no-cache"
