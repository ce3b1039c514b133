"""One dial for size."""

from typing import Literal

from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.tokenizer import TokenizerConfig

type Size = Literal["nano", "small", "base", "large"]


def preset(size: Size) -> tuple[TokenizerConfig, DynamicsConfig]:
    """Returns tokenizer and dynamics of one size.

    About 8M parameters for nano (two CPU cores), 60M for small, 300M for base, 1.6B for large.

    Raises:
      ValueError: there is no such size.
    """
    match size:
        case "nano":
            return (
                TokenizerConfig(features=192, heads=3, encoder_depth=2, renderer_depth=2),
                DynamicsConfig(features=256, heads=4, groups=2, head_depth=1),
            )
        case "small":
            return (
                TokenizerConfig(features=384, heads=6, encoder_depth=4, renderer_depth=4),
                DynamicsConfig(
                    features=512, heads=8, groups=4, head_depth=4, registers=8, window=32, memory_features=64
                ),
            )
        case "base":
            return (
                TokenizerConfig(features=512, heads=8, encoder_depth=8, renderer_depth=8),
                DynamicsConfig(
                    merge=1, features=1024, heads=16, groups=6, head_depth=4, registers=8, window=64,
                    memory_heads=8, memory_features=64,
                ),
            )  # fmt: skip
        case "large":
            return (
                TokenizerConfig(features=768, heads=12, encoder_depth=12, renderer_depth=12),
                DynamicsConfig(
                    merge=1, features=2048, heads=32, groups=8, head_depth=6, registers=16, window=128,
                    memory_heads=16, memory_features=64,
                ),
            )  # fmt: skip
    raise ValueError(f"There is no size '{size}'; choose nano, small, base or large.")
