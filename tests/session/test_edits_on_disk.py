"""Edits of sessions that were killed or damaged: on the disk in time, or told to be missing."""

import json
import os
import signal
import subprocess
import sys

import pytest

from oyster_jax.session.archive import Archive
from oyster_jax.session.document import read_document, write_document
from oyster_jax.session.errors import SessionError
from oyster_jax.session.log import NAMES, Entry, Log, read_log
from oyster_jax.session.salvage import salvage
from oyster_jax.worlds.session import Session
from tests.session.edited import ALONE, WOOD, identity, meadow, same, verified

CHILD = """
import sys
from tests.session.edited import ALONE, WOOD, meadow
session = meadow().session(sys.argv[1], **ALONE)
session.run("go*5")
session.edit(WOOD)
if sys.argv[2] == "before":
    session.flush()
print(session.tick, flush=True)
session.run("go*100000")
"""


@pytest.fixture(scope="module")
def world():
    return meadow()


@pytest.mark.parametrize("when", ["before", "amid"])
def test_a_kill_after_an_edit_takes_nothing_that_was_on_the_disk(world, tmp_path, when):
    """Once it is on the disk at its tick, before the next one is; and somewhere in the life after it."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, tmp_path / "s", when], stdout=subprocess.PIPE, cwd=os.getcwd()
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"5\n"
    if when == "amid":
        while Archive(tmp_path / "s", write=False).branches["main"].end < 8:
            pass
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    found = Archive(tmp_path / "s", write=False).branches["main"]
    assert [(one.tick, one.given) for one in found.interventions] == [(5, WOOD)]
    state = world.reset(3)
    for _ in range(5):
        state = world.step(state, "go")
    edited = world.edit(state, WOOD)
    with Session.open(tmp_path / "s", world) as again:
        same(again.seek(5), world.render(edited))
        same(again.step("go"), world.render(world.step(edited, "go")))
    assert all(one.exact for one in verified(world, tmp_path / "s"))


def test_an_edit_that_a_crash_tore_never_was(world, tmp_path):
    with world.session(tmp_path / "s", **ALONE) as session:
        session.run("go*5")
        before = session.frame
        session.flush()
        folder = tmp_path / "s" / "branches" / "main"
        size = (folder / NAMES[0]).stat().st_size
        session.edit(WOOD)
        session.flush()
        data = (folder / NAMES[0]).read_bytes()
    for path in (tmp_path / "s").glob("ends*"):
        path.unlink()
    for name in NAMES:
        (folder / name).write_bytes(data[: size + 20])
    with Session.open(tmp_path / "s", world) as again:
        assert again.tick == 5
        same(again.frame, before)


def test_a_branch_whose_edit_is_lost_is_noticed_and_salvage_says_so(world, tmp_path):
    session = world.session(tmp_path / "s", **ALONE)
    session.run("go*5")
    session.edit(WOOD)
    session.branch(name="after").close()
    session.close()
    path = tmp_path / "s" / "branches" / "after"
    found = read_document(path, "branch", identity=identity(tmp_path / "s", "after"))
    write_document(
        path, "branch", found.content | {"after": 2}, found.revision + 1, identity=identity(tmp_path / "s", "after")
    )
    with pytest.raises(SessionError, match="'after' leaves 'main' at tick 5, which is not there"):
        Session.open(tmp_path / "s", world)
    salvaged = salvage(tmp_path / "s", tmp_path / "t")
    assert salvaged.ends == {"main": 5}
    assert "'after' is lost" in salvaged.lost[0]
    with Session.open(tmp_path / "t", world) as again:
        assert len(again.timeline().branches[0].interventions) == 1


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ({"kind": "prayer"}, "an intervention is of the unknown kind 'prayer'"),
        ({"tick": 3}, "an intervention at tick 3 follows tick 5"),
        ({"extra": 1}, "unexpected keyword"),
    ],
)
def test_an_entry_that_is_none_is_told(world, tmp_path, payload, sentence):
    with world.session(tmp_path / "s", **ALONE) as session:
        session.run("go*5")
        session.edit(WOOD)
    folder = tmp_path / "s" / "branches" / "main"
    log = read_log(folder, identity(tmp_path / "s", "main"))
    own = next(entry for entry in log.entries if entry.kind == 3)
    wrong = Entry(kind=3, payload=json.dumps(json.loads(own.payload) | payload).encode())
    Log(folder, identity(tmp_path / "s", "main")).append([wrong])
    with pytest.raises(SessionError, match=f"not one that this Oyster writes .*{sentence}"):
        Session.open(tmp_path / "s", world)
