import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from oyster_jax.evaluate.figure import Figure, read_lines
from oyster_jax.session import keeper
from oyster_jax.session.archive import Archive
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.worlds.world import World
from tests.tools import modules


@pytest.fixture(scope="module")
def tool():
    return modules.tool("soak")


@pytest.fixture(scope="module")
def world() -> World:
    return World(model=tiny_model(), params=tiny_params(), record={"name": "tiny"})


@pytest.fixture(autouse=True)
def late(monkeypatch):
    """Takes a snapshot every 115 ticks; a session without any starts no process, which takes seconds."""
    monkeypatch.setattr(keeper, "SNAPSHOT_SECONDS", 0.0)
    monkeypatch.setattr(keeper, "SNAPSHOT_TICKS", 115)


SHORT = {
    "ticks": 120, "slices": 4, "turns": 2, "turn_ticks": 5, "rewinds": 6, "branches": 3, "branch_ticks": 2,
    "verify": "all", "rate": 60.0,
}  # fmt: skip


def test_a_short_soak_measures_everything(tool, world, tmp_path, capsys):
    config = tool.Config(**SHORT, out=tmp_path / "soak.jsonl", plot=tmp_path / "soak.png", folder=tmp_path)
    assert tool.main(config, world) == 0
    figures = read_lines(tmp_path / "soak.jsonl")
    said = capsys.readouterr()
    assert [json.loads(line)["name"] for line in said.out.splitlines()] == list(figures)
    # So short a life may be over before its second slice has seen the writer.
    assert set(tool.ASKED) - set(figures) - {"soak.memory.writer.growth"} == {"pacing.difference.p99"}
    values = {name: figure.value for name, figure in figures.items()}
    assert values["soak.rewind.exact"] == values["soak.branches.exact"] == values["soak.verify.exact"] == 1
    assert figures["soak.verify.exact"].conditions["verified"] == 130
    assert set(figures["soak.state.bytes"].spread or ()) == {values["soak.state.bytes"]}
    assert values["soak.snapshots"] == 1
    # The log alone is two equal files of 31 bytes a tick.
    assert values["soak.disk"] * 2**20 > 120 * 2 * 31
    assert values["soak.disk.minute"] == pytest.approx(values["soak.disk"] * 30)
    assert "soak.verify.exact: 1 exact – as asked" in said.err
    assert (tmp_path / "soak.png").stat().st_size > 10_000
    # It is a session like any other.
    archive = Archive(tmp_path / "session", write=False)
    assert (archive.branches["main"].end, len(archive.branches)) == (130, 4)
    # The last ticks are verified from a snapshot on.
    exact, _ = tool.soak_life.verification_figures(tmp_path / "session", world, 12, {}, str)
    assert (exact.value, exact.conditions["verified"]) == (1, 12)


def test_a_frame_that_did_not_come_back_is_told(tool, world, tmp_path):
    with world.session(tmp_path / "session", snapshot_bytes=0) as session:
        life = tool.soak_life.live(session, 10, seed=0, slices=1, say=str)
        digests = bytearray(life.digests)
        digests[5 * 8] ^= 1
        life = dataclasses.replace(life, digests=bytes(digests))
        (exact, *_), (ticks, _) = tool.soak_life.rewind_figures(session, life, 40, {}, str)
    wrong = np.count_nonzero(ticks == 5)
    assert wrong > 0
    assert exact.value == 1 - wrong / 40
    assert tool.sentence(exact).endswith("NOT bit for bit")


def test_pacing_lives_with_snapshots_and_without(tool, world, tmp_path):
    config = tool.Config(pacing=True, turns=2, turn_ticks=40, rate=200.0, out=tmp_path / "pace.jsonl", folder=tmp_path)
    assert tool.main(config, world) == 0
    figures = read_lines(tmp_path / "pace.jsonl")
    for percentile in ("p50", "p99"):
        on, off, difference = (figures[f"pacing.{name}.{percentile}"].value for name in ("on", "off", "difference"))
        assert difference == pytest.approx(on - off)
    assert figures["pacing.on.p99"].conditions["snapshots"] > 0
    assert not list((tmp_path / "off").glob("snapshots/*/*"))


def test_slices_growth_and_flatness_are_what_they_say(tool):
    ticks, slices = 400, 4
    times = np.repeat([10.0, 10.0, 10.0, 20.0], 100)
    times[:20] = 1e6  # compiling, which does not count
    looks = np.arange(10, ticks + 1, 10)
    held = np.repeat([50.0, 100.0, 100.0, 101.0], 10) * 2**20
    life = tool.soak_life.Life(
        times=times, digests=bytes(8 * 401), looks=looks, parent=held, writer=0 * held, disk=looks * 2.0**20,
        snapshots=looks, state=np.full(40, 7.0), slices=slices,
    )  # fmt: skip
    figures = {figure.name: figure for figure in tool.soak_life.life_figures(life, 400 / 60, {"world": "w"})}
    assert figures["soak.flatness.p50"].value == 2
    assert figures["soak.trend.p50"].value == pytest.approx(17 / 11)
    assert figures["soak.memory.parent.growth"].value == pytest.approx(1.01)
    assert "soak.memory.writer.growth" not in figures
    assert figures["soak.disk.minute"].value == 400
    assert figures["soak.tick.p50"].spread == (10, 20)
    assert all(figure.conditions["world"] == "w" for figure in figures.values())


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("soak.rewind.p95", 0.5, "as asked (at most 1)"),
        ("soak.rewind.p95", 1.5, "MORE than asked (at most 1)"),
        ("soak.rewind.exact", 0.99, "NOT bit for bit"),
        ("soak.tick.p50", 7.0, "7 s"),
    ],
)
def test_a_sentence_tells_what_was_asked(tool, name, value, said):
    sentence = tool.sentence(Figure(name=name, value=value, unit="s", spread=None))
    assert sentence.startswith(name)
    assert sentence.endswith(said)


@pytest.mark.parametrize(
    "wrong", [{"slices": 1}, {"ticks": 100}, {"rewinds": 0}, {"pacing": True, "plot": Path("a.png")}]
)
def test_what_cannot_be_measured_is_refused(tool, wrong):
    with pytest.raises(ValueError, match=r"\w"):
        tool.Config(**wrong)


def test_the_command_line_knows_every_setting(tool):
    assert {field.name for field in dataclasses.fields(tool.Config)} >= {"pacing", "verify", "plot"}
