"""The experiments that differ in size only, and how a configuration file is asked for one of several."""

from pathlib import Path

import pytest

from oyster_jax.cli.errors import UsageError
from oyster_jax.cli.train import load_experiment

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.parametrize("size", ["nano", "small", "base", "large", "xl"])
@pytest.mark.parametrize("frame", [64, 128, 256])
def test_each_size_has_worlds_of_each_frame(size, frame):
    experiment = load_experiment(CONFIGS / f"{size}.py:frame={frame}")
    assert experiment.name == f"{size}_{frame}"
    assert experiment.network.spec.frame.shape == (frame, frame, 3)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("frame=96", "no preset for frames of 96×96"),
        ("side=64", "it takes (frame: int = 64)"),
        ("frame=", "cannot be asked for 'frame='"),
        ("frame", "cannot be asked for 'frame'"),
    ],
)
def test_what_a_file_does_not_know_is_refused(given, sentence):
    with pytest.raises(UsageError) as refused:
        load_experiment(CONFIGS / f"base.py:{given}")
    assert sentence in str(refused.value)
