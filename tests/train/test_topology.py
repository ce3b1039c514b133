"""A run that began on eight devices goes on, on any others, with the losses that it would have had."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.parallel.devices import on_devices

_FIT = """
import dataclasses
from pathlib import Path
import numpy as np
from oyster_jax.models import dynamics
from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.testing import tiny_model
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import DynamicsLossConfig, dynamics_loss
from oyster_jax.train.loop import Stage, fit
from oyster_jax.train.optimizer import OptimizerConfig

model = tiny_model()
readouts = dataclasses.replace(model.dynamics.readouts, entity_types=())
config = dataclasses.replace(model.dynamics, map=None, groups=1, heads=4, readouts=readouts)
training = TrainConfig(
    steps=8, batch=16, window=6, log_every=1, checkpoint_every=4,
    optimizer=OptimizerConfig(learning_rate=3e-3, warmup=2),
)


class Noise:
    def __init__(self, rows=None):
        self.rows, self.number = range(16) if rows is None else rows, 0

    def __next__(self):
        generator = np.random.default_rng(self.number)
        self.number += 1
        batch = {
            "latents": np.tanh(generator.normal(size=(16, 6, 16, 4))).astype(np.float16),
            "actions": generator.integers(15, size=(16, 6)).astype(np.int32),
            "rewards": np.zeros((16, 6), np.float32),
            "terminals": np.zeros((16, 6), bool),
        }
        return {name: array[list(self.rows)] for name, array in batch.items()}

    def get_state(self):
        return self.number

    def set_state(self, state):
        self.number = state


def loss(params, batch, key):
    return dynamics_loss(config, DynamicsLossConfig(), model.spec, params, batch, key)


stage = Stage(name="noise", init=lambda key: dynamics.init(config, key), loss=loss, batches=Noise)
"""


def _train(folder: Path, devices: int, mesh: str) -> dict[int, float]:
    """Trains, or goes on; returns the losses of all steps."""
    code = f"{_FIT}\nstate = fit(stage, training, Path({str(folder)!r}), 0, MeshConfig({mesh}))\n"
    cut = on_devices(devices, code + "found = [len(x.sharding.device_set) for x in jax.tree.leaves(state.average)]")
    assert set(cut) == {devices}
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {record["step"]: record["loss"] for record in records}


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, float]]:
    """A run on eight devices, of which only what it had saved after four steps is left; and the losses of all eight."""
    folder = tmp_path_factory.mktemp("runs") / "eight"
    losses = _train(folder, 8, "fsdp=8")
    assert sorted(losses) == list(range(1, 9))
    shutil.rmtree(folder / "checkpoints" / "8")
    return folder, losses


@pytest.mark.parametrize(("devices", "mesh"), [(1, ""), (2, "fsdp=2"), (4, "fsdp=2, tensor=2"), (8, "tensor=4")])
def test_it_goes_on_elsewhere_with_the_same_losses(begun, tmp_path: Path, devices: int, mesh: str) -> None:
    folder, expected = begun
    shutil.copytree(folder, tmp_path / "run")
    losses = _train(tmp_path / "run", devices, mesh)
    assert {step: losses[step] for step in range(1, 5)} == {step: expected[step] for step in range(1, 5)}
    # The data and the noise are the same; sums are made in another order.
    np.testing.assert_allclose(
        [losses[step] for step in range(5, 9)], [expected[step] for step in range(5, 9)], rtol=1e-4
    )
