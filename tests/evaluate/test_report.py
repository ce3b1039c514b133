import json
import math

import numpy as np
import pytest
from PIL import Image

from oyster_jax.evaluate.page import write_media, write_page
from oyster_jax.evaluate.pictures import write_clips, write_plots
from oyster_jax.evaluate.report import report, write_report
from oyster_jax.evaluate.section import Clip, Section, Table
from oyster_jax.evaluate.sections import control, fidelity
from oyster_jax.evaluate.suite import Suite
from oyster_jax.evaluate.targets import outcomes
from tests.evaluate import scroller


@pytest.fixture(scope="module")
def sections(tmp_path_factory):
    level = scroller.write(tmp_path_factory.mktemp("level") / "data")
    suite = Suite(
        model=scroller.Walker(), params={}, name="walk", recording=lambda: level, windows=6, context=3, seed=1
    )
    return [fidelity.run(suite), control.run(suite)], suite.opened


def written(sections, dataset):
    figures = {section.name: section.figures for section in sections}
    found = outcomes(figures, full=False)
    world = {"name": "<walk>", "digest": "d", "parameters": 12}
    return found, report(sections, found, world=world, dataset=dataset, config={"seed": 1}, command="oyster eval")


def test_the_report_survives_json_and_says_what_was_tried(sections, tmp_path):
    found, dataset = sections
    _, said = written(found, dataset)
    path = write_report(tmp_path / "new", said)
    data = json.loads(path.read_text())
    assert data["figures"]["fidelity"]["psnr"]["model"]["4"]["value"] > 0
    assert data["figures"]["fidelity"]["seen"]["share"]["1"] > 0.5
    assert data["figures"]["control"]["effect"]["pooled"]["value"] > 0
    assert data["world"]["name"] == "<walk>"
    assert len(data["dataset"]["manifest_sha256"]) == 64
    assert {"python", "jax"} <= set(data["versions"])
    assert [p.name for p in path.parent.iterdir()] == ["report.json"]


def test_what_is_no_number_is_null(tmp_path):
    section = Section(name="a", title="A", about="", figures={"1": math.nan, "b": np.float32(2), "c": (np.arange(2),)})
    said = report([section], [], world={"name": "w"}, dataset=None, config={}, command="c")
    assert said["figures"]["a"] == {"1": None, "b": 2.0, "c": [[0, 1]]}
    json.dumps(said, allow_nan=False)


def test_targets_are_held_beside_what_was_found():
    figures = {"fidelity": {"ceiling_psnr": {"value": 38.0}, "psnr": {"model": {1: {"value": 31.0}}}}}
    plain, full = outcomes(figures, full=False), outcomes(figures, full=True)
    assert [(o.label, o.bound, o.met) for o in plain] == [
        ("tokenizer PSNR", "≥ 40 dB", False),
        ("whole-frame PSNR at 1 tick", "≥ 30 dB", True),
    ]
    assert [(o.bound, o.met) for o in full][:1] == [("≥ 36 dB", True)]


def test_a_target_waits_for_a_run_that_is_long_enough():
    short = {"drift": {"ticks": 900, "sharpness_ratio": {"value": 1.2}}}
    long = {"drift": {"ticks": 27_000, "sharpness_ratio": {"value": 1.2}}}
    assert outcomes(short, full=False) == []
    assert [(o.bound, o.met) for o in outcomes(long, full=False)] == [("0.9 – 1.1", False)]


def test_gravity_is_that_of_the_best_source_there_is():
    def figures(**sources):
        return {"physics": {"flights": {"sources": {"jumps": sources}}}}

    entities, position = ({"gravity_error": {"value": error}} for error in (9.0, 2.0))
    assert [o.found for o in outcomes(figures(position=None, entities=entities), full=False)] == [9.0]
    assert [o.found for o in outcomes(figures(position=position, entities=entities), full=False)] == [2.0]


def test_the_page_tells_everything_and_escapes_names(sections, tmp_path):
    found, dataset = sections
    reached, said = written(found, dataset)
    extra = Section(
        name="more",
        title="More",
        about="A & B.",
        figures={},
        tables=(Table(title="T", columns=("a", "b"), rows=(("1 < 2", "3"),), notes=("A note.",)),),
    )
    for section in found:
        write_media(tmp_path, section, rate=15.0)
    page = write_page(tmp_path, [*found, extra], reached, said, skipped={"physics": "No source."})
    text = page.read_text()
    for words in (
        "&lt;walk&gt;",
        "A &amp; B.",
        "1 &lt; 2",
        "A note.",
        "physics: No source.",
        "not reached",
        "seen region",
    ):
        assert words in text
    assert "<walk>" not in text
    assert (tmp_path / "plots" / "psnr_seen-dark.png").is_file()
    assert not list(tmp_path.rglob(".*"))


def clips():
    frames = np.random.default_rng(0).integers(255, size=(2, 5, 16, 16, 3)).astype(np.uint8)
    return [Clip(name=f"c{i}", caption="", sides={"truth": frames[0], "model": frames[1]}) for i in range(2)]


def test_clips_show_their_sides_beside_each_other(tmp_path):
    path, _ = write_clips(tmp_path, clips(), rate=15.0)
    with Image.open(path) as picture:
        assert (picture.size, getattr(picture, "n_frames", 1)) == ((34, 16), 5)
        picture.seek(3)
        shown = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(shown[:, :16], clips()[0].sides["truth"][3])
    np.testing.assert_array_equal(shown[:, 18:], clips()[0].sides["model"][3])


def test_plots_are_drawn_for_light_and_dark(sections, tmp_path):
    found, _ = sections
    path, _ = write_plots(tmp_path, found[0].plots)
    with Image.open(path) as light, Image.open(tmp_path / "psnr-dark.png") as dark:
        assert light.size[0] > 500
        assert np.asarray(light).mean() > 150 > np.asarray(dark).mean()
