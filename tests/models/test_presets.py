"""One dial for size, and one for the frames."""

import math

import jax
import pytest

from oyster_jax.models import dynamics, tokenizer
from oyster_jax.models.presets import FRAMES, preset

#: Millions of parameters of the tokenizer and the dynamics together, at 64×64.
MILLIONS = {"nano": 8, "small": 67, "base": 340, "large": 1_750, "xl": 9_060}


@pytest.mark.parametrize("size", MILLIONS)
def test_sizes_are_what_they_are_called(size):
    configs = preset(size)
    shapes = jax.eval_shape(
        lambda key: (tokenizer.init(configs[0], key), dynamics.init(configs[1], key)), jax.random.key(0)
    )
    parameters = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
    assert parameters / 1e6 == pytest.approx(MILLIONS[size], rel=0.04)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("size", MILLIONS)
def test_the_parts_of_a_world_fit_together(size, frame):
    frames, grid = preset(size, frame)
    assert (frames.height, frames.tokens, frames.columns) == (frame, grid.tokens, grid.columns)
    assert frames.channels == grid.channels
    assert grid.features % grid.heads == 0


def test_frames_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="no preset for frames of 96×96 pixels"):
        preset("base", 96)
