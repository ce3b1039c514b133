"""Whether one can see in a world's frames which buttons were held: action F1 by inverse dynamics.

After some real frames the world goes on alone under the actions that a recording really took. A judge that learned
inverse dynamics from real frames alone (as in VPT, Baker et al. 2022, https://arxiv.org/abs/2206.11795) reads the
buttons back from the frames that the world drew, and is compared with those that were held:

    F1 = 2 TP / (2 TP + FP + FN),    macro F1 = mean over buttons,    ratio = macro F1 of the world / of real frames

The counts run over all ticks of all windows. Beside the world stand the same readings of the real frames of the same
windows (the ceiling: in the air a held jump changes nothing, so nobody can read it), and the readings of real frames
scored against the actions of other windows (chance: a policy that mostly runs to the right is easily guessed).

It does not show that the world obeys in detail: a jump of the wrong height is still read as a jump.
"""

import dataclasses

import jax
import numpy as np
from jaxtyping import Bool, Float, Float64

from oyster_jax.core.model import WorldModel
from oyster_jax.core.rollout import rollout
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.evaluate.bootstrap import Bootstrap, Estimate
from oyster_jax.evaluate.chunks import Progress, padded_chunks
from oyster_jax.evaluate.judge import ButtonReader
from oyster_jax.evaluate.windows import Windows, check_dataset, choose_windows, read_windows
from oyster_jax.models.inverse_dynamics import button_table
from oyster_jax.prng import named_key
from oyster_jax.typing import Array, Params

#: A button counts as read where its probability is larger.
THRESHOLD = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActionScoreConfig:
    """How a world is tried.

    Attributes:
      windows: how many stretches of recordings.
      context: real frames that the world sees before it goes on alone.
      ticks: how long it goes on.
      seed: of the choice of windows and of the world's own randomness.
      chunk: windows simulated at once; more need more memory and change no figure beyond rounding.

    Raises:
      ValueError: a number is not positive.
    """

    windows: int = 128
    context: int = 8
    ticks: int = 32
    seed: int = 0
    chunk: int = 16

    def __post_init__(self) -> None:
        for name in ("windows", "context", "ticks", "chunk"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"An action score needs at least 1 of its {name}, but {getattr(self, name)} was given."
                )
        if self.seed < 0:
            raise ValueError(f"A seed is not negative, but {self.seed} was given.")

    @property
    def length(self) -> int:
        """Frames of a window."""
        return self.context + self.ticks


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActionScoreMeasurements:
    """What was held and what was read, before any counting.

    Attributes:
      config: how.
      windows: on which stretches.
      buttons: names, in the order of the last axes.
      held: which buttons the actions held.
      read: probabilities that the judge gave them, from the world's frames.
      real: the same, from real frames.
    """

    config: ActionScoreConfig
    windows: Windows
    buttons: tuple[str, ...]
    held: Bool[np.ndarray, "windows ticks buttons"]
    read: Float[np.ndarray, "windows ticks buttons"]
    real: Float[np.ndarray, "windows ticks buttons"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActionScoreFigures:
    """F1 in [0, 1], by button and as macro mean.

    Attributes:
      f1: from the world's frames, by button.
      ceiling: from real frames.
      chance: from real frames, scored against the actions of another window.
      macro: mean of `f1` over buttons.
      macro_ceiling: of `ceiling`.
      macro_chance: of `chance`.
      ratio: `macro / macro_ceiling`.
    """

    f1: dict[str, Estimate]
    ceiling: dict[str, Estimate]
    chance: dict[str, Estimate]
    macro: Estimate
    macro_ceiling: Estimate
    macro_chance: Estimate
    ratio: Estimate


def measure_action_score(
    model: WorldModel,
    params: Params,
    dataset: EpisodeDataset,
    judge: ButtonReader,
    config: ActionScoreConfig,
    progress: Progress | None = None,
) -> ActionScoreMeasurements:
    """Lets a world follow recorded actions and the judge read them back; the same seed gives the same numbers.

    The last real frame stands before the world's frames, so that each of its ticks has a frame before it.

    Raises:
      DatasetError: the recordings are not held out, not of this world, too short or damaged.
      ValueError: the world has no action for a button that the judge reads.
    """
    check_dataset(dataset, model.spec)
    windows = choose_windows(dataset.lengths, config.length, config.windows, config.seed, spread=True)
    table = button_table(model.spec.action, judge.buttons)

    def go_on(params: Params, frames: Array, actions: Array, number: Array) -> Array:
        key = jax.random.fold_in(named_key(jax.random.key(config.seed), "action score"), number)
        state = model.encode(params, frames, actions[: config.context - 1], key)
        return rollout(model, params, state, actions[config.context - 1 :])[1]

    run = jax.jit(jax.vmap(go_on, in_axes=(None, 0, 0, 0)))
    held, read, real = [], [], []
    for chosen, count in padded_chunks(len(windows), config.chunk):
        window = read_windows(dataset, windows, chosen, config.length, ("frames", "actions"))
        frames, actions = window["frames"], window["actions"][:, :-1]
        drawn = np.asarray(run(params, frames[:, : config.context], actions, chosen))
        for row in range(count):
            truth = frames[row, config.context - 1 :]
            held.append(table[actions[row, config.context - 1 :]])
            read.append(judge.presses(np.concatenate([truth[:1], drawn[row]])))
            real.append(judge.presses(truth))
        if progress is not None:
            progress(len(held), len(windows))
    return ActionScoreMeasurements(
        config=config,
        windows=windows,
        buttons=judge.buttons,
        held=np.stack(held),
        read=np.stack(read),
        real=np.stack(real),
    )


def action_score_figures(measurements: ActionScoreMeasurements) -> ActionScoreFigures:
    """Returns F1 scores with intervals from resampling episodes."""
    windows = measurements.windows
    bootstrap = Bootstrap(windows.episodes, seed=measurements.config.seed)
    held, read, real = measurements.held, measurements.read > THRESHOLD, measurements.real > THRESHOLD
    # Shifting by half keeps windows of one episode, which may stand beside each other, apart.
    elsewhere = np.roll(held, max(1, len(windows) // 2), axis=0)
    scores = {"f1": counts(held, read), "ceiling": counts(held, real), "chance": counts(elsewhere, real)}
    by_button = {
        name: {
            button: bootstrap.estimate(f1, *(part[:, index] for part in parts))
            for index, button in enumerate(measurements.buttons)
        }
        for name, parts in scores.items()
    }
    macro = {name: bootstrap.estimate(macro_f1, *_columns(parts)) for name, parts in scores.items()}
    return ActionScoreFigures(
        **by_button,
        macro=macro["f1"],
        macro_ceiling=macro["ceiling"],
        macro_chance=macro["chance"],
        ratio=bootstrap.estimate(_ratio, *_columns(scores["f1"]), *_columns(scores["ceiling"])),
    )


def counts(
    held: Bool[np.ndarray, "*stretches ticks buttons"], read: Bool[np.ndarray, "*stretches ticks buttons"]
) -> tuple[Float64[np.ndarray, "*stretches buttons"], Float64[np.ndarray, "*stretches buttons"]]:
    """Returns true positives and errors (false positives and negatives) over the ticks of each stretch."""
    return (held & read).sum(-2).astype(np.float64), (held ^ read).sum(-2).astype(np.float64)


def f1(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Returns F1 of true positives and errors of any shape; 0 where a button was neither held nor read."""
    return np.asarray(2 * right / np.maximum(2 * right + wrong, 1e-12))


def macro_f1(*parts: np.ndarray) -> np.ndarray:
    """Returns the mean of F1 over buttons: true positives of all buttons, then the errors of all."""
    buttons = len(parts) // 2
    return np.asarray(np.mean([f1(parts[index], parts[buttons + index]) for index in range(buttons)], axis=0))


def _columns(parts: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    """Lays counts `[windows, buttons]` out as the arguments of `macro_f1`."""
    right, wrong = parts
    return [*right.T, *wrong.T]


def _ratio(*parts: np.ndarray) -> np.ndarray:
    half = len(parts) // 2
    return np.asarray(macro_f1(*parts[:half]) / np.maximum(macro_f1(*parts[half:]), 1e-12))
