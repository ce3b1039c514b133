"""The worlds that come with the package."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

import oyster_jax
from oyster_jax.cli.train import load_experiment
from oyster_jax.core.state import Status

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(path.parent for path in (ROOT / "oyster_jax" / "worlds").glob("*/world.json"))


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_shipped_world_loads_steps_and_says_what_it_is(folder: Path) -> None:
    with jax.numpy_dtype_promotion("standard"):
        world = oyster_jax.load(folder.name)
        state = world.step(world.reset(seed=1), "right")
        frame = world.render(state)
    assert world.status(state) in (Status.OK, Status.TERMINAL)
    assert frame.shape == world.spec.frame.shape
    assert np.std(frame) > 5, "the frame is blank"
    assert (folder / "weights.safetensors").stat().st_size < 16e6
    figures = json.loads((folder / "world.json").read_text())["figures"]
    assert figures, "no figures of `oyster eval` were put in"
    card = (folder / "CARD.md").read_text()
    assert world.record["digest"][:23] in card, "the card speaks of other weights"


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_world_is_shipped_with_the_configuration_that_made_it(folder: Path) -> None:
    world = oyster_jax.load(folder.name)
    name = world.record["training"]["config"]["name"]
    assert world.model == load_experiment(ROOT / "configs" / f"{name}.py").network
