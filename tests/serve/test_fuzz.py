"""A server under thousands of malformed messages and requests: it answers each, plays on, and leaves nothing behind.

`tools/fuzz` sends 10,000 of each and prints what came back.
"""

import collections
import contextlib
import os
import random
import threading
import time

import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from oyster_jax.client import ClientError
from tests.serve import fuzz
from tests.serve.serving import serving, until

COUNT = int(os.environ.get("FUZZ_MESSAGES", "150"))


@pytest.fixture(scope="module")
def target(stage, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "outside").write_text("untouched", "utf-8")
    with serving(stage, folder / "data") as served:
        yield served
    assert (folder / "outside").read_text("utf-8") == "untouched"
    assert sorted(path.name for path in folder.iterdir()) == ["data", "outside"]


@contextlib.contextmanager
def unharmed(target):
    """Somebody plays all the while, and goes on playing; afterwards nothing hangs and little has grown."""
    process, client = psutil.Process(), target.client
    bystander = client.create("tiny", seed=99)["id"]
    with client.play(bystander) as stream:
        until(stream, lambda header: header.tick >= 3)
        before = process.memory_info().rss
        files, threads = process.num_fds(), threading.active_count()
        yield
        tick = client.session(bystander)["ticks"]
        until(stream, lambda header: header.tick > tick)
    client.delete(bystander)
    end = time.monotonic() + 20
    while (process.num_fds() > files + 20 or threading.active_count() > threads + 20) and time.monotonic() < end:
        time.sleep(0.2)
    assert process.num_fds() <= files + 20
    assert threading.active_count() <= threads + 20
    grown = (process.memory_info().rss - before) / 2**20
    print(f"\nmemory grew by {grown:.0f} MiB")
    assert grown < 200 + COUNT / 20
    assert target.ask("GET", "/v1/health/ready")[0] == 200


def test_malformed_messages(target):
    generator, answers = random.Random(1), collections.Counter()
    session = target.client.create("tiny", seed=1)["id"]
    with unharmed(target):
        sent, streams = 0, 0
        while sent < COUNT:
            streams += 1
            role = "player" if streams % 4 else "spectator"
            with target.client.play(session, role) as stream:
                with contextlib.suppress(ClientError, ConnectionClosed):
                    for _ in range(min(100, COUNT - sent)):
                        sent += 1
                        stream._socket.send(fuzz.message(generator))
                        with contextlib.suppress(TimeoutError):
                            while True:
                                received = stream._socket.recv(0)
                                answers["frame" if isinstance(received, bytes) else received[9:22]] += 1
                # Whatever was said, one can still play.
                with contextlib.suppress(ClientError):
                    stream.request("timeline")
        with target.client.play(session) as stream:
            assert len(stream.request("timeline")) >= 1
            stream.request("hop", branch="main")
    print(f"\n{sent} messages over {streams} streams: {dict(answers.most_common(6))}")
    target.client.delete(session)


def test_malformed_requests(target):
    generator, answers = random.Random(2), collections.Counter()
    with unharmed(target):
        for _ in range(COUNT):
            answers[fuzz.ask(target, generator)] += 1
    print(f"\n{COUNT} requests: {dict(answers.most_common())}")
    assert not [status for status in answers if status >= 500]
    for session in target.client.sessions():
        target.client.delete(session["id"])
