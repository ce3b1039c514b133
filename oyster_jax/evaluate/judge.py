"""The judge of a world: frozen networks that read buttons, motion and agents off frames, whoever drew them.

They were trained on real frames only (`train.judge`), so that what they read in generated frames is there for anyone
who knows the game to see. What they read of real frames is no better than their own error: every figure made with them
stands beside the same figure of real frames.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.chunks import padded_chunks
from oyster_jax.files import write_whole
from oyster_jax.models import inverse_dynamics
from oyster_jax.models.inverse_dynamics import JudgeConfig, count_peaks
from oyster_jax.models.tokenizer import normalized
from oyster_jax.tree import nested
from oyster_jax.typing import Array, Float32, Int32, Params, UInt8
from oyster_jax.weights import described, packed, read_weights

RECORD = "judge.json"
WEIGHTS = "judge.safetensors"
SCHEMA_VERSION = 1

#: Frames, or stacks of them, that are read at once: one shape, so one compilation.
CHUNK = 64


@runtime_checkable
class ButtonReader(Protocol):
    """Reads buttons off frames; `Judge` does."""

    @property
    def buttons(self) -> tuple[str, ...]:
        """Their names."""
        ...

    def presses(self, frames: UInt8[np.ndarray, "frames height width 3"]) -> Float32[np.ndarray, "steps buttons"]:
        """See `Judge.presses`."""
        ...


@runtime_checkable
class FrameReader(ButtonReader, Protocol):
    """Reads buttons and agents off frames; `Judge` does."""

    def agents(self, frames: UInt8[np.ndarray, "frames height width 3"]) -> Int32[np.ndarray, "frames"]:
        """See `Judge.agents`."""
        ...


class Judge:
    """Reads frames; every method takes any number of them and returns NumPy arrays.

    Args:
      config: what is told apart.
      params: of the networks, float32.
      record: what `judge.json` says of its training and accuracy.
    """

    def __init__(self, config: JudgeConfig, params: Params, record: Mapping[str, Any] | None = None) -> None:
        self.config, self.params, self.record = config, params, dict(record or {})

    @property
    def buttons(self) -> tuple[str, ...]:
        """The buttons that `presses` tells of."""
        return self.config.buttons

    def presses(self, frames: UInt8[np.ndarray, "frames height width 3"]) -> Float32[np.ndarray, "steps buttons"]:
        """Returns how likely each button was held between each frame and the next.

        Args:
          frames: uint8 `[ticks, height, width, 3]`, without a cut in them; at least 2.

        Returns:
          Probabilities `[ticks - 1, buttons]`.
        """
        reach, steps = self.config.reach, len(frames) - 1
        # Beyond either end the last frame is repeated.
        at = np.arange(steps)[:, None] + np.arange(-reach, reach + 2)[None, :]
        return self._read("presses", frames, np.clip(at, 0, steps))

    def motion(self, frames: UInt8[np.ndarray, "frames height width 3"]) -> Float32[np.ndarray, "steps 2"]:
        """Returns how far the camera moved between each frame and the next: tiles, x to the right and y upwards.

        Args:
          frames: uint8 `[ticks, height, width, 3]`, at least 2.
        """
        return self._read("motion", frames, np.arange(len(frames) - 1)[:, None] + np.arange(2)[None, :])

    def agents(self, frames: UInt8[np.ndarray, "frames height width 3"]) -> Int32[np.ndarray, "frames"]:
        """Returns how many agents each frame shows, wherever they are."""
        return self._read("agents", frames, np.arange(len(frames)))

    def features(self, frames: UInt8[np.ndarray, "frames height width 3"]) -> Float32[np.ndarray, "frames features"]:
        """Returns the detector's last features of each frame, averaged over its places, for a Fréchet distance."""
        return self._read("features", frames, np.arange(len(frames)))

    def _read(self, what: str, frames: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Reads `frames[at]`, some at a time."""
        height, width = self.config.height, self.config.width
        if frames.shape[1:] != (height, width, 3):
            raise ValueError(
                f"This judge reads frames of {height}×{width} pixels, but was given an array of shape {frames.shape}."
            )
        if len(at) == 0:
            raise ValueError("There is nothing to read: give at least one frame, or two where a step is read.")
        parts = []
        for chosen, count in padded_chunks(len(at), CHUNK):
            parts.append(np.asarray(self._programs[what](self.params, frames[at[chosen]]))[:count])
        return np.concatenate(parts)

    @functools.cached_property
    def _programs(self) -> dict[str, Callable[[Params, Any], Array]]:
        network = functools.partial(inverse_dynamics.bind, self.config)

        def presses(params: Params, frames: Array) -> Array:
            return jax.nn.sigmoid(network(params).presses(normalized(frames)))

        def motion(params: Params, frames: Array) -> Array:
            return network(params).motion(normalized(frames))

        def agents(params: Params, frames: Array) -> Array:
            return count_peaks(network(params).detect(normalized(frames))[0][..., 0])

        def features(params: Params, frames: Array) -> Array:
            return jnp.mean(network(params).detect(normalized(frames))[1], axis=(1, 2))

        return {read.__name__: jax.jit(read) for read in (presses, motion, agents, features)}


def save_judge(folder: Path, config: JudgeConfig, params: Params, facts: Mapping[str, Any]) -> None:
    """Writes `judge.json` and `judge.safetensors` into a folder; its other files are left alone.

    Args:
      folder: of the world; created when missing.
      config: of the judge.
      params: of any floating dtype; stored as bfloat16.
      facts: what was measured and how it was trained, JSON-ready.
    """
    weights = packed(params)
    record = {
        "schema_version": SCHEMA_VERSION,
        "config": dataclasses.asdict(config),
        "weights": described(WEIGHTS, weights),
        **facts,
    }
    write_whole(folder, {WEIGHTS: weights, RECORD: (json.dumps(record, indent=2) + "\n").encode()})


def has_judge(folder: Path) -> bool:
    """Whether a judge was saved in a folder."""
    return (folder / RECORD).is_file()


def load_judge(folder: Path) -> Judge:
    """Loads the judge of a world's folder.

    Raises:
      DatasetError: there is none, or it is damaged or of another version.
    """
    path = folder / RECORD
    if not path.is_file():
        raise DatasetError(
            f"{folder} has no {RECORD}, so nobody can read buttons off this world's frames; train a judge with the "
            "world and put it there."
        )
    try:
        record = json.loads(path.read_text("utf-8"))
        if record["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"it has version {record['schema_version']}, but version {SCHEMA_VERSION} is understood")
        config = JudgeConfig.from_json(record["config"])
        expected = jax.eval_shape(functools.partial(inverse_dynamics.init, config), jax.random.key(0))
        leaves = read_weights(folder, record["weights"], expected)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"The judge in {folder} cannot be used: {error}. Restore {RECORD} and {WEIGHTS}.") from error
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), nested(leaves))
    return Judge(config, params, record)
