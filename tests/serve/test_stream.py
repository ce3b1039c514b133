"""Playing over the socket: what is shown, what is held, going back and aside, watching, and who may."""

import contextlib
import io
import math
import time

import numpy as np
import pytest
from PIL import Image

from oyster_jax.client import Client, ClientError
from oyster_jax.serve.protocol import Flag, Kind
from tests.serve.serving import serving, until


def test_a_player_is_shown_every_tick_in_order(client, session):
    with client.play(session) as stream:
        assert stream.hello["role"] == "player"
        assert stream.hello["world"]["buttons"][:3] == ["left", "down", "jump"]
        frames = [stream.frame() for _ in range(12)]
        headers = [frame.header for frame in frames]
        assert [header.frame for header in headers] == list(range(1, 13))
        assert [header.tick for header in headers] == list(range(12))
        assert all(math.isnan(header.echo) for header in headers)
        at = stream.hold("right", "jump")
        answered = until(stream, lambda header: not math.isnan(header.echo)).header
        assert answered.echo == at
        assert 0 <= answered.waited < 1000
        assert answered.step > 0
        assert answered.durable <= answered.tick
        assert answered.remaining == pytest.approx(1800 - answered.tick / 15, abs=1e-3)
        assert frames[-1].picture.shape == (16, 16, 3)


def test_what_is_wrong_is_said_in_a_sentence(client, session):
    with pytest.raises(ClientError, match="no such session"):
        client.play("nosuch")
    for ask in (client.session, client.delete, client.recording):
        with pytest.raises(ClientError, match="no such"):
            ask("no such/one")
    with pytest.raises(ClientError, match="is it running"):
        Client("http://127.0.0.1:9").play("0123456789abcdef")
    with pytest.raises(ClientError, match="printable ASCII"):
        Client(client.url, "ü")
    with pytest.raises(ClientError, match='no world "tinny" here; there is tiny'):
        client.create("tinny")
    with client.play(session) as stream:
        with pytest.raises(ClientError, match=r"no button 'jmp'; there is left, down, jump"):
            stream.hold("jmp")
        stream._send({"type": "input", "held": ["jmp"], "at": 0.0})
        stream.request("timeline")
        assert stream._answers[0]["error"]["code"] == "unknown_button"


def test_what_a_rewind_shows_is_byte_for_byte_what_was_seen(client, session):
    with client.play(session) as stream:
        stream.hold("right")
        seen = {frame.header.tick: frame for frame in (stream.frame() for _ in range(30))}
        status = stream.request("seek", tick=10)
        assert (status["phase"], status["tick"]) == ("paused", 10)
        back = until(stream, lambda header: Flag.JUMPED in header.flags and header.tick == 10)
        assert Flag.PAUSED in back.header.flags
        assert back.data == seen[10].data
        exact = np.asarray(Image.open(io.BytesIO(client.frame(session, "main", 10))))
        assert exact.shape == (16, 16, 3)
        assert np.abs(exact.astype(int) - seen[10].picture).mean() < 3
        # Living on from there is a branch of its own, and what came later stays.
        stream.request("resume")
        aside = until(stream, lambda header: header.branch == 1)
        assert aside.header.tick == 11
        assert [line["name"] for line in stream.request("timeline")] == ["main", "branch-1"]
        assert stream.request("hop", branch="main")["ticks"] >= 29


def test_single_steps_are_taken_under_what_is_held_while_paused(client, session):
    with client.play(session) as stream:
        with pytest.raises(ClientError, match="pause it first"):
            stream.request("step")
        tick = stream.request("pause")["tick"]
        stream.hold("left")
        for _ in range(3):
            stream.request("step")
        assert stream.status["tick"] == tick + 3
        assert stream.status["phase"] == "paused"
        shown = until(stream, lambda header: header.tick == tick + 3)
        assert Flag.PAUSED in shown.header.flags
        stream.request("export", format="jsonl")
        recording = client.recording(stream.request("export", format="jsonl")["id"])
        assert [b'"left"' in line for line in recording.splitlines()[tick : tick + 3]] == [True] * 3


def test_speed_labels_branches_and_extensions(client, session):
    with client.play(session) as stream:
        assert stream.request("rate", factor=0.25)["rate"] == 0.25
        until(stream, lambda header: header.tick >= 6)
        begin = stream.frame()
        later = [stream.frame() for _ in range(3)][-1]
        # However busy the machine is, it is no faster than it should be.
        assert later.received - begin.received > 3 * 4 * 1000 / 15 * 0.8
        stream.request("pause")
        assert stream.request("branch", at=5, name="aside")["branch"] == "aside"
        stream.request("label", text="here", tick=3)
        lines = stream.request("timeline")
        assert [(line["name"], line["at"]) for line in lines] == [("main", 0), ("aside", 5)]
        assert lines[1]["labels"] == [{"tick": 3, "text": "here"}]
        assert stream.request("extend", seconds=60)["duration"] == 1860
        assert stream.request("reset")["tick"] == 0


def test_two_branches_run_under_the_same_buttons(client, session):
    with client.play(session) as stream:
        until(stream, lambda header: header.tick == 5)
        stream.request("branch", name="aside")
        with pytest.raises(ClientError, match="name another"):
            stream.request("compare", branch="aside")
        assert stream.request("compare", branch="main")["compared"] == "main"
        lanes = {(frame.header.lane, frame.header.branch) for frame in (stream.frame() for _ in range(20))}
        assert lanes >= {(0, 1), (1, 0)}
        with pytest.raises(ClientError, match="runs beside"):
            stream.request("hop", branch="main")
        assert stream.request("compare", branch=None)["compared"] is None


def test_readouts_come_before_their_frame_when_they_are_asked_for(client, session):
    with client.play(session) as stream:
        stream.request("readouts", on=True)
        until(stream, lambda header: header.tick >= 5)
        told = [event for event in stream.events if event["event"] == "readouts"]
        assert told
        assert {"entities", "reward", "terminal", "position", "tick", "branch"} <= told[-1].keys()
        assert all(len(row) == 6 for row in told[-1]["entities"])


def test_video_is_sent_where_it_is_chosen(client, session):
    av = pytest.importorskip("av")
    with client.play(session) as stream:
        chosen = stream.request("codec", codec="h264")
        assert chosen["decoder"].startswith("avc1.")
        first = until(stream, lambda header: header.kind is not Kind.JPEG)
        assert first.header.kind is Kind.H264_KEY
        decoder = av.CodecContext.create("h264", "r")
        shown = []
        for frame in [first, *(stream.frame() for _ in range(10))]:
            shown += decoder.decode(av.Packet(frame.data))
        assert shown[0].width == 16 * chosen["scale"]
        assert len(shown) >= 9


def test_without_its_player_a_session_pauses_and_nothing_stays_held(served, client, session):
    with client.play(session) as stream:
        stream.hold("right")
        until(stream, lambda header: not math.isnan(header.echo))
    time.sleep(0.5)
    tick = client.session(session)["ticks"]
    time.sleep(0.4)
    assert client.session(session)["ticks"] == tick
    with client.play(session) as stream:
        assert stream.hello["status"]["tick"] == tick
        later = until(stream, lambda header: header.tick >= tick + 3).header
        assert math.isnan(later.echo)


def test_a_tap_shorter_than_a_tick_is_not_lost(client, session):
    with client.play(session) as stream:
        stream.request("pause")
        stream.hold("jump")
        stream.hold()
        tick = stream.request("resume")["tick"]
        until(stream, lambda header: header.tick >= tick + 3)
        recording = client.recording(stream.request("export", format="jsonl")["id"])
        assert sum(b'"jump"' in line for line in recording.splitlines()) == 1


def test_another_player_takes_over_and_spectators_only_watch(client, session):
    with client.play(session) as first, client.play(session, "spectator") as watching, client.play(session) as second:
        second.frame()
        with pytest.raises(ClientError, match="somewhere else") as error:
            until(first, lambda header: False)
        assert error.value.code == "replaced"
        assert watching.frame().header.frame >= 1
        with pytest.raises(ClientError, match="may use"):
            watching.request("pause")
        until(watching, lambda header: header.tick > 5)


def test_one_more_player_than_it_carries_gets_full_and_harms_nobody(stage, tmp_path):
    with serving(stage, tmp_path, players=1) as served:
        client: Client = served.client
        mine, other = (client.create("tiny", seed=seed)["id"] for seed in (1, 2))
        with client.play(mine) as stream:
            stream.frame()
            with client.play(other) as refused, pytest.raises(ClientError) as error:
                until(refused, lambda header: False)
            assert error.value.code == "full"
            until(stream, lambda header: header.tick > 10)
        with client.play(other) as stream:
            until(stream, lambda header: header.tick > 2)


def test_a_session_ends_when_its_time_is_up_and_goes_on_when_it_is_extended(client):
    session = client.create("tiny", seed=1, duration=0.5)["id"]
    with client.play(session) as stream:
        last = until(stream, lambda header: Flag.ENDED in header.flags)
        assert last.header.tick == 8
        with pytest.raises(ClientError, match="extend it"):
            stream.request("resume")
        stream.request("extend", seconds=5)
        until(stream, lambda header: header.tick > 10)


def test_a_client_that_acknowledges_nothing_gets_few_frames_and_then_the_newest(client, session, monkeypatch):
    with client.play(session) as stream:
        monkeypatch.setattr(stream, "_send", lambda message: None)
        frames = [stream.frame() for _ in range(2)]
        # The first follows a jump and so goes out in any case.
        with contextlib.suppress(ClientError):
            frames.append(stream.frame(1.0))
        with pytest.raises(ClientError, match="in time"):
            stream.frame(1.0)
        monkeypatch.undo()
        stream._send({"type": "ack", "frame": frames[-1].header.frame})
        fresh = stream.frame()
        assert fresh.header.dropped >= 10
        assert fresh.header.tick >= frames[-1].header.tick + 10
