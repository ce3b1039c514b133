"""Every section runs on small worlds and says the same in its figures, its tables and its targets."""

import functools
import json
import sys
from typing import Any

import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.page import write_media, write_page
from oyster_jax.evaluate.report import report
from oyster_jax.evaluate.sections import control, drift, frechet, permanence, physics, revealed, speed
from oyster_jax.evaluate.suite import Suite
from oyster_jax.evaluate.targets import outcomes
from tests.evaluate import platformer, scroller


class Reader:
    """Reads the scroller's camera as the judge would."""

    buttons = ("left", "right")

    def presses(self, frames):
        moved = np.diff(np.asarray(scroller.places(frames)))
        return np.stack([moved < 0, moved > 0], 1).astype(np.float32)

    def motion(self, frames):
        return platformer.motion(frames)

    def agents(self, frames):
        return np.ones(len(frames), np.int32)

    def features(self, frames):
        return np.asarray(frames)[:, 0, ::5, 0].astype(np.float32)


@pytest.fixture(scope="module")
def level(tmp_path_factory):
    return scroller.write(tmp_path_factory.mktemp("level") / "data", lengths=(50, 60, 55, 70))


def walk(level, **changes):
    given = {"model": scroller.Walker(knows=True), "params": {}, "name": "walk", "recording": lambda: level}
    return Suite(**given | {"judge": Reader(), "windows": 12, "context": 3, "quick": True} | changes)


def jump(**changes):
    given = {"model": platformer.Exact(), "params": {}, "name": "jump", "recording": lambda: None}
    return Suite(
        **given | {"source": platformer.Platformer(), "judge": Reader(), "context": 4, "quick": True} | changes
    )


def texts(section):
    return [text for table in section.tables for row in table.rows for text in row]


def check(section, tmp_path):
    """A section can be written and shown."""
    figures = {section.name: section.figures}
    found = outcomes(figures, full=False)
    said = report([section], found, world={"name": "w"}, dataset=None, config={}, command="c")
    json.dumps(said, allow_nan=False)
    assert outcomes(json.loads(json.dumps(said["figures"])), full=False) == found
    write_media(tmp_path, section, rate=15.0)
    write_page(tmp_path, [section], found, said, skipped={})
    assert all(len(row) == len(table.columns) for table in section.tables for row in table.rows)
    assert all((tmp_path / "clips" / f"{clip.name}.webp").is_file() for clip in section.clips)
    return {outcome.label: outcome.met for outcome in found}


def test_revealed(level, tmp_path):
    section = revealed.run(walk(level))
    assert check(section, tmp_path) == {}
    assert section.figures["horizons"][32]["diversity"]["value"] == 0
    assert len(section.clips) == 3


def test_frechet(level, tmp_path):
    section = frechet.run(walk(level))
    assert check(section, tmp_path) == {}
    assert section.figures["distance"] == section.figures["floor"]
    assert "1.00" in texts(section)


def test_control(level, tmp_path):
    section = control.run(walk(level))
    met = check(section, tmp_path)
    assert met == {"ΔPSNR at 4 ticks, pooled": True, "action F1 over its ceiling": True}
    assert section.figures["actions"]["ratio"]["value"] == pytest.approx(1)
    alone = control.run(walk(level, judge=None))
    assert alone.figures["actions"] is None
    assert len(alone.tables) == 1


def test_physics(tmp_path, monkeypatch):
    small: dict[str, Any] = {"trials": 2, "environments": 16, "spacing": 4, "patience": 400}
    long: dict[str, Any] = {**small, "ticks": 20}
    flights, pairs = physics.PhysicsConfig, physics.CounterfactualConfig
    monkeypatch.setattr(physics, "PhysicsConfig", lambda **given: flights(**given | long))
    monkeypatch.setattr(physics, "CounterfactualConfig", lambda **given: pairs(**given | small))
    section = physics.run(jump())
    met = check(section, tmp_path)
    assert met == {"gravity error, jumps": True, "apex error": True, "share of landings within a tick": True}
    assert "jumps, floor" in texts(section)
    assert {clip.name.partition("_")[0] for clip in section.clips} == {"physics", "counterfactual"}


def test_permanence(tmp_path, monkeypatch):
    config = functools.partial(permanence.PermanenceConfig, absences=(4, 32), environments=8, spacing=4, patience=240)
    monkeypatch.setattr(permanence, "PermanenceConfig", config)
    section = permanence.run(jump())
    assert check(section, tmp_path) == {"same place after 32 ticks away": True}
    assert "32, hidden" in texts(section)


def test_drift(level, tmp_path, monkeypatch):
    config = functools.partial(drift.DriftConfig, chunk=10, phase=30, branches=2, look_every=5, real_windows=4)
    monkeypatch.setattr(drift, "DriftConfig", config)
    monkeypatch.setattr(drift, "QUICK", 60)
    section = drift.run(walk(level))
    # A run of 60 ticks says nothing of half an hour.
    assert check(section, tmp_path) == {}
    assert section.figures["ticks"] == 60
    assert [clip.rate for clip in section.clips] == [1.0]


def test_speed(level, tmp_path, monkeypatch):
    config = speed.SpeedConfig(ticks=60, rounds=0, batches=(2,), batch_ticks=2, batch_rounds=2)
    monkeypatch.setattr(speed.SpeedConfig, "quick", lambda seed: config)
    start = [sys.executable, "-c", "raise SystemExit('no room')"]
    section = speed.run(walk(level, conditions={"world": "walk"}, start=start))
    assert set(check(section, tmp_path)) == {"ticks a second", "99 % of ticks within"}
    assert "no room" in section.tables[0].notes[0]
    assert section.figures["batch.2.rate"]["conditions"]["world"] == "walk"


@pytest.mark.parametrize(
    ("section", "sentence"), [(physics, "which simulator"), (permanence, "which simulator"), (frechet, "has no judge")]
)
def test_what_a_section_lacks_is_told_in_a_sentence(level, section, sentence):
    with pytest.raises(DatasetError, match=sentence):
        section.run(walk(level, judge=None))
