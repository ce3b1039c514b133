"""One dial for size, and one for the frames."""

import dataclasses
from typing import Literal

from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.tokenizer import TokenizerConfig

type Size = Literal["nano", "small", "base", "large", "xl"]

#: Side of a square frame in pixels → side of a patch in pixels, and features of one latent token.
FRAMES: dict[int, tuple[int, int]] = {64: (8, 16), 128: (8, 16), 256: (16, 32)}


def preset(size: Size, frame: int = 64) -> tuple[TokenizerConfig, DynamicsConfig]:
    """Returns tokenizer and dynamics of one size, for square frames of `frame` pixels a side.

    About 8M parameters for nano (two CPU cores), 67M for small, 340M for base, 1.75B for large, 9.1B for xl. Frames of
    128 and of 256 pixels have four times as many latent tokens as those of 64.

    Raises:
      ValueError: there is no such size, or none for such frames.
    """
    if frame not in FRAMES:
        known = ", ".join(map(str, FRAMES))
        raise ValueError(f"There is no preset for frames of {frame}×{frame} pixels; choose one of {known}.")
    patch, channels = FRAMES[frame]
    columns = frame // patch
    match size:
        case "nano":
            encoder: dict[str, int] = {"features": 192, "heads": 3, "encoder_depth": 2, "renderer_depth": 2}
            trunk: dict[str, int] = {"features": 256, "heads": 4, "groups": 2, "head_depth": 1}
        case "small":
            encoder = {"features": 384, "heads": 6, "encoder_depth": 4, "renderer_depth": 4}
            trunk = {
                "features": 512, "heads": 8, "groups": 4, "head_depth": 4, "registers": 8, "window": 32,
                "memory_features": 64,
            }  # fmt: skip
        case "base":
            encoder = {"features": 512, "heads": 8, "encoder_depth": 8, "renderer_depth": 8}
            trunk = {
                "merge": 1, "features": 1024, "heads": 16, "groups": 6, "head_depth": 4, "registers": 8, "window": 64,
                "memory_heads": 8, "memory_features": 64,
            }  # fmt: skip
        case "large":
            encoder = {"features": 768, "heads": 12, "encoder_depth": 12, "renderer_depth": 12}
            trunk = {
                "merge": 1, "features": 2048, "heads": 32, "groups": 8, "head_depth": 6, "registers": 16, "window": 128,
                "memory_heads": 16, "memory_features": 64,
            }  # fmt: skip
        case "xl":
            encoder = {"features": 1024, "heads": 16, "encoder_depth": 16, "renderer_depth": 16}
            trunk = {
                "merge": 1, "features": 4096, "heads": 64, "groups": 12, "head_depth": 6, "registers": 16,
                "window": 128, "memory_heads": 16, "memory_features": 64,
            }  # fmt: skip
        case _:
            raise ValueError(f"There is no size '{size}'; choose nano, small, base, large or xl.")
    latents = TokenizerConfig(height=frame, width=frame, patch=patch, channels=channels)
    grid = DynamicsConfig(tokens=columns**2, columns=columns, channels=channels)
    return dataclasses.replace(latents, **encoder), dataclasses.replace(grid, **trunk)
