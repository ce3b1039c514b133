"""Generating episodes in bulk: computed block by block on all devices, written meanwhile, gone on with after a kill.

Every episode is a pure function of the study's seed and its index, and every block is computed by one device with the
same program; so what is written does not depend on how many devices and processes there are, on which of them computed
what, or on how often they were killed.
"""

import dataclasses
import functools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32

from oyster_jax.core.model import WorldModel
from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.camera import follows_agent
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.manifest import ARRAYS, MANIFEST, TRAINING, Manifest, Provenance, write_manifest
from oyster_jax.generate.devices import Blocks, of_blocks
from oyster_jax.generate.episodes import Kept
from oyster_jax.generate.errors import GenerateError
from oyster_jax.generate.journal import finished
from oyster_jax.generate.layout import CHUNK_TICKS, ArrayLayout, Axes, array_layout
from oyster_jax.generate.policies import Policy, policy_digest
from oyster_jax.generate.starts import Starts
from oyster_jax.generate.states import STARTS, state_bytes, state_leaves, words
from oyster_jax.generate.writer import Writer, check_folder, complete, settle
from oyster_jax.models.heads import ENTITY_FIELDS
from oyster_jax.parallel.distributed import alive, leads, once, wait_until
from oyster_jax.typing import Array, Params

#: Seconds between looks at what other processes have yet to write.
PAUSE = 1.0

#: Called with the frames generated so far, by all processes and earlier runs, and with those of earlier runs alone.
type Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """What to generate.

    Attributes:
      episodes: how many.
      ticks: of each, at most.
      seed: of the study.
      block: episodes that a device plays at once and that share a file. Part of the request, because the last bit of a
        number may depend on it.
      span: ticks that share a file and are held in memory together; it is rounded up to a multiple of 16.
      kept: what is kept of every tick.
      states: keep the state in which every episode began.
      tensor: devices that share a block, for worlds that are too large for one; likewise part of the request.

    Raises:
      GenerateError: a number is out of range.
    """

    episodes: int
    ticks: int
    seed: int = 0
    block: int = 32
    span: int = 128
    kept: Kept = Kept()
    states: bool = True
    tensor: int = 1

    def __post_init__(self) -> None:
        for name in ("episodes", "ticks", "block", "span", "tensor"):
            if getattr(self, name) < 1:
                raise GenerateError(f"Generating needs {name} of at least one, but {getattr(self, name)} were given.")
        if not 0 <= self.seed < 2**31 or not self.episodes < 2**31:
            raise GenerateError(f"Seeds and episodes are numbers below {2**31}; seed {self.seed} was given.")

    @property
    def axes(self) -> Axes:
        """How episodes and ticks are cut."""
        span = -(-min(self.span, self.ticks) // CHUNK_TICKS) * CHUNK_TICKS
        return Axes(episodes=self.episodes, ticks=self.ticks, block=self.block, span=span)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin:
    """What a generation says of where it comes from.

    Attributes:
      world: what tells the world from others, JSON-ready: digests and the like.
      conditions: under which bits may differ: backend, processor, versions.
      licence: SPDX name of the world's licence.
      split: that the episodes belong to; those that begin in held-out levels are held out.
    """

    world: Mapping[str, Any]
    conditions: Mapping[str, str]
    licence: str
    split: str = TRAINING


def generate(
    model: WorldModel,
    params: Params,
    policy: Policy,
    starts: Starts,
    config: GenerateConfig,
    origin: Origin,
    out: Path,
    *,
    devices: Sequence[Any] | None = None,
    progress: Progress | None = None,
) -> EpisodeDataset:
    """Generates episodes into a folder, or goes on with what an earlier call began there.

    Of several processes (`jax.distributed`) each calls it, with a folder that all of them see, and does its share.

    Args:
      model: the world's model.
      params: its parameters.
      policy: who acts.
      starts: where episodes begin.
      config: what to generate.
      origin: what is said of where it comes from.
      out: the folder, with a zarr group of arrays `[episode, tick, …]` and a manifest.
      devices: to compute on; all of this process unless given.
      progress: told how far it has come.

    Returns:
      The episodes as a dataset, once all processes are done.

    Raises:
      GenerateError: the folder holds something else, or cannot be written.
      MeshError: the devices of a process do not come out even.
    """
    request = request_of(model, params, policy, starts, config, origin)
    check_folder(out, request)
    if not (out / MANIFEST).exists():
        about: dict[str, Any] = {"seed": config.seed, "kept": config.kept, "devices": devices, "tensor": config.tensor}
        blocks = Blocks(model, params, policy, starts, **about)
        layouts = layouts_of(params, config, blocks)
        process = jax.process_index()
        with Writer(out, layouts, config.axes, request, process=process) as writer:
            compute(writer, blocks, config, progress or (lambda *_: None))
        finish = functools.partial(_finish, model.spec, policy, config, origin, request, layouts, out)
        once((out / MANIFEST).exists, finish)
    elif leads():
        # Of a run that was killed after its last word.
        settle(out)
    return EpisodeDataset(out)


def compute(writer: Writer, blocks: Blocks, config: GenerateConfig, progress: Progress) -> None:
    """Computes what is missing of this process's share; the writer holds it up where the disk is slower.

    Args:
      writer: of the folder.
      blocks: what plays.
      config: what to generate.
      progress: told how far it has come.
    """
    axes = config.axes
    missing = [
        block for block in range(jax.process_index(), axes.blocks, jax.process_count()) if block not in writer.done
    ]
    before = done = _frames(axes, writer.done)
    progress(done, before)
    for first in range(0, len(missing), blocks.count):
        chosen = missing[first : first + blocks.count]
        playing = blocks.begin(indices_of(chosen, blocks.count, axes))
        if config.states:
            # Its own bytes by now: playing on uses the state up.
            start = state_bytes([np.asarray(leaf) for leaf in jax.tree.leaves(words(playing.world))])
            parts = np.split(start, blocks.count)
            writer.put(chosen, lambda parts=parts: [{STARTS: part} for part in parts])
        for number, ticks in enumerate(axes.spans):
            playing, rows = blocks.play(playing, ticks)
            ends = {"lengths": playing.length, "statuses": playing.status, "seeds": jax.random.key_data(playing.key)}
            last = number + 1 == len(axes.spans)
            if last:
                rows |= ends
            writer.put(chosen, functools.partial(_fetched, rows), span=number, last=last)
            done += sum(axes.episodes_of(block) for block in chosen) * ticks
            alive()
            progress(done, before)
        if jax.process_count() > 1 and leads():
            mine = set(missing[: first + blocks.count])
            done = before + _frames(axes, mine | (finished(writer.folder).keys() - writer.done))
            progress(done, before)


def _frames(axes: Axes, blocks: Iterable[int]) -> int:
    return sum(axes.episodes_of(block) for block in blocks) * axes.ticks


def indices_of(chosen: list[int], count: int, axes: Axes) -> Int32[np.ndarray, "blocks episodes"]:
    """Returns the episodes of `count` blocks; where fewer are left the last is played again, for nobody."""
    played = np.asarray(chosen + chosen[-1:] * (count - len(chosen)), np.int32)
    return (played[:, None] * axes.block + np.arange(axes.block, dtype=np.int32)[None]).astype(np.int32)


def _fetched(rows: dict[str, Array]) -> list[dict[str, np.ndarray]]:
    """Returns what each block has, once it is computed."""
    parts = {name: of_blocks(array) for name, array in rows.items()}
    return [dict(zip(parts, values, strict=True)) for values in zip(*parts.values(), strict=True)]


def layouts_of(params: Params, config: GenerateConfig, blocks: Blocks) -> dict[str, ArrayLayout]:
    """Returns the arrays that will be written, by name."""
    model = blocks.model
    playing, rows = blocks.shapes(config.block)
    found = {name: (array.shape[2:], array.dtype) for name, array in rows.items()}
    found |= {"lengths": ((), playing.length.dtype), "statuses": ((), playing.status.dtype), "seeds": ((2,), "uint32")}
    attributes: dict[str, dict[str, Any]] = {"entities": {"fields": list(ENTITY_FIELDS)}}
    attributes["actions"] = {"names": list(model.spec.action.names)}
    if config.states:
        leaves = state_leaves(model, params)
        size = sum(jnp.dtype(leaf["dtype"]).itemsize * math.prod(leaf["shape"]) for leaf in leaves)
        found[STARTS], attributes[STARTS] = ((size,), "uint8"), {"leaves": leaves}
    return {
        name: array_layout(name, config.axes, tuple(shape), str(dtype), **attributes.get(name, {}))
        for name, (shape, dtype) in found.items()
    }


def request_of(
    model: WorldModel, params: Params, policy: Policy, starts: Starts, config: GenerateConfig, origin: Origin
) -> dict[str, Any]:
    """Returns all that decides over what is generated, JSON-ready."""
    described = dataclasses.asdict(config) | {"span": config.axes.span}
    if config.tensor == 1:
        # Which is what all requests were for before there was a choice.
        del described["tensor"]
    request = {
        "world": dict(origin.world),
        "policy": {"name": policy.name, "digest": policy_digest(policy, model, params)},
        "starts": starts.described(),
        "conditions": dict(origin.conditions),
    }
    return json.loads(json.dumps(described | request))


def _finish(
    spec: WorldSpec,
    policy: Policy,
    config: GenerateConfig,
    origin: Origin,
    request: dict[str, Any],
    layouts: Mapping[str, ArrayLayout],
    out: Path,
) -> None:
    if jax.process_count() > 1:
        wait_until(lambda: len(finished(out)) == config.axes.blocks, PAUSE)
    shards = complete(out, config.axes)
    if shards is None:
        raise GenerateError(f"{out} lacks files that were written before; give the same command again.")
    content = [name for name in ("actions", "rewards", "terminals", "frames", "latents") if name in layouts]
    # Tables of entities are those of a recording, where it is known how the world's own lie in its levels.
    recorded = "entities" in layouts and "camera" in layouts and follows_agent(spec)
    content += ["entities", "entity_mask"] if recorded else []
    provenance = Provenance(
        spec=spec if recorded else dataclasses.replace(spec, entity=None),
        split=origin.split,
        levels=None,
        source=f"oyster:{spec.name}",
        options={},
        policy=policy.name,
        seed=config.seed,
        licence=origin.licence,
        extra={"generated": request, "entity_fields": list(ENTITY_FIELDS)},
    )
    write_manifest(out, Manifest(provenance=provenance, content=tuple(content), shards=tuple(shards), storage=ARRAYS))
    settle(out)
