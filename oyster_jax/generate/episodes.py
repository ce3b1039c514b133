"""Episodes as pure functions of a study's seed and their index, so that it never matters who computes them."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Int32

from oyster_jax.core.model import WorldModel
from oyster_jax.core.spec import UNLABELLED
from oyster_jax.core.state import Status, WorldState
from oyster_jax.generate.policies import Policy, look
from oyster_jax.generate.starts import Starts
from oyster_jax.prng import named_key, tick_key
from oyster_jax.typing import Array, Bool, Params, PRNGKey

#: The probability from which on an entity counts as there.
THERE = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kept:
    """What is kept of every tick, beside actions, rewards and ends.

    Attributes:
      frames: what the world showed.
      latents: its latents in float16, from which frames can be rendered later.
      beyond: go on after the world has said that the episode ended.
    """

    frames: bool = True
    latents: bool = False
    beyond: bool = False


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Playing:
    """An episode that is under way; a batch of them is this under `vmap`.

    Attributes:
      world: the state of its world.
      policy: the state of who acts.
      key: of the episode; the world has one of its own, derived from it.
      tick: how many were played.
      alive: whether it goes on.
      length: ticks until its end, or so far.
      status: of the world when it ended, or now.
    """

    world: WorldState
    policy: Any
    key: PRNGKey
    tick: Int32[Array, ""]
    alive: Bool[Array, ""]
    length: Int32[Array, ""]
    status: Int32[Array, ""]


def episode_key(seed: Int32[Array, ""], index: Int32[Array, ""]) -> PRNGKey:
    """Returns the key that all randomness of an episode follows from."""
    return jax.random.fold_in(jax.random.key(seed), index)


def begin(
    model: WorldModel, params: Params, policy: Policy, starts: Starts, seed: Int32[Array, ""], index: Int32[Array, ""]
) -> Playing:
    """Returns episode `index` of a study as it begins."""
    key = episode_key(seed, index)
    world = starts.begin(model, params, named_key(key, "world"), index)
    return Playing(
        world=world,
        policy=policy.begin(named_key(key, "policy"), index),
        key=key,
        tick=jnp.int32(0),
        alive=world.status != Status.NONFINITE,
        length=jnp.int32(0),
        status=world.status,
    )


def play(
    model: WorldModel, params: Params, policy: Policy, playing: Playing, *, ticks: int, kept: Kept
) -> tuple[Playing, dict[str, Array]]:
    """Plays on for some ticks.

    Args:
      model: the world's model.
      params: its parameters.
      policy: who acts.
      playing: the episode as far as it was played.
      ticks: how many more.
      kept: what to return of them.

    Returns:
      The episode after them, and arrays `[ticks, …]` in the order of a recording: `actions[t]` is taken at `frames[t]`
      and leads to `frames[t + 1]`, `rewards[t]` and `terminals[t]` are its outcome. Ticks beyond the end are zero and
      their actions unlabelled.
    """

    def tick(playing: Playing, _: None) -> tuple[Playing, dict[str, Array]]:
        now = playing.world
        view = look(model, params, now, playing.tick)
        state, action = policy.act(playing.policy, view, tick_key(playing.key, playing.tick, "policy"))
        world = model.advance(params, now, action)
        ended = world.status == Status.TERMINAL
        row = {
            "actions": jnp.where(playing.alive, action, UNLABELLED),
            "rewards": model.readouts(params, world)["reward"],
            "terminals": ended,
        }
        if kept.frames:
            row["frames"] = view.frame
        if kept.latents:
            row["latents"] = view.latent.astype(jnp.float16)
        row = {
            name: array if name == "actions" else jnp.where(playing.alive, array, jnp.zeros_like(array))
            for name, array in (row | _things(model, params, now)).items()
        }
        stops = (world.status == Status.NONFINITE) | (ended & (not kept.beyond))
        later = Playing(
            world=world,
            policy=state,
            key=playing.key,
            tick=playing.tick + 1,
            alive=playing.alive & ~stops,
            length=playing.length + playing.alive.astype(jnp.int32),
            status=jnp.where(playing.alive, world.status, playing.status),
        )
        return later, row

    return jax.lax.scan(tick, playing, None, length=ticks)


def _things(model: WorldModel, params: Params, state: WorldState) -> dict[str, Array]:
    """Returns what the world reads out of the frame that it shows: its entities and where its camera stands."""
    said = model.readouts(params, state)
    found = {}
    if "entities" in said:
        # Nothing was read of a first frame that was dreamt.
        there = (said["entity_mask"] > THERE) & (state.step > 0)
        found["entities"] = jnp.where(there[:, None], said["entities"], jnp.zeros_like(said["entities"]))
        found["entity_mask"] = there
    if "position" in said:
        found["camera"] = said["position"]
    return found
