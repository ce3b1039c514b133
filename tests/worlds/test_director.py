"""Stories that are lived: what is done when, branches, and going on after a death at any moment."""

import json
import signal
import subprocess
import sys

import av
import pytest

from oyster_jax.cli.main import main
from oyster_jax.worlds.director import direct
from oyster_jax.worlds.errors import StoryError
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.story import parsed

STORY = """
world = "WORLD"
seed = 4
[[act]]
label = "begins"
do = "right*3,jump"
ticks = 6
[[act]]
do = "noop*9"
when = { reward = 1e9 }
[[act]]
do = "random"
ticks = 40
until = { tick = 10 }
[[act.branch]]
name = "up"
[[act.branch.act]]
label = "jumps"
do = "jump*3"
[[act.branch]]
name = "on"
[[act.branch.act]]
do = "sticky"
ticks = 30
[[act.branch.act.branch]]
name = "left"
[[act.branch.act.branch.act]]
do = "left*4"
[[act.branch.act.branch]]
name = "down"
[[act.branch.act.branch.act]]
do = "down*5"
"""


@pytest.fixture
def story():
    return parsed(STORY)


def _lived(session):
    return {
        line.name: (line.at, line.end, [label.text for label in line.labels]) for line in session.timeline().branches
    }


def _actions(world, folder):
    with Session.open(folder, world) as session:
        archive = session._archive
        return {name: branch.actions(branch.at, branch.end).tolist() for name, branch in archive.branches.items()}


def test_acts_follow_each_other_end_early_are_left_out_and_fork(world, story, tmp_path):
    told = []
    with world.session(tmp_path / "s", seed=4, respawn=False) as session:
        assert direct(session, story, lambda *at: told.append(at)) == ("up", "left", "down")
        lived = _lived(session)
        names = world.spec.action.names
    assert lived["main"] == (0, 10, ["begins"])
    assert lived["up"] == (10, 13, ["jumps"])
    assert (lived["on"], lived["left"], lived["down"]) == ((10, 40, []), (40, 44, []), (40, 45, []))
    assert len(told) == 10 + 3 + 30 + 4 + 5
    actions = _actions(world, tmp_path / "s")
    assert [names[action] for action in actions["main"][:6]] == ["right"] * 3 + ["jump"] + ["right"] * 2
    assert len(set(actions["main"][6:])) > 1
    assert {names[action] for action in actions["down"]} == {"down"}


def test_a_story_told_again_is_the_same_life(world, story, tmp_path):
    for name in ("one", "two"):
        with world.session(tmp_path / name, seed=4) as session:
            direct(session, story)
    assert _actions(world, tmp_path / "one") == _actions(world, tmp_path / "two")
    with Session.open(tmp_path / "one", world, branch="main") as session:
        assert direct(session, story) == ("up", "left", "down")
        assert _lived(session)["down"] == (40, 45, [])
    assert _actions(world, tmp_path / "one") == _actions(world, tmp_path / "two")


@pytest.mark.parametrize("tick", [("main", 4), ("up", 12), ("on", 30), ("down", 44)])
def test_killed_at_any_moment_it_goes_on_to_the_same_end(world, stored_world, story, tick, tmp_path):
    code = f"""
import os, signal, sys
from oyster_jax.worlds.director import direct
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.story import parsed
def watch(*at):
    if at == {tick!r}:
        os.kill(os.getpid(), signal.SIGKILL)
with load(sys.argv[1]).session(sys.argv[2], seed=4) as session:
    direct(session, parsed({STORY!r}), watch)
"""
    killed, calm = tmp_path / "killed", tmp_path / "calm"
    done = subprocess.run([sys.executable, "-c", code, str(stored_world), str(killed)], check=False)
    assert done.returncode == -signal.SIGKILL
    with Session.open(killed, world, branch="main") as session:
        assert direct(session, story) == ("up", "left", "down")
    with world.session(calm, seed=4) as session:
        direct(session, story)
    assert _actions(world, killed) == _actions(world, calm)
    assert main(["session", "verify", str(killed), "--world", str(stored_world)]) == 0


def test_another_story_does_not_go_on_in_a_life(world, story, tmp_path):
    with world.session(tmp_path / "s", seed=4) as session:
        direct(session, story)
    for old, new, sentence in (
        ("right*3", "left*3", "the story does 'left', but 'right'"),
        ("= 10 }", "= 9 }", "leaves"),
    ):
        with Session.open(tmp_path / "s", world, branch="main") as session, pytest.raises(StoryError, match=sentence):
            direct(session, parsed(STORY.replace(old, new)))


def test_every_way_through_becomes_an_episode(stored_world, tmp_path, capsys):
    path, out = tmp_path / "told.toml", tmp_path / "out"
    path.write_text(STORY.replace("WORLD", str(stored_world)))
    assert main(["direct", str(path), "--out", str(out)]) == 0
    assert "Lived 52 ticks; 3 ways" in capsys.readouterr().out
    page = (out / "index.html").read_text()
    for name, ticks in (("1-up", 13), ("2-left", 44), ("3-down", 45)):
        assert f'src="{name}.mp4"' in page
        with av.open(str(out / f"{name}.mp4")) as clip:
            assert len(list(clip.decode(video=0))) == ticks + 1
        lines = [json.loads(line) for line in (out / f"{name}.jsonl").read_text().splitlines()]
        assert [line["tick"] for line in lines if "action" in line] == list(range(1, ticks + 1))
    assert main(["direct", str(path), "--out", str(out)]) == 0
    path.write_text(path.read_text() + "# changed\n")
    assert main(["direct", str(path), "--out", str(out)]) == 2
    assert "holds another story" in capsys.readouterr().err
