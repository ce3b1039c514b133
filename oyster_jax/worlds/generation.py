"""Generating episodes in a loaded world."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.manifest import TRAINING
from oyster_jax.evaluate.machine import DEVICES_FLAG
from oyster_jax.generate.episodes import Kept
from oyster_jax.generate.generation import GenerateConfig, Origin, Progress, generate
from oyster_jax.generate.policies import Policy, make_policy
from oyster_jax.generate.rendering import render_latents
from oyster_jax.generate.starts import Dreams, Starts, recorded_moments
from oyster_jax.worlds.identity import home, world_manifest
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.world import World


def generate_rollouts(
    world: World | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    episodes: int,
    ticks: int,
    policy: str | Callable[..., Any] | Policy = "sticky",
    seed: int = 0,
    prompts: EpisodeDataset | str | os.PathLike[str] | None = None,
    context: int = 8,
    moments: int = 256,
    latents: bool = False,
    beyond: bool = False,
    states: bool = True,
    block: int = GenerateConfig.block,
    span: int = GenerateConfig.span,
    tensor: int = GenerateConfig.tensor,
    devices: Sequence[Any] | None = None,
    progress: Progress | None = None,
) -> EpisodeDataset:
    """Generates labelled episodes into a folder, or goes on with what the same call began there.

    Args:
      world: a loaded world, or what `load` takes.
      out: the folder; `xarray.open_zarr` and `EpisodeDataset` read it.
      episodes: how many; episode i is a function of the world, the policy, the seed and i.
      ticks: of each, at most.
      policy: "sticky", "random", actions as in "right*30,jump*6", `function(state, view, key) → (state, action)`, or a
        `generate.policies.Policy`.
      seed: of the study, below 2^31.
      prompts: a recording of the game, in whose moments episodes begin; each is dreamt from nothing unless given.
      context: frames that the world sees of a moment.
      moments: how many moments are drawn, which episodes share evenly.
      latents: keep latents instead of frames; `oyster_jax.render_rollouts` draws the frames later.
      beyond: go on after the world has said that an episode ended.
      states: keep the states in which episodes began.
      block: episodes that a device plays at once and that share a file; last bits may depend on it.
      span: ticks that share a file.
      tensor: devices that share a block and cut the parameters among them, for worlds that are too large for one.
      devices: to compute on; all of this process unless given.
      progress: called with the frames so far and those of them that were there before.

    Returns:
      The episodes.

    Raises:
      WorldError: there is no such world.
      GenerateError: the request cannot be met, or the folder holds something else.
      DatasetError: the prompts cannot be read.
      MeshError: the devices do not come out even.
    """
    loaded = world if isinstance(world, World) else load(world)
    starts, split = _starts(loaded, prompts, context, moments, seed)
    kept = Kept(frames=not latents, latents=latents, beyond=beyond)
    size = {"episodes": episodes, "ticks": ticks, "block": block, "span": span, "tensor": tensor}
    config = GenerateConfig(**size, seed=seed, kept=kept, states=states)
    acting, origin = make_policy(policy, loaded.spec.action), origin_of(loaded, split)
    whole = (loaded.model, loaded.params, acting, starts, config, origin)
    return generate(*whole, Path(out), devices=devices, progress=progress)


def render_rollouts(
    world: World | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    progress: Callable[[int], None] | None = None,
) -> EpisodeDataset:
    """Draws the frames of episodes that were generated with `latents`, into their folder.

    Latents are kept in float16, so that some pixels differ by a level from those that the world showed.

    Args:
      world: that generated them.
      out: the folder.
      progress: called with the frames so far.

    Raises:
      GenerateError: there are no latents, or another world made them.
    """
    loaded = world if isinstance(world, World) else load(world)
    return render_latents(loaded.model.rendered, loaded.params, world_manifest(loaded), Path(out), progress)


def origin_of(world: World, split: str = TRAINING) -> Origin:
    """Returns what is said of where episodes of a world come from."""
    conditions = home()
    # Episodes do not depend on how many devices there are.
    conditions["flags"] = " ".join(
        flag for flag in conditions["flags"].split() if not flag.startswith(f"{DEVICES_FLAG}=")
    )
    licence = str(world.record.get("licence", "unknown"))
    return Origin(world=world_manifest(world), conditions=conditions, licence=licence, split=split)


def _starts(
    world: World, prompts: EpisodeDataset | str | os.PathLike[str] | None, context: int, moments: int, seed: int
) -> tuple[Starts, str]:
    """Returns where episodes begin, and the split that they then belong to."""
    if prompts is None:
        return Dreams(), TRAINING
    dataset = prompts if isinstance(prompts, EpisodeDataset) else EpisodeDataset(prompts)
    starts = recorded_moments(dataset, world.spec, moments=moments, context=context, seed=seed)
    return starts, dataset.manifest.provenance.split
