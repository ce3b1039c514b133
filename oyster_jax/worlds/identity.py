"""What a session writes down of its world and of the machine, and what it asks of them when it is opened again."""

import hashlib
import json
import os
import platform
from importlib.metadata import version
from typing import Any

import jax

from oyster_jax.evaluate.machine import machine
from oyster_jax.models.description import network_to_json
from oyster_jax.session.archive import Archive
from oyster_jax.session.errors import SessionError
from oyster_jax.worlds.world import World

#: Packages whose version may change the last bit of a frame.
_PACKAGES = ("oyster-jax", "jax", "jaxlib", "numpy")


def world_manifest(world: World) -> dict[str, Any]:
    """Returns what a manifest says of a world."""
    return {
        "world": world.name,
        "digest": world.digest,
        "params": world.params_digest,
        "model": _model_digest(world),
        "spec": json.loads(json.dumps(world.spec.to_json())),
    }


def check_world(archive: Archive, world: World) -> None:
    """Checks that a session began with a world.

    Raises:
      SessionError: its weights, specification, sampler or numbers in memory are others.
    """
    said, found = archive.manifest, world_manifest(world)
    if said["digest"] != found["digest"]:
        raise SessionError(
            f"{archive.folder} lives in '{said['world']}' with weights {said['digest']}, but these are "
            f"{found['digest']}; open it with the world that it began with."
        )
    # Sessions from before this was written down say nothing of it.
    if said.get("params", found["params"]) != found["params"] and said["model"] == found["model"]:
        raise SessionError(
            f"{archive.folder} lives in '{said['world']}' with other parameters than these, which were changed after "
            "they were loaded; open it with the world that it began with, as it is stored."
        )
    if said["spec"] != found["spec"] or said["model"] != found["model"]:
        raise SessionError(
            f"{archive.folder} lives in '{said['world']}' under another specification, sampler or dtype than this "
            "world's; open it with the settings that it began with."
        )


def check_duration(seconds: float) -> None:
    """Checks that a session may last, or go on, for a number of seconds.

    Raises:
      SessionError: it is not positive, or has no end.
    """
    if not 0 < seconds < float("inf"):
        raise SessionError(f"A session lasts for a positive number of seconds, but this was {seconds:g}.")


def home() -> dict[str, str]:
    """Returns under what conditions frames are computed here: what may change their last bits."""
    device, computer = jax.devices()[0], machine()
    return {
        "backend": f"{device.platform} {device.device_kind}",
        "machine": platform.machine(),
        "processor": " ".join([computer["processor"], *computer["extensions"]]),
        "flags": os.environ.get("XLA_FLAGS", ""),
    } | {package: version(package) for package in _PACKAGES}


def changed_home(archive: Archive) -> str | None:
    """Returns a sentence on what differs from the conditions that a session was lived under, or None."""
    opened = (event for branch in archive.branches.values() for event in branch.events if event.kind == "opened")
    here, homes = home(), [archive.manifest["home"], *(json.loads(event.text) for event in opened)]
    changed = dict.fromkeys(
        f"{name} {was} → {here.get(name)}" for before in homes for name, was in before.items() if here.get(name) != was
    )
    if not changed:
        return None
    return (
        f"This session was lived under other conditions before ({', '.join(changed)}): its last bits may differ; "
        "`oyster session verify` tells whether they do."
    )


def _model_digest(world: World) -> str:
    kinds = sorted({str(leaf.dtype) for leaf in jax.tree.leaves(world.params)})
    return hashlib.sha256(json.dumps([network_to_json(world.model), kinds], sort_keys=True).encode()).hexdigest()
