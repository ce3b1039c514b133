"""The self-rollout stages: the dynamics goes on from its own frames, and learns what the world would have done.

A rollout feeds a model what it made itself, which teacher-forced training never shows it (Bengio et al. 2015,
arXiv 1506.03099; for latents of video, arXiv 2506.08009). Here each window begins with true frames, the model rolls out
alone under the recorded actions, without gradient, and then one parallel pass over what it saw, its own latents and the
drafts of its own map, is trained toward the true latents, reward, end, entities and motion.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from oyster_jax.core.state import WorldState
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.models import spatial_map
from oyster_jax.models.sampler import SamplerConfig
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import DynamicsLossConfig, dynamics_loss
from oyster_jax.train.emphasis import EmphasisConfig
from oyster_jax.train.loop import BatchIterator, Sample, Stage
from oyster_jax.train.step import Batch
from oyster_jax.typing import Array, Params, PRNGKey

#: Share of a quarter of a token's pixels that must have been seen for it to be known.
KNOWN = 0.95


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelfRolloutConfig:
    """One self-rollout stage.

    Attributes:
      context: true frames before the model goes on alone; the rest of the training window is its own.
      training: how it trains.
      even: see the ends of episodes as often as their middle; see `WindowConfig`.
      sampler: how it draws frames while it goes on alone, whatever the finished world will do.
      emphasis: which tokens count more, where that is other than before.
      led: be told, while it goes on alone, how the camera truly moved, and be shown places as they truly are when they
        come into view. Nobody can know them, and who is trained toward other places than it made up, or toward the same
        places elsewhere, learns to doubt its map. For dynamics with a map.
    """

    context: int
    training: TrainConfig
    even: bool = False
    sampler: SamplerConfig = SamplerConfig()
    emphasis: EmphasisConfig | None = None
    led: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.context < self.training.window:
            raise ValueError(
                f"A self-rollout needs at least one true frame and one of its own in a window of "
                f"{self.training.window}, but its context was {self.context}."
            )

    @property
    def ticks(self) -> int:
        """Frames of its own that the model goes on for."""
        return self.training.window - self.context

    @property
    def name(self) -> str:
        """Of the stage and of its folder in a run."""
        steps = self.sampler.steps
        return f"self_rollout_{self.ticks}" + (f"_in_{steps}_steps" if steps > 1 else "")


def own_history(
    network: WorldNetwork, params: Params, context: int, batch: Batch, key: PRNGKey, *, led: bool = False
) -> tuple[Array, Array | None, Array | None]:
    """Rolls every window out after its first `context` frames, `led` as `SelfRolloutConfig` says.

    Returns:
      The latents that the model saw, `[batch, ticks, tokens, channels]`, true ones first; with a map also the drafts
      that each was made from, and how its camera moved, `[batch, ticks, 2]`.
    """

    def tick(state: WorldState, given: Batch) -> tuple[WorldState, Any]:
        if network.dynamics.events:
            state = network.with_event(state, given["events"])
        state = network.advance(params, state, given["actions"], given.get("motion"))
        draft = network.draft(params, state)
        if led and draft is not None:
            own = jnp.where(spatial_map.known(draft, KNOWN), state.latent, given["latents"].astype(jnp.float32))
            state = network.with_latent(params, state, own)
        return state, (state.latent, draft, state.memory.get("position"))

    def roll(window: Batch, key: PRNGKey) -> Any:
        frames, actions = window.pop("frames"), window["actions"]
        state = network.encode(params, frames[:context], actions[: context - 1], key)
        before = ("actions", "events")  # what is done in a tick, and what the tick leads to
        at = {name: array[context - 1 : -1] if name in before else array[context:] for name, array in window.items()}
        _, seen = jax.lax.scan(tick, state, at)
        return *seen, state.memory.get("position")

    keys = jax.random.split(key, len(batch["frames"]))
    names = ("frames", "actions", *(("events",) if network.dynamics.events else ()))
    names += ("motion", "latents") if led else ()
    latents, drafts, positions, began = jax.vmap(roll)({name: batch[name] for name in names}, keys)
    seen = jnp.concatenate([batch["latents"][:, :context].astype(jnp.float32), latents], axis=1)
    if drafts is None:
        return seen, None, None
    drafts = jnp.concatenate([batch["drafts"][:, :context].astype(jnp.float32), drafts], axis=1)
    # A state knows where the camera was a tick ago; nobody asks how it came to the last frame.
    moved = jnp.diff(jnp.concatenate([began[:, None], positions], axis=1), axis=1)
    last = jnp.zeros_like(began)[:, None]
    return seen, drafts, jnp.concatenate([batch["motion"][:, : context - 1].at[:, 0].set(0.0), moved, last], axis=1)


def self_rollout_stage(
    network: WorldNetwork,
    tokenizer_params: Params,
    begin: Params,
    weights: DynamicsLossConfig,
    config: SelfRolloutConfig,
    dataset: EpisodeDataset,
    seed: int,
    sample: Sample | None = None,
) -> Stage:
    """Returns the stage that trains a dynamics on rollouts of its own.

    Args:
      network: the world model.
      tokenizer_params: its tokenizer, which stays as it is.
      begin: the dynamics to begin with.
      weights: of the losses, as in teacher-forced training.
      config: of the stage.
      dataset: frames, latents and whatever else the dynamics was trained on.
      seed: of the order of the windows.
      sample: shows what the dynamics can do.
    """
    network = dataclasses.replace(network, sampler=config.sampler)
    weights = dataclasses.replace(weights, emphasis=config.emphasis or weights.emphasis)

    def loss(params: Params, batch: Batch, key: PRNGKey) -> tuple[Array, dict[str, Array]]:
        own_key, loss_key = jax.random.split(key)
        still = {"tokenizer": tokenizer_params, "dynamics": jax.lax.stop_gradient(params)}
        own = own_history(network, still, config.context, batch, own_key, led=config.led)
        seen, drafts, told = jax.lax.stop_gradient(own)
        batch = batch if drafts is None else {**batch, "drafts": drafts}
        return dynamics_loss(network.dynamics, weights, dataset.spec, params, batch, loss_key, seen=seen, told=told)

    def batches(rows: Sequence[int] | None = None) -> BatchIterator:
        training = config.training
        drawn = WindowConfig(length=training.window, batch=training.batch, seed=seed, even=config.even)
        return iter(windows(dataset, drawn, rows))

    return Stage(name=config.name, init=lambda _: begin, loss=loss, batches=batches, sample=sample)
