"""Slow links, slow clients, servers that are killed: what is shown is fresh, and what was lived is there."""

import os
import signal
import subprocess
import sys
import time

import numpy as np

from oyster_jax.client import Client
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.storage import save_world
from tests.serve.link import slow_link
from tests.serve.serving import until

DELAY = 0.1


def test_over_a_slow_link_frames_are_fresh(served, session):
    with slow_link(served.port, delay=DELAY / 2, rate=4e6) as port, Client(f"http://127.0.0.1:{port}") as client:
        with client.play(session) as stream:
            until(stream, lambda header: header.tick >= 15)
            answers = []
            for press in range(12):
                at = stream.hold("right" if press % 2 else "left")
                answers.append(until(stream, lambda header, at=at: header.echo == at).received - at)
        # A link of 100 ms there and back, a tick of 67 ms, and no queue: the median leaves room for a busy machine.
        assert np.median(answers) < 1000 * DELAY + 250
        with client.play(session) as stream:
            assert stream.frame().picture.shape == (16, 16, 3)


def test_a_client_that_draws_slowly_sees_fresh_frames(client, session):
    with client.play(session) as stream:
        stream.request("rate", factor=4)
        answers, dropped = [], 0
        for press in range(20):
            at = stream.hold("right" if press % 2 else "left")
            while True:
                time.sleep(0.05)  # To draw takes so long, and only then is the next one looked at.
                frame = stream.frame()
                dropped += frame.header.dropped
                if frame.header.echo == at:
                    break
            answers.append(frame.received - at)
        assert dropped > 0
        assert np.median(answers) < 250


def test_a_server_that_is_killed_goes_on_at_what_it_had_said_was_durable(tmp_path):
    world = tmp_path / "tiny"
    save_world(world, tiny_model(), tiny_params(), {"name": "tiny", "licence": "", "training": {}, "figures": {}})
    options = ["--world", str(world), "--data", str(tmp_path / "data"), "--port", "0", "--players", "1"]
    command = [sys.executable, "-m", "oyster_jax.cli.main", "serve", *options]
    session, seen, durable = None, {}, 0
    for round_of in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
            assert process.stdout is not None
            try:
                url = next(line for line in process.stdout if line.startswith("Ready: ")).split()[1]
                client = Client(url)
                session = session or client.create("tiny", seed=4)["id"]
                stream = client.play(session)
                if round_of == 0:
                    stream.hold("right")
                    for _ in range(40):
                        frame = stream.frame()
                        seen[frame.header.tick] = frame.data
                        durable = max(durable, frame.header.durable)
                    os.killpg(process.pid, signal.SIGKILL)
                    stream.close()
                    continue
                # It was killed while running; it is shown where it goes on, the last tick that was written.
                tick = stream.hello["status"]["tick"]
                assert durable > 20
                assert durable <= tick
                stream.request("seek", tick=durable)
                back = until(stream, lambda header, tick=durable: header.tick == tick)
                assert back.data == seen[durable]
                stream.close()
            finally:
                os.killpg(process.pid, signal.SIGKILL)
