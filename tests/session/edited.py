"""A world with structure to live in, edits of it, a life with some of them, and how lives are compared."""

import jax
import numpy as np

from oyster_jax.session.archive import Archive
from oyster_jax.session.document import read_document
from oyster_jax.session.replayer import Replayer
from oyster_jax.session.verification import Verification, verify
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.world import World
from tests.models.structured import network, shaken

#: Edits that are possible whatever the state tells, each unlike the others.
STONE = {"tiles": [{"x": -2, "y": 1, "kind": "stone"}, {"x": 1, "y": 0, "kind": "nothing"}]}
WOOD, LIGHT = {"set": {"wood": 5, "health": 2}}, {"set": {"light": 0.125}}
ALONE = {"seed": 3, "respawn": False}


def living(model, name) -> World:
    """A world of a model, with parameters of which none is zero."""
    return World(model=model, params=shaken(model.init(jax.random.key(0))), record={"name": name})


def meadow() -> World:
    """The world of `structured`."""
    return living(network(), "meadow")


def same(one, other):
    np.testing.assert_array_equal(one, other)


def differ(one, other):
    assert np.any(one != other)


def lived(world, path, **options) -> tuple[Session, list[np.ndarray]]:
    """A session of 30 ticks with edits at ticks 0, 5 (two) and 12, and the frames that each tick last showed."""
    session = world.session(path, **ALONE | options)
    frames = [session.edit(STONE)]
    for tick in range(1, 31):
        frames.append(session.step("go" if tick % 3 else "noop"))
        for document in {5: [WOOD, LIGHT], 12: [STONE]}.get(tick, []):
            frames[-1] = session.edit(document)
    return session, frames


def verified(world, path) -> list[Verification]:
    """What living each branch again finds."""
    replayer = Replayer(world, Archive(path, write=False))
    return [verify(replayer, name) for name in replayer.archive.branches]


def identity(session, branch) -> str:
    """What the documents of a branch are sealed for."""
    return f"{read_document(session, 'manifest').content['id']}/{branch}"
