import contextlib
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import urllib.request

import av
import jax
import numpy as np
import pytest
from PIL import Image

from oyster_jax.cli import demo
from oyster_jax.cli.main import main
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.storage import read_world, save_world
from tests.models.structured import network, shaken

LEAVE = b"\x1b[?25h\x1b[?1049l"
#: Gives the process a terminal to be interrupted from, then runs the rest of its arguments.
PRELUDE = "import fcntl, termios, sys; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
PLAY = PRELUDE + "from oyster_jax.cli.main import main; raise SystemExit(main(sys.argv[1:]))"
FAIL = PRELUDE + (
    "from oyster_jax.cli.terminal import Terminal\n"
    "with Terminal() as terminal:\n    terminal.write('inside'); terminal.read(9); raise RuntimeError('a' + ' bug')"
)


# Whoever runs the tests in the background has interrupts ignored, and children inherit that.
_WITHOUT_DESKTOP = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
_INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


class Screened:
    """A program in a terminal of 80 × 24, and what it has printed."""

    def __init__(self, code, *arguments):
        self.master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self._slave)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _INTERRUPTIBLE + code, *arguments],
            stdin=self._slave, stdout=self._slave, stderr=self._slave, start_new_session=True,
        )  # fmt: skip
        self.text, self._read = b"", 0

    def press(self, keys):
        os.write(self.master, keys)

    def wait_for(self, text, seconds=60.0):
        """Reads until `text` appears after what was waited for before; returns what came up to its end."""
        end = time.monotonic() + seconds
        while (found := self.text.find(text, self._read)) < 0:
            assert time.monotonic() < end, (text, self.text[-2000:])
            self._more()
        before, self._read = self._read, found + len(text)
        return self.text[before : self._read]

    def finish(self):
        """Reads until the program ends; returns its exit code."""
        end = time.monotonic() + 30
        while self.process.poll() is None:
            assert time.monotonic() < end, self.text[-2000:]
            self._more()
        while self._more():
            pass
        return self.process.returncode

    def restored(self):
        """Whether the terminal is as it was before the program."""
        return self.text.rstrip().find(LEAVE) >= 0 and termios.tcgetattr(self._slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self._slave)

    def _more(self):
        if not select.select([self.master], [], [], 0.05)[0]:
            return False
        self.text += os.read(self.master, 65536)
        return True


def stored(folder, logit_of_the_end):
    params = tiny_params()
    bias = params["dynamics"]["readouts"]["summary"]["bias"]
    params["dynamics"]["readouts"]["summary"]["bias"] = bias.at[1].set(logit_of_the_end)
    save_world(folder, tiny_model(), params, {"name": "tiny", "licence": "Apache-2.0", "training": {}, "figures": {}})
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A world whose episodes never end."""
    return stored(tmp_path_factory.mktemp("worlds") / "tiny", -100.0)


@pytest.fixture(scope="module")
def ending_folder(tmp_path_factory):
    """A world whose episodes end at every tick."""
    return stored(tmp_path_factory.mktemp("worlds") / "tiny", 100.0)


@pytest.fixture
def started(folder):
    """Starts programs in terminals; ends them all."""
    with contextlib.ExitStack() as stack:

        def start(code, *arguments):
            screened = Screened(code, *arguments)
            stack.callback(screened.close)
            return screened

        yield start


def test_keys_play_and_quitting_restores_the_terminal(started, folder):
    player = started(PLAY, "play", "--terminal", "--world", folder, "--seed", "3", "--rate", "30")
    player.wait_for(b"Loading")
    player.wait_for(b"\x1b[?1049h")
    player.wait_for(b"\x1b[48;2;")
    assert b"seed 3" in player.wait_for(b"  noop")
    player.press(b"\x1b[C")
    changed = player.wait_for(b"  right\x1b")
    assert re.search(rb"\x1b\[48;2;\d+;\d+;\d+m", changed)
    player.press(b"\x1b[C ")
    player.wait_for(b"  right+jump")
    player.wait_for(b" ms/tick  noop")  # both let go by themselves
    player.press(b"p")
    player.wait_for(b"paused")
    player.press(b"pn")
    player.wait_for(b"A new world, seed 4.")
    player.press(b"q")
    assert player.finish() == 0
    assert player.restored()
    after = player.text[player.text.rfind(LEAVE) :]
    assert re.search(rb"Played \d+ ticks of tiny: [\d.]+ ms a tick", after)
    assert b"rollout" in after


@pytest.mark.parametrize(("end", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (b"\x03", 130), (b"", 1)])
def test_whatever_ends_it_the_terminal_is_restored(started, end, code):
    program = started(FAIL)
    program.wait_for(b"inside")
    assert not program.restored()
    if isinstance(end, bytes):
        program.press(end or b"x")
    else:
        program.process.send_signal(end)
    ended = program.finish()
    # Python itself ends by the signal when nobody catches the interrupt.
    assert ended in (code, -signal.SIGINT if code == 130 else code)
    assert program.restored()
    assert (b"a bug" in program.text) == (end == b"")


def test_an_episode_that_ends_is_followed_by_another(started, ending_folder):
    player = started(PLAY, "play", "--terminal", "--world", ending_folder, "--seed", "3")
    player.wait_for(b"The episode has ended: here is another, seed 4.")
    player.wait_for(b"here is another, seed 5.")
    player.press(b"q")
    assert player.finish() == 0
    assert player.restored()


def test_interrupting_the_player_is_no_traceback(started, folder):
    player = started(PLAY, "play", "--terminal", "--world", folder)
    player.wait_for(b"  noop")
    player.press(b"\x03")
    assert player.finish() == 130
    assert player.restored()
    assert b"Interrupted." in player.text
    assert b"Traceback" not in player.text


def test_the_demo_plays_on_a_server_and_writes_the_clip(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "SECONDS", 2.0)
    assert main(["play", "--demo", "--world", folder]) == 0
    with av.open("oyster-tiny.mp4") as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
        assert container.streams.video[0].average_rate == 15
    assert frames.shape[1:] == (96 + 48, 96, 3)
    # The picture changes, and so does what stands below it.
    assert (frames[0, :96] != frames[-1, :96]).any()
    assert (frames[0, 96:] != frames[-1, 96:]).any()
    out = capsys.readouterr().out
    assert out.startswith("Loading")
    count = re.search(r"Wrote oyster-tiny.mp4: (\d+) frames of tiny at [\d.]+ a second", out)
    assert count is not None
    assert int(count[1]) == len(frames) > 5
    assert "From a press to the frame that it made:" in out
    assert "Next:" in out
    assert [path.name for path in tmp_path.iterdir()] == ["oyster-tiny.mp4"]


def test_the_player_says_what_it_does_serves_its_page_and_ends_on_ctrl_c(folder, tmp_path):
    arguments = [
        sys.executable,
        "-c",
        _INTERRUPTIBLE + "import sys; " + PLAY.removeprefix(PRELUDE),
        "play",
        "--world",
        folder,
    ]
    with subprocess.Popen(
        [*arguments, "--port", "0", "--data", str(tmp_path)], stdout=subprocess.PIPE, text=True, env=_WITHOUT_DESKTOP
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert "Loading the learned world" in next(lines)
        url = next(line for line in lines if line.startswith("Ready: ")).split()[1]
        with urllib.request.urlopen(url) as page:
            assert page.headers["content-security-policy"].startswith("default-src 'self'")
            assert b"<html" in page.read()
        with urllib.request.urlopen(f"{url}v1/worlds") as answer:
            assert json.load(answer)["worlds"][0]["name"] == "tiny"
        process.send_signal(signal.SIGINT)
        assert "The server has ended" in process.stdout.read()
        assert process.wait(30) == 0


def test_the_player_begins_from_what_is_described(tmp_path):
    model, path = network(), tmp_path / "scene.json"
    record = {"name": "meadow", "licence": "", "training": {}, "figures": {}}
    save_world(tmp_path / "meadow", model, shaken(model.init(jax.random.key(0))), record)
    path.write_text(json.dumps({"tiles": "stone", "quantities": {"wood": 3}}))
    code = _INTERRUPTIBLE + "import sys; " + PLAY.removeprefix(PRELUDE)
    arguments = [sys.executable, "-c", code, "play", "--world", str(tmp_path / "meadow"), "--entities", str(path)]
    with subprocess.Popen(
        [*arguments, "--port", "0", "--data", str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        text=True,
        env=_WITHOUT_DESKTOP,
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        url, _, session = next(line for line in lines if line.startswith("Ready: ")).split()[1].partition("#session=")
        with urllib.request.urlopen(f"{url}v1/sessions/{session}/frames/main/0") as answer:
            shown = np.asarray(Image.open(io.BytesIO(answer.read())))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    world = read_world(tmp_path / "meadow")
    begun = world.render(world.encode(entities=json.loads(path.read_text()), seed=7))
    np.testing.assert_array_equal(shown, begun)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--rate", "0"], "--rate"),
        (["--world", "nowhere"], "no world 'nowhere'"),
        (["--terminal"], "no terminal to play in"),
        (["--terminal", "--demo"], "one of them"),
        (["--out", "clip.mp4"], "--demo"),
        (["--demo", "--out", "clip.txt"], "A clip ends in .mp4"),
        (["--port", "70000"], "choose another --port"),
        (["--entities", "nowhere.json"], "nowhere.json cannot be read"),
    ],
)
def test_mistakes_end_in_one_sentence(arguments, named, capsys):
    assert main(["play", *arguments]) == 2
    assert named in capsys.readouterr().err
