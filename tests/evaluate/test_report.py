import json

import numpy as np
import pytest
from PIL import Image

from oyster_jax.evaluate.open_loop import MODEL, OpenLoopConfig, measure
from oyster_jax.evaluate.pictures import sheet_ticks, write_plot, write_sheet
from oyster_jax.evaluate.report import figures, report, write_report
from tests.evaluate.toy import Exact

CONFIG = OpenLoopConfig(windows=9, context=2, horizons=(1, 4), chunk=4, shown=2)


@pytest.fixture(scope="module")
def measured(dataset):
    measurements = measure(Exact(heeds=False), {}, dataset, CONFIG)
    return measurements, figures(measurements)


def test_the_report_survives_json_and_says_what_was_tried(measured, dataset, tmp_path):
    measurements, found = measured
    written = report(found, measurements, dataset, world={"name": "toy", "digest": "d"}, command="oyster eval")
    path = write_report(tmp_path / "new", written)
    data = json.loads(path.read_text())
    assert data["figures"]["psnr"][MODEL]["4"]["value"] == found.psnr[MODEL][4].value
    assert data["figures"]["effect"]["pooled"]["value"] == 0
    assert data["world"] == {"name": "toy", "digest": "d"}
    assert data["config"]["context"] == 2
    assert len(data["dataset"]["manifest_sha256"]) == 64
    assert data["measured"]["windows"] == len(data["measured"]["chosen"]) == 9
    assert {"python", "jax"} <= set(data["versions"])
    assert [p.name for p in path.parent.iterdir()] == ["report.json"]


def test_the_sheet_shows_the_truth_above_the_world(measured, tmp_path):
    measurements, _ = measured
    assert sheet_ticks(measurements) == (0, 1, 2, 4)
    with Image.open(write_sheet(tmp_path, measurements, scale=1)) as picture:
        sheet = np.asarray(picture)
    size, step = 16, 17
    for row, frames in ((0, measurements.truth[0]), (1, measurements.frames[0])):
        for column, tick in enumerate((0, 1, 2, 4)):
            cell = sheet[row * step : row * step + size, column * step : column * step + size]
            np.testing.assert_array_equal(cell, frames[tick])


def test_the_plot_is_a_picture(measured, tmp_path):
    path = write_plot(tmp_path, measured[1], "toy")
    with Image.open(path) as picture:
        assert picture.size[0] > 500
    assert list(tmp_path.iterdir()) == [path]
