"""`tools/scaling`: what is made of losses that were measured."""

import itertools
import json

import numpy as np
import pytest

from oyster_jax.evaluate.scaling_law import ScalingLaw
from tests.tools import modules

LAW = ScalingLaw(floor=0.02, size=3.0, size_power=0.35, data=40.0, data_power=0.7)


@pytest.fixture(scope="module")
def tool():
    return modules.tool("scaling")


@pytest.fixture
def study(tool, tmp_path):
    """A folder with losses that obey a law, after 1/8, 2/8 … of all updates of every size."""
    config = tool.Config(out=tmp_path, print=True)
    widths, steps = (*config.widths, config.held_out), range(config.every, config.steps + 1, config.every)
    for width, step in itertools.product(widths, steps):
        parameters, frames = 72 * width**2, step * config.batch * config.window
        loss = float(LAW(np.array([float(parameters)]), np.array([float(frames)]))[0])
        # The warm-up obeys no law, and is not fitted.
        loss = 7.0 if step == config.every else loss
        point = {"width": width, "parameters": parameters, "frames": frames, "flops": 100 * frames, "loss": loss}
        folder = tmp_path / f"width-{width:03d}"
        folder.mkdir(exist_ok=True)
        (folder / f"measured-{step:06d}.json").write_text(json.dumps(point))
    return config


def test_the_size_that_is_held_out_is_predicted_from_the_others(tool, study, capsys):
    assert tool.main(study) == 0
    report = json.loads((study.out / "scaling.json").read_text())
    assert len(report["points"]) == 6 * 8
    assert report["root_mean_square_error"] < 0.01
    assert {one["width"] for one in report["predictions"]} == {study.held_out}
    for one in report["predictions"]:
        assert one["predicted"] == pytest.approx(one["loss"], rel=0.01)
        assert one["next_smaller"] > one["loss"]
    assert (study.out / "scaling.png").stat().st_size > 1000
    lines = capsys.readouterr().out.splitlines()
    assert len({line.count("|") for line in lines[:8]}) == 1
    assert lines[-1].startswith(f"Held out: {72 * study.held_out**2 / 1e6:.2f}M parameters after 49,152 frames")


def test_sizes_double_from_a_fifth_of_a_million_to_eight(tool):
    from oyster_jax.models.dynamics import DynamicsConfig
    from oyster_jax.plan.by_hand import matrices, others

    sizes = [matrices(one) + others(one) for one in (tool.sized(DynamicsConfig(), width) for width in tool.HEADS)]
    assert 1.5e5 < sizes[0] < 2.5e5
    assert 7.5e6 < sizes[-1] < 8.5e6
    assert all(1.8 < larger / smaller < 2.8 for smaller, larger in itertools.pairwise(sizes))


def test_a_folder_holds_one_study_only(tool, tmp_path):
    (tmp_path / "request.json").write_text("{}")
    with pytest.raises(SystemExit, match="holds a study with other settings"):
        tool.main(tool.Config(out=tmp_path))
