"""The dynamics stage: learns what comes next from cached latents and actions."""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax

from oyster_jax.core.spec import UNLABELLED, WorldSpec
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.diffusion.objective import Choose, Denoise, ObjectiveConfig, shortcut_loss
from oyster_jax.diffusion.schedule import draw_levels, mix
from oyster_jax.models import dynamics, heads
from oyster_jax.models.dynamics import Dynamics, DynamicsConfig
from oyster_jax.models.heads import HeadsConfig
from oyster_jax.prng import named_key
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.emphasis import EmphasisConfig, emphasis
from oyster_jax.train.loop import BatchIterator, Sample, Stage
from oyster_jax.train.step import Batch
from oyster_jax.typing import Array, Float, Latents, Params, PRNGKey

#: Pixels within which an error of the motion that is read off the trunk counts by its square.
COARSE = 0.25


@dataclasses.dataclass(frozen=True, kw_only=True)
class DynamicsLossConfig:
    """What the dynamics is trained to do, beside and around shortcut forcing.

    Attributes:
      objective: weights of shortcut forcing.
      history_noise: largest noise level of the history that a tick is given; each tick draws its own.
      clean_history: share of windows whose history is left clean.
      ring_dropout: share of batches in which time attention sees fewer ticks, so that the memory must carry.
      action_dropout: share of actions that are hidden ("unlabelled").
      event_dropout: share of events that are hidden. What comes of them is then not asked for, but afterwards the world
        goes on from a change that nothing explains, as after an edit.
      dream: weight of generating a frame from nothing.
      outcome: weight of reward and terminal read-outs.
      entities: weight of the entity read-out.
      motion: weight of the camera's motion, which a map needs.
      motion_noise: standard deviation in pixels of the errors with which the trunk is told of it.
      emphasis: which tokens count more, in a world with structure; all alike where None.
    """

    objective: ObjectiveConfig = ObjectiveConfig()
    history_noise: float = 0.3
    clean_history: float = 0.25
    ring_dropout: float = 0.15
    action_dropout: float = 0.02
    event_dropout: float = 0.0
    dream: float = 0.2
    outcome: float = 0.05
    entities: float = 0.02
    motion: float = 0.02
    motion_noise: float = 0.15
    emphasis: EmphasisConfig | None = None


def dynamics_loss(
    config: DynamicsConfig,
    weights: DynamicsLossConfig,
    spec: WorldSpec,
    params: Params,
    batch: Batch,
    key: PRNGKey,
    *,
    seen: Latents | None = None,
    told: Float[Array, "batch ticks 2"] | None = None,
) -> tuple[Array, dict[str, Array]]:
    """Returns the loss of a batch of windows and its parts.

    Args:
      config: of the dynamics.
      weights: of the parts.
      spec: of the world.
      params: of the dynamics.
      batch: arrays `[batch, ticks, …]`, named as in `Episode`.
      key: of noise, levels and what is dropped.
      seen: `[batch, ticks, tokens, channels]`, the latents that the trunk is given instead of noisy true ones.
      told: the camera's motion that it is told of instead of a noisy true one.
    """
    model = dynamics.bind(config, params)
    latents = batch["latents"].astype(jnp.float32)
    keys = dict(zip(("noise", "action", "ring", "forcing", "dream", "motion"), jax.random.split(key, 6), strict=True))
    history, level = noisy_history(weights, latents, keys["noise"])
    if seen is not None:
        history, level = seen, jnp.zeros_like(level)
    history, previous = with_previous(history)
    hidden = jax.random.bernoulli(keys["action"], weights.action_dropout, batch["actions"].shape)
    actions = jnp.where(hidden, UNLABELLED, batch["actions"])
    motion = told
    if told is None and config.map:
        motion = told_motion(weights.motion_noise, batch["motion"], keys["motion"])
    next_motion = None
    if motion is not None and model.camera is not None:
        # A camera is trained by itself, and hardly errs. Of the last tick nobody asks how the camera moves.
        next_motion = jnp.roll(batch["motion"], -1, axis=1).at[:, -1].set(0.0)
    events, known = shown_events(weights, batch, named_key(key, "events"))
    x = model.tokens(history, previous, actions, level, motion, next_motion, events)
    features = model.features_of_sequence(x, _window(config, weights, keys["ring"]))
    drafts = batch["drafts"][:, 1:].astype(jnp.float32) if config.map else None
    denoise = _denoisers(model, features[:, :-1], history[:, :-1], drafts)
    counts = None if weights.emphasis is None else emphasis(weights.emphasis, spec, batch)
    forcing = jnp.mean(known * shortcut_loss(weights.objective, denoise, latents[:, 1:], keys["forcing"], counts))
    dream = dream_loss(model, weights.objective, latents, keys["dream"])
    parts = {"forcing": forcing, "dream": dream, **readout_losses(config, spec, model.read(features), batch)}
    loss = forcing + weights.dream * dream + weights.outcome * (parts["reward"] + parts["terminal"])
    loss = loss + weights.entities * parts["entities"]
    if motion is not None and next_motion is None:
        parts["motion"] = motion_loss(model.camera_motion(features, motion), batch["motion"], COARSE)
        loss = loss + weights.motion * parts["motion"]
    return loss, parts


def _denoisers(model: Dynamics, features: Array, current: Latents, drafts: Array | None) -> Callable[[Choose], Denoise]:
    """Returns what gives the denoiser of chosen windows, all ticks at once; see `Dynamics.denoise`."""

    def denoise(choose: Choose) -> Denoise:
        given, seen, draft = choose(features), choose(current), None if drafts is None else choose(drafts)
        return lambda noisy, signal, size: model.denoise(given, noisy, signal, size, draft, seen)

    return denoise


def with_previous(latents: Float[Array, "batch ticks tokens channels"]) -> tuple[Array, Array]:
    """Returns the latents of each tick and those of the tick before, which are zero at a window's first."""
    return latents, jnp.pad(latents, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :-1]


def shown_events(weights: DynamicsLossConfig, batch: Batch, key: PRNGKey) -> tuple[Array | None, Array]:
    """Returns the events that the trunk is told of, and 0 for each but the last tick that hides one, 1 for others."""
    if "events" not in batch:
        return None, jnp.ones((1, 1))
    events = batch["events"]
    hidden = (events > 0) & jax.random.bernoulli(key, weights.event_dropout, events.shape)
    return jnp.where(hidden, 0, events), 1.0 - hidden[:, :-1].astype(jnp.float32)


def noisy_history(weights: DynamicsLossConfig, latents: Array, key: PRNGKey) -> tuple[Array, Array]:
    """Returns latents with noise as a rollout's own would have, and the noise level of each tick."""
    level_key, clean_key, noise_key = jax.random.split(key, 3)
    level = weights.history_noise * jax.random.uniform(level_key, latents.shape[:2])
    clean = jax.random.bernoulli(clean_key, weights.clean_history, (len(latents), 1))
    level = jnp.where(clean, 0.0, level)
    return mix(latents, jax.random.normal(noise_key, latents.shape), 1 - level), level


def dream_loss(model: Dynamics, objective: ObjectiveConfig, latents: Array, key: PRNGKey) -> Array:
    """Returns the error of generating one frame of each window from nothing, as `WorldNetwork.reset` does."""
    tick_key, level_key, noise_key = jax.random.split(key, 3)
    tick = jax.random.randint(tick_key, (len(latents),), 0, latents.shape[1])
    # Row by row, so that each device takes its own rows.
    clean = jnp.take_along_axis(latents, tick[:, None, None, None], axis=1)
    signal, size = draw_levels(level_key, clean.shape[:2], objective.finest, 1, 0.0)
    noisy = mix(clean, jax.random.normal(noise_key, clean.shape), signal)
    begin = jnp.full(clean.shape[:2], model.actions.begin, jnp.int32)
    still = jnp.zeros((*clean.shape[:2], 2)) if model.embed_motion is not None else None
    x = model.tokens(noisy, jnp.zeros_like(clean), begin, 1 - signal, still, still)
    features = model.features_of_sequence(x, 1)
    return jnp.mean(jnp.square(model.denoise(features, noisy, signal, size) - clean))


def told_motion(noise: Array | float, motion: Float[Array, "batch ticks 2"], key: PRNGKey) -> Array:
    """Returns the camera's motion as a world would find it: not exactly, and none at a window's first tick."""
    found = motion + noise * jax.random.normal(key, motion.shape)
    return found.at[:, 0].set(0.0)


def motion_loss(read: Float[Array, "batch ticks 2"], motion: Float[Array, "batch ticks 2"], smooth: float) -> Array:
    """Returns how far the camera's motion to each next frame was misread, in pixels: absolute, but below `smooth`."""
    return jnp.mean(optax.losses.huber_loss(read[:, :-1] - motion[:, 1:], delta=smooth)) / smooth


def readout_losses(config: DynamicsConfig, spec: WorldSpec, readout: Array, batch: Batch) -> dict[str, Array]:
    """Returns the losses of reward, terminal and entities, each of the tick that an action leads to."""
    ended = batch["terminals"].astype(jnp.float32)
    losses = {
        "reward": jnp.mean(jnp.square(readout[..., 0] - heads.symlog(batch["rewards"]))),
        "terminal": jnp.mean(optax.sigmoid_binary_cross_entropy(readout[..., 1], ended)),
        "entities": jnp.zeros(()),
    }
    if config.readouts.entity_types:
        losses["entities"] = _entity_loss(config, config.readouts, spec, readout[:, :-1, 2:], batch)
    return losses


def _entity_loss(config: DynamicsConfig, readouts: HeadsConfig, spec: WorldSpec, places: Array, batch: Batch) -> Array:
    assert spec.entity is not None, "checked when the stage was made"
    table = batch["entities"][:, 1:]
    x, y, vx, vy, kind = (table[..., spec.entity.column(name)] for name in ("x", "y", "vx", "vy", "type"))
    relative = jnp.stack([x - x[..., :1], y - y[..., :1], vx, vy], axis=-1)
    lay = jax.vmap(jax.vmap(lambda *rows: heads.entity_targets(readouts, config.columns, config.tokens, *rows)))
    classes, values = lay(relative, kind.astype(jnp.int32), batch["entity_mask"][:, 1:])
    places = places.reshape(*places.shape[:2], config.tokens, readouts.place_outputs)
    logits, read = jnp.split(places, [len(readouts.entity_types) + 1], axis=-1)
    found = (classes > 0).astype(jnp.float32)
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels(logits, classes)
    error = jnp.mean(jnp.abs(read - values), axis=-1)
    # Most places are empty: count what is there per entity, and what is not per place.
    return jnp.mean(cross_entropy) + jnp.sum(found * (error + cross_entropy)) / jnp.maximum(jnp.sum(found), 1.0)


def _window(config: DynamicsConfig, weights: DynamicsLossConfig, key: PRNGKey) -> Array:
    drop_key, window_key = jax.random.split(key)
    drop = jax.random.bernoulli(drop_key, weights.ring_dropout)
    return jnp.where(drop, jax.random.randint(window_key, (), 1, config.window), config.window)


def dynamics_stage(
    config: DynamicsConfig,
    weights: DynamicsLossConfig,
    training: TrainConfig,
    dataset: EpisodeDataset,
    seed: int,
    sample: Sample | None = None,
) -> Stage:
    """Returns the stage that trains a dynamics on cached latents.

    Raises:
      ValueError: entities are to be read out, a map to be kept or events to happen, and the dataset has not what that
        takes.
    """
    if config.events and "events" not in dataset.content:
        raise ValueError(
            f"The dynamics has events, but {dataset.folder} has none; record with --events, or set events=0."
        )
    if config.readouts.entity_types and (dataset.spec.entity is None or "entities" not in dataset.content):
        raise ValueError(
            f"The dynamics reads entities out, but {dataset.folder} has none; record with --entities, or set no "
            "entity_types."
        )
    if config.map and not {"drafts", "motion"} <= set(dataset.content):
        raise ValueError(
            f"The dynamics has a spatial map, but {dataset.folder} has no drafts of one; record a world whose camera "
            "is known, with --entities, or set map=None."
        )

    def loss(params: Params, batch: Batch, key: PRNGKey) -> tuple[Array, dict[str, Array]]:
        return dynamics_loss(config, weights, dataset.spec, params, batch, key)

    def batches(rows: Sequence[int] | None = None) -> BatchIterator:
        arrays = tuple(name for name in dataset.content if name != "frames")
        drawn = WindowConfig(length=training.window, batch=training.batch, seed=seed, arrays=arrays)
        return iter(windows(dataset, drawn, rows))

    return Stage(
        name="dynamics", init=lambda key: dynamics.init(config, key), loss=loss, batches=batches, sample=sample
    )
