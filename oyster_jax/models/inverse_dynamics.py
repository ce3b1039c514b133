"""What a judge of frames sees: which buttons were held, how the camera moved, who stands where.

Three small convolutional networks, each by itself: inverse dynamics over a short stack of frames (VPT, arXiv
2206.11795: it may look at the future, which makes it a far easier task than control), camera motion between two
frames, and a detector on one frame (CenterNet, arXiv 1904.07850). They are trained on real frames only and then frozen.
"""

import dataclasses
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Bool

from oyster_jax.core.spec import ActionSpec
from oyster_jax.nn import functional
from oyster_jax.nn.convolution import Convolution
from oyster_jax.nn.dense import Dense
from oyster_jax.nn.patch import patchify
from oyster_jax.typing import Array, Float, Params, PRNGKey

#: Side of the pixel blocks that the networks begin with, and so of a cell of the detector, in pixels.
CELL = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """What the judge tells apart, and its size.

    Attributes:
      height: pixels; a multiple of 8.
      width: pixels; a multiple of 8.
      buttons: the buttons that are read, those of the action names that have an effect.
      reach: frames that are looked at before the first and after the second of the two that a press lies between.
      kinds: the simulator's type ids that the detector tells apart; the first is the agent's.
      view: tiles across a frame.
      agent_box: height and width in pixels of the box around the agent that is cut out to make frames with any number
        of agents.
      press_features: width of the network that reads buttons.
      motion_features: width of the network that reads motion.
      detector_features: width of the detector, and number of features for a Fréchet distance.
      dtype: of the matrix products.
    """

    height: int = 64
    width: int = 64
    buttons: tuple[str, ...] = ("left", "right", "jump")
    reach: int = 2
    kinds: tuple[int, ...] = (0, 2, 5, 20)
    view: float = 13.0
    agent_box: tuple[int, int] = (7, 6)
    press_features: int = 64
    motion_features: int = 48
    detector_features: int = 64
    dtype: str = "bfloat16"

    def __post_init__(self) -> None:
        if self.height % (2 * CELL) or self.width % (2 * CELL):
            raise ValueError(
                f"A judge reads frames whose sides are multiples of {2 * CELL} pixels, not {self.height}×{self.width}."
            )
        if not self.buttons or not self.kinds:
            raise ValueError("The judge needs at least one button to read and the agent's kind to look for.")

    @property
    def stack(self) -> int:
        """Frames that one reading of the buttons takes."""
        return 2 * self.reach + 2

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the detector's cells."""
        return self.height // CELL, self.width // CELL

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Rebuilds a config from `dataclasses.asdict` that went through JSON.

        Raises:
          ValueError: a field is missing, unknown or out of range.
        """
        try:
            fields: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
            }
            return cls(**fields)
        except TypeError as error:
            raise ValueError(f"This is not the description of a judge: {error}.") from error


class _Sight(nnx.Module):
    """From stacked frames to a grid of features at a quarter of the resolution: an 8 × 8 kernel in steps of 4."""

    def __init__(self, frames: int, features: int, *, rngs: nnx.Rngs):
        self.first = Convolution(3 * frames * CELL**2, features, kernel=2, rngs=rngs)

    def __call__(self, frames: Float[Array, "batch frames height width 3"], dtype: jnp.dtype) -> Array:
        batch, count, height, width, _ = frames.shape
        x = jnp.moveaxis(frames, 1, 3).reshape(batch, height, width, 3 * count)
        # Half a cell at the left and the top puts the kernel of two cells around the cell that it stands for.
        x = jnp.pad(x, ((0, 0), (CELL // 2, CELL // 2), (CELL // 2, CELL // 2), (0, 0)))
        x = patchify(x.astype(dtype), CELL).reshape(batch, height // CELL + 1, width // CELL + 1, -1)
        return _activated(self.first(x))[:, :-1, :-1]


class _Reader(nnx.Module):
    """Stacked frames to a few numbers about the whole of them."""

    def __init__(self, config: JudgeConfig, frames: int, features: int, outputs: int, *, rngs: nnx.Rngs):
        wide, cells = features * 3 // 2, config.grid[0] * config.grid[1] // 4
        self.sight = _Sight(frames, features, rngs=rngs)
        self.second = Convolution(features, wide, stride=2, rngs=rngs)
        self.third = Convolution(wide, wide, rngs=rngs)
        self.narrow = Dense(wide, 12, rngs=rngs, bias=True)
        self.hidden = Dense(12 * cells, 64, rngs=rngs, bias=True)
        self.out = Dense(64, outputs, rngs=rngs, scale=0.1, bias=True)

    def __call__(self, frames: Array, dtype: jnp.dtype) -> Array:
        x = _activated(self.second(self.sight(frames, dtype)))
        x = _activated(x + self.third(x))
        x = self.narrow(x)
        x = _activated(self.hidden(x.reshape(len(x), -1)))
        return self.out(x).astype(jnp.float32)


class _Detector(nnx.Module):
    """One frame to a logit a kind at every cell, and whether the cell was cut out of another frame."""

    def __init__(self, features: int, kinds: int, *, rngs: nnx.Rngs):
        self.sight = _Sight(1, features // 2, rngs=rngs)
        self.second = Convolution(features // 2, features, rngs=rngs)
        self.third = Convolution(features, features, rngs=rngs)
        self.out = Dense(features, kinds + 1, rngs=rngs, scale=0.1, bias=True)

    def __call__(self, frames: Array, dtype: jnp.dtype) -> tuple[Array, Array]:
        x = _activated(self.second(self.sight(frames[:, None], dtype)))
        x = _activated(x + self.third(x))
        return self.out(x).astype(jnp.float32), x.astype(jnp.float32)


class JudgeNetwork(nnx.Module):
    """The three networks of the judge."""

    def __init__(self, config: JudgeConfig, rngs: nnx.Rngs):
        self.dtype = jnp.dtype(config.dtype)
        self.press = _Reader(config, config.stack, config.press_features, len(config.buttons), rngs=rngs)
        self.move = _Reader(config, 2, config.motion_features, 2, rngs=rngs)
        self.detector = _Detector(config.detector_features, len(config.kinds), rngs=rngs)

    def presses(self, pixels: Float[Array, "batch stack height width 3"]) -> Float[Array, "batch buttons"]:
        """Returns a logit a button: was it held between the two frames in the middle of the stack?"""
        return self.press(pixels, self.dtype)

    def motion(self, pixels: Float[Array, "batch 2 height width 3"]) -> Float[Array, "batch 2"]:
        """Returns how far the camera moved between two frames, x to the right and y upwards, in tiles."""
        return self.move(pixels, self.dtype)

    def detect(self, pixels: Float[Array, "batch height width 3"]) -> tuple[Array, Array]:
        """Returns logits `[batch, rows, columns, kinds + 1]` and features `[batch, rows, columns, features]`.

        The last logit says whether the cell was cut out of another frame.
        """
        return self.detector(pixels, self.dtype)


def init(config: JudgeConfig, key: PRNGKey) -> Params:
    """Draws the parameters of a judge."""
    return functional.init(JudgeNetwork, config, key)


def bind(config: JudgeConfig, params: Params) -> JudgeNetwork:
    """Returns the judge's networks with `params` in them, for use inside a traced function."""
    return functional.bind(JudgeNetwork, config, params)


def button_table(spec: ActionSpec, buttons: tuple[str, ...]) -> Bool[np.ndarray, "actions buttons"]:
    """Returns which of `buttons` each action holds.

    Raises:
      ValueError: no action holds one of them.
    """
    if unknown := set(buttons) - set(spec.buttons):
        raise ValueError(
            f"No action of this world holds {', '.join(sorted(unknown))}; its buttons are {', '.join(spec.buttons)}."
        )
    return np.array([[button in name.split("+") for button in buttons] for name in spec.names])


def count_peaks(logits: Float[Array, "batch rows columns"]) -> Array:
    """Returns how many cells of each map are more likely than not and than all cells around them, int32 `[batch]`."""
    around = jax.lax.reduce_window(logits, -jnp.inf, jax.lax.max, (1, 3, 3), (1, 1, 1), "SAME")
    return jnp.sum((logits > 0) & (logits >= around), axis=(1, 2)).astype(jnp.int32)


def _activated(x: Array) -> Array:
    # Elementwise work is faster in float32 on a CPU, and the conversions fuse.
    return jax.nn.relu(x.astype(jnp.float32)).astype(x.dtype)
