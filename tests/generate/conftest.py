"""Generations of the tiny world."""

from pathlib import Path
from typing import Any

import pytest

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.generate.episodes import Kept
from oyster_jax.generate.generation import GenerateConfig, Origin, generate
from oyster_jax.generate.policies import make_policy
from oyster_jax.generate.starts import Dreams
from oyster_jax.testing import tiny_model, tiny_params

MODEL = tiny_model(steps=1)
ORIGIN = Origin(world={"world": "tiny"}, conditions={"backend": "cpu"}, licence="Apache-2.0")
EPISODES, TICKS, BLOCK, SPAN = 10, 40, 4, 16


@pytest.fixture(scope="session")
def params():
    return tiny_params()


@pytest.fixture(scope="session")
def run(params):
    """Generates with the tiny world; what is not said is as in `EPISODES`, `TICKS`, `BLOCK` and `SPAN`."""

    def generated(out: Path, *, policy: Any = "sticky", starts: Any = None, progress: Any = None, **changes: Any):
        kept: dict[str, Any] = {"beyond": True} | {
            name: changes.pop(name) for name in ("frames", "latents", "beyond") if name in changes
        }
        request: dict[str, Any] = {
            "episodes": EPISODES,
            "ticks": TICKS,
            "block": BLOCK,
            "span": SPAN,
            "seed": 3,
        } | changes
        config = GenerateConfig(kept=Kept(**kept), **request)
        policy, starts = make_policy(policy, MODEL.spec.action), Dreams() if starts is None else starts
        return generate(MODEL, params, policy, starts, config, ORIGIN, out, progress=progress)

    return generated


@pytest.fixture(scope="session")
def whole(run, tmp_path_factory) -> EpisodeDataset:
    """A generation that nobody disturbed."""
    return run(tmp_path_factory.mktemp("generated") / "whole")


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
