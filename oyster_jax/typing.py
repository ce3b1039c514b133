"""The axis vocabulary and the array aliases that every signature of the package uses.

Axes, always in this order where several meet:
    batch    independent worlds or episodes
    ticks    time, one tick is one frame and one action
    tokens   places of the latent grid, row by row (`grid * grid`)
    channels features of one latent token
    height, width, 3   pixels of a frame, RGB
"""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Array, Bool, Float, Float32, Int, Int32, Key, UInt8

Frame = UInt8[Array, "height width 3"]
Frames = UInt8[Array, "*batch height width 3"]
Latent = Float[Array, "tokens channels"]
Latents = Float[Array, "*batch tokens channels"]
Action = Int32[Array, ""]
Actions = Int32[Array, "*ticks"]
PRNGKey = Key[Array, ""]
Scalar = Float[Array, ""]

#: Parameters are plain nested dicts of arrays: nothing of a neural-network library leaves `nn` and `models`.
type Params = Mapping[str, Any]

__all__ = [
    "Action", "Actions", "Array", "Bool", "Float", "Float32", "Frame", "Frames", "Int", "Int32",
    "Key", "Latent", "Latents", "PRNGKey", "Params", "Scalar", "UInt8",
]  # fmt: skip
