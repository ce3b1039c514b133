"""The judge stage: networks that read buttons, motion and agents off real frames, to measure generated ones with.

The judge never sees a generated frame while it trains. What tells a generated frame from a real one at a glance (a
little blur, a little noise) is drawn at random over the real ones, so that it does not mislead the reading.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.models import inverse_dynamics
from oyster_jax.models.inverse_dynamics import CELL, JudgeConfig, button_table, count_peaks
from oyster_jax.models.tokenizer import normalized
from oyster_jax.train.composite import PASTED, composite
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.loop import BatchIterator, Stage
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.step import Batch
from oyster_jax.typing import Array, Params, PRNGKey

ARRAYS = ("frames", "actions", "entities", "entity_mask")


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgeLossConfig:
    """What the judge is trained on.

    Attributes:
      motion: weight of the mean absolute error of the camera's motion, in tiles.
      detection: weight of the detector's cross-entropy, summed over a frame's cells.
      cut_short: share of stacks that begin or end at one of the two frames in the middle, as at the ends of a clip.
      blur: largest share of a 3 × 3 blur that is mixed into half of the stacks.
      noise: largest standard deviation of pixel noise, in a range of 2.
    """

    motion: float = 4.0
    detection: float = 0.02
    cut_short: float = 0.1
    blur: float = 0.5
    noise: float = 0.06


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgeTraining:
    """A judge and how it trains: unless told otherwise, 4 minutes on two quiet cores.

    Attributes:
      network: what it tells apart, and its size.
      loss: what it is trained on.
      training: how long.
    """

    network: JudgeConfig = JudgeConfig()
    loss: JudgeLossConfig = JudgeLossConfig()
    training: TrainConfig = TrainConfig(
        steps=1600,
        batch=32,
        window=JudgeConfig().stack,
        average_decay=0.995,
        optimizer=OptimizerConfig(learning_rate=4e-3, warmup=50, decay=0.4),
        checkpoint_every=100,
    )


def judge_stage(judge: JudgeTraining, dataset: EpisodeDataset, seed: int) -> Stage:
    """Returns the stage that trains a judge on recorded frames, actions and entities.

    Raises:
      ValueError: the recording lacks frames or entities, its frames are of another size, no action holds one of the
        buttons, or the windows are not as long as the judge's stack.
    """
    config, weights, training = judge.network, judge.loss, judge.training
    _check(config, dataset)
    if training.window != config.stack:
        raise ValueError(f"The judge reads stacks of {config.stack} frames; set its window to that.")

    def loss(params: Params, batch: Batch, key: PRNGKey) -> tuple[Array, dict[str, Array]]:
        return judge_loss(config, weights, dataset.spec, params, batch, key)

    def batches(rows: Sequence[int] | None = None) -> BatchIterator:
        return _batches(config, training.batch, dataset, seed, rows)

    return Stage(
        name="judge",
        init=lambda key: inverse_dynamics.init(config, key),
        loss=loss,
        batches=batches,
    )


def judge_loss(
    config: JudgeConfig, weights: JudgeLossConfig, spec: WorldSpec, params: Params, batch: Batch, key: PRNGKey
) -> tuple[Array, dict[str, Array]]:
    """Returns the loss of a batch of windows `[batch, stack, …]`, and its parts."""
    model = inverse_dynamics.bind(config, params)
    cut_key, worn_key, pick_key, made_key = jax.random.split(key, 4)
    worn = _worn(weights, batch["frames"], worn_key)
    logits = model.presses(_cut_short(config, weights, worn, cut_key))
    held = jnp.asarray(button_table(spec.action, config.buttons), jnp.float32)[batch["actions"][:, config.reach]]
    presses = jnp.mean(optax.sigmoid_binary_cross_entropy(logits, held))
    error = model.motion(worn[:, config.reach : config.reach + 2]) - _moved(config, spec, batch["entities"])
    motion = jnp.mean(jnp.abs(error))
    frames, target, counted = detection_targets(config, spec, batch, pick_key)
    seen, _ = model.detect(_worn(weights, frames[:, None], made_key)[:, 0])
    errors = optax.sigmoid_binary_cross_entropy(seen, target)
    detection = jnp.mean(jnp.sum(jnp.where(counted, errors, 0.0), axis=(1, 2, 3)))
    right = jnp.mean((logits > 0) == (held > 0))
    parts = {"presses": presses, "motion": motion, "detection": detection, "right": right}
    return presses + weights.motion * motion + weights.detection * detection, parts


def detection_targets(config: JudgeConfig, spec: WorldSpec, batch: Batch, key: PRNGKey) -> tuple[Array, Array, Array]:
    """Makes composite frames of a batch of windows and says what the detector should see in them.

    Returns:
      Frames uint8 `[batch, height, width, 3]`; targets float32 `[batch, rows, columns, kinds + 1]`; and which of them
      count: around an agent's own cell either answer will do.
    """
    frames, entities, mask = (batch[name][:, config.reach] for name in ("frames", "entities", "entity_mask"))
    places, kinds = _places(config, spec, entities, mask)
    frames, places, foreign = composite(config, frames, jnp.roll(frames, 1, axis=0), places, key)
    agents, things = places[:, : PASTED + 1], places[:, PASTED + 1 :]
    maps = [_map(config, agents, jnp.ones(agents.shape[:2], bool))]
    maps += [_map(config, things, kinds == kind) for kind in config.kinds[1:]]
    target = jnp.stack([*maps, foreign.astype(jnp.float32)], axis=-1)
    around = jax.lax.reduce_window(maps[0], 0.0, jax.lax.max, (1, 3, 3), (1, 1, 1), "SAME")
    counted = jnp.ones(target.shape, bool).at[..., 0].set((around == 0) | (maps[0] > 0))
    return frames, target, counted


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgeAccuracy:
    """How well a judge reads real frames of levels that it has not seen.

    Attributes:
      presses: share of readings that are right, by button.
      f1: of each button.
      motion_error: mean absolute error of the camera's motion in tiles a tick, x and y.
      copied_motion_error: the same of one who says that nothing ever moves.
      real_agents: share of real frames in which exactly one agent is seen.
      composite_agents: share of composite frames in which as many agents are seen as there are.
      frames: how many stacks all this is from.
    """

    presses: dict[str, float]
    f1: dict[str, float]
    motion_error: tuple[float, float]
    copied_motion_error: tuple[float, float]
    real_agents: float
    composite_agents: float
    frames: int


def judge_accuracy(
    config: JudgeConfig, params: Params, dataset: EpisodeDataset, *, batches: int = 40, batch: int = 64, seed: int = 0
) -> JudgeAccuracy:
    """Tries a judge on recorded frames, which should be of held-out levels.

    Raises:
      ValueError: as `judge_stage`.
    """
    _check(config, dataset)
    spec = dataset.spec
    table = button_table(spec.action, config.buttons)

    @jax.jit
    def read(params: Params, batch: Batch, key: PRNGKey) -> dict[str, Array]:
        model = inverse_dynamics.bind(config, params)
        pixels = normalized(batch["frames"])
        middle = pixels[:, config.reach : config.reach + 2]
        made, target, _ = detection_targets(config, spec, batch, key)
        return {
            "pressed": model.presses(pixels) > 0,
            "motion": model.motion(middle),
            "moved": _moved(config, spec, batch["entities"]),
            "real": count_peaks(model.detect(middle[:, 0])[0][..., 0]) == 1,
            "made": count_peaks(model.detect(normalized(made))[0][..., 0]) == _agents(target),
        }

    results, iterator = [], _batches(config, batch, dataset, seed)
    for number in range(batches):
        window = next(iterator)
        found = jax.tree.map(np.asarray, read(params, window, jax.random.key(number)))
        results.append(found | {"held": table[window["actions"][:, config.reach]]})
    joined = jax.tree.map(lambda *arrays: np.concatenate(arrays), *results)
    pressed, held = joined["pressed"], joined["held"]
    f1 = 2 * np.sum(pressed & held, 0) / np.maximum(np.sum(pressed, 0) + np.sum(held, 0), 1)
    error, still = np.abs(joined["motion"] - joined["moved"]).mean(0), np.abs(joined["moved"]).mean(0)
    return JudgeAccuracy(
        presses=dict(zip(config.buttons, (pressed == held).mean(0).tolist(), strict=True)),
        f1=dict(zip(config.buttons, f1.tolist(), strict=True)),
        motion_error=(float(error[0]), float(error[1])),
        copied_motion_error=(float(still[0]), float(still[1])),
        real_agents=float(joined["real"].mean()),
        composite_agents=float(joined["made"].mean()),
        frames=len(held),
    )


def _agents(target: Array) -> Array:
    """Returns how many agents a target map holds; none of them share a cell, for they are pasted apart."""
    return jnp.sum(target[..., 0], axis=(1, 2)).astype(jnp.int32)


def _check(config: JudgeConfig, dataset: EpisodeDataset) -> None:
    if missing := {"frames", "entities"} - set(dataset.content):
        raise DatasetError(
            f"A judge learns from {' and '.join(sorted(missing))}, which {dataset.folder} does not hold."
        )
    frame = dataset.spec.frame
    if (frame.height, frame.width) != (config.height, config.width):
        raise ValueError(
            f"The judge reads frames of {config.height}×{config.width} pixels, but those of {dataset.folder} have "
            f"{frame.height}×{frame.width}."
        )
    button_table(dataset.spec.action, config.buttons)


def _batches(
    config: JudgeConfig, batch: int, dataset: EpisodeDataset, seed: int, rows: Sequence[int] | None = None
) -> BatchIterator:
    return iter(windows(dataset, WindowConfig(length=config.stack, batch=batch, seed=seed, arrays=ARRAYS), rows))


def _cut_short(config: JudgeConfig, weights: JudgeLossConfig, frames: Array, key: PRNGKey) -> Array:
    """Repeats one of the two frames in the middle outwards in some stacks, as the ends of a clip are filled."""
    ticks = jnp.arange(config.stack)[None, :]
    first, last = (
        jnp.where(jax.random.bernoulli(key, weights.cut_short, (len(frames), 1)), cut, whole)
        for key, cut, whole in zip(
            jax.random.split(key), (config.reach, config.reach + 1), (0, config.stack - 1), strict=True
        )
    )
    at = jnp.clip(ticks, first, last)
    return jnp.take_along_axis(frames, at[:, :, None, None, None], axis=1)


def _worn(weights: JudgeLossConfig, frames: Array, key: PRNGKey) -> Array:
    """Returns pixels in [-1, 1] of uint8 `[batch, ticks, height, width, 3]`, some a little blurred and noisy."""
    blur_key, use_key, level_key, noise_key = jax.random.split(key, 4)
    shape = (len(frames), 1, 1, 1, 1)
    pixels = normalized(frames)
    share = weights.blur * jax.random.uniform(blur_key, shape)
    share = jnp.where(jax.random.bernoulli(use_key, 0.5, shape), share, 0.0)
    blurred = pixels
    for axis in (2, 3):
        # Rolling mixes opposite edges, in one row and column of pixels.
        blurred = (jnp.roll(blurred, 1, axis) + blurred + jnp.roll(blurred, -1, axis)) / 3
    level = weights.noise * jax.random.uniform(level_key, shape)
    # One draw serves the whole batch: drawing took as long as reading the buttons.
    return pixels + share * (blurred - pixels) + level * jax.random.normal(noise_key, (1, *pixels.shape[1:]))


def _moved(config: JudgeConfig, spec: WorldSpec, entities: Array) -> Array:
    """Returns how far the agent, and so the camera, moved between the two frames in the middle: `[batch, 2]`."""
    assert spec.entity is not None, "checked when the stage was made"
    place = entities[:, :, 0][..., jnp.array([spec.entity.column("x"), spec.entity.column("y")])]
    return place[:, config.reach + 1] - place[:, config.reach]


def _places(config: JudgeConfig, spec: WorldSpec, entities: Array, mask: Array) -> tuple[Array, Array]:
    """Returns where things are in a frame, x, y in pixels (NaN outside and for the agent), and their kinds."""
    assert spec.entity is not None, "checked when the stage was made"
    x, y, kind = (entities[..., spec.entity.column(name)] for name in ("x", "y", "type"))
    scale = config.width / config.view
    place = jnp.stack([x - x[:, :1], y[:, :1] - y], axis=-1) * scale
    place = place + jnp.array([[[config.width / 2, config.height / 2]]])
    limit = jnp.array([[[float(config.width), float(config.height)]]])
    inside = jnp.all((place >= 0) & (place < limit), axis=-1) & mask
    return jnp.where(inside.at[:, 0].set(False)[..., None], place, jnp.nan), kind.astype(jnp.int32)


def _map(config: JudgeConfig, places: Array, wanted: Array) -> Array:
    """Marks the cells `[batch, rows, columns]` in which a wanted place lies."""
    rows, columns = config.grid
    known = wanted & jnp.isfinite(places[..., 0])
    cell = jnp.floor(jnp.nan_to_num(places) / CELL).astype(jnp.int32)
    index = jnp.where(known, cell[..., 1] * columns + cell[..., 0], rows * columns)
    mark = jax.vmap(lambda index: jnp.zeros((rows * columns,)).at[index].set(1.0, mode="drop"))
    return mark(index).reshape(-1, rows, columns)
