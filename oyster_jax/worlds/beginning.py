"""How a session begins, and how it is found where it was left."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from oyster_jax.core.spec import as_action_ids
from oyster_jax.session.archive import Archive
from oyster_jax.session.branch import left_at
from oyster_jax.session.intervention import plain
from oyster_jax.session.prompt import PROMPTS, packed_prompt
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.identity import changed_home, check_world, home, world_manifest
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.world import World

#: Frames and the actions between, or a sentence; and what is described. With neither a place is dreamt.
type Prompt = tuple[np.ndarray, Any] | str | None
type Described = Mapping[str, Any] | None


def beginning(world: World, seed: int, prompt: Prompt, entities: Described) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Returns what a manifest says of a session that begins, and its files; see `Session.create`.

    Args:
      world: to live in.
      seed: of the dream it begins with, and of all that happens.
      prompt: a recorded moment to begin from, or a sentence.
      entities: a description to begin from.

    Raises:
      SessionError, WorldError, ValueError: the world cannot begin so.
    """
    said, data = opening(world, seed, prompt, entities)
    manifest = {**world_manifest(world), "created": time.time(), "home": home(), **said}
    return manifest, {} if data is None else dict.fromkeys(PROMPTS, data)


def opening(world: World, seed: int, prompt: Prompt, entities: Described) -> tuple[dict[str, Any], bytes | None]:
    """Returns where a world begins, at first or after a cut, as JSON, and what the files beside that hold.

    Args:
      world: to live in.
      seed: of what is not said, and of all that happens.
      prompt: a recorded moment to begin from, or a sentence.
      entities: a description to begin from.

    Raises:
      SessionError, WorldError, ValueError: the world cannot begin so.
    """
    said: dict[str, Any] = {"seed": seed, "prompt": None}
    if entities is not None and prompt is not None:
        raise WorldError("A session begins from a prompt or from what is described, not from both.")
    if isinstance(prompt, str):
        # What was drawn is kept beside the sentence: a replay needs no words.
        scene = world.imagine(prompt, seed)
        said |= {"sentence": prompt, "remarks": list(scene.remarks)}
        entities, prompt = scene.document, None
    if entities is not None:
        said["entities"] = plain(entities)
        world.encode(entities=said["entities"], seed=seed)
    if prompt is None:
        return said, None
    frames, ids = np.asarray(prompt[0]), np.zeros(0, np.int32)
    if len(frames) > 1:
        ids = as_action_ids(world.spec.action, prompt[1])
    world.encode(frames, ids, seed)
    data, said["prompt"] = packed_prompt(frames, ids)
    return said | {"frames": len(frames)}, data


def left(archive: Archive, world: World | str | None, branch: str | None) -> tuple[World, str, int]:
    """Returns the world of a session, and branch and tick to go on at; see `Session.open`.

    Args:
      archive: of the session; told if the session was lived under other conditions than those of now.
      world: that it lives in, or its name or folder; the one of the name that it began with unless given.
      branch: to be on, at its end; where the session was left unless given.

    Raises:
      SessionError: the world is not the one it began with, or there is no such branch.
      WorldError: there is no such world.
    """
    world = world if isinstance(world, World) else load(world or archive.manifest["world"])
    check_world(archive, world)
    name, tick = (branch, archive.branch(branch).end) if branch else left_at(archive.branches.values())
    if (changed := changed_home(archive)) is not None:
        archive.exact = False
        archive.report(changed)
    return world, name, tick
