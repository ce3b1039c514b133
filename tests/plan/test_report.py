"""A plan as JSON, as a page and as sentences, of results that are written down."""

import html
import json
import re

import pytest

from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.plan.report import (
    Price,
    described,
    peaks_table,
    report,
    sentences,
    sweep_table,
    tables,
    title,
    write_report,
)  # fmt: skip
from oyster_jax.plan.roofline import roofline
from oyster_jax.plan.sweep import Candidate, Tried
from tests.plan.results import GIB, exchange, program, result, slices

TOPOLOGY = slices("v5e:2x2", chips=4)
TRAIN = program(rows=32, fsdp=4, model_flops=10**15, device_flops=2 * 10**15)
FITS = result(TRAIN, exchanges=[exchange("fsdp", 4e9)], parameters=1, activations=3)
TOO_LARGE = result(program("rollout", rows=32, data=4), parameters=4, ring=20)


def of(compiled, price=None):
    return described(compiled, roofline(compiled, TOPOLOGY.peaks, TOPOLOGY.chips), TOPOLOGY, price)


def tried(rows, **gib):
    trained = program(rows=rows, data=2, fsdp=2, model_flops=10**15, device_flops=10**15)
    found = result(trained, **gib)
    chosen = Candidate(mesh=MeshConfig(fsdp=2), batch=rows, known=0.25, exchanging=1.0, program=trained)
    return Tried(candidate=chosen, compiled=found, roofline=roofline(found, TOPOLOGY.peaks, TOPOLOGY.chips))


@pytest.fixture
def written(tmp_path):
    price = Price(chip_hour=1.2, steps=1000)
    whole = report(
        [of(FITS, price), of(TOO_LARGE, price)],
        [tried(64, parameters=4), tried(128, parameters=40)],
        TOPOLOGY,
        name="a <tiny> world",
        command="oyster plan 'a & b'",
    )
    page = write_report(tmp_path / "found", whole)
    return json.loads((tmp_path / "found" / "plan.json").read_text()), page.read_text()


def test_all_figures_are_in_the_json(written):
    found, _ = written
    train, rollout = found["programs"]
    assert train["bytes_a_device"] == {"parameters": GIB, "activations": 3 * GIB}
    assert (train["needed"], train["usable"], train["share"]) == (4 * GIB, 16 * GIB, 0.25)
    assert train["mesh"] == {"slice": 1, "data": 1, "fsdp": 4, "tensor": 1}
    assert train["sent_by_axes"] == {"fsdp": 4_000_000_000}
    line = train["roofline"]
    assert (line["bound"], line["frames_per_second"]) == ("compute", pytest.approx(2048 * 4 * 197e12 / 2e15))
    assert line["utilization"] == pytest.approx(0.5)
    assert train["cost"] == {"chip_hour": 1.2, "steps": 1000, "least": pytest.approx(4.8 / 3.6 * 2e15 / (4 * 197e12))}
    assert rollout["verdict"].startswith("It does not fit")
    assert found["topology"]["peaks"]["memory"] == 819e9


def test_what_does_not_fit_has_neither_a_speed_nor_a_price(written):
    _, rollout = written[0]["programs"]
    assert (rollout["fits"], rollout["roofline"]) == (False, None)
    assert "cost" not in rollout
    assert [heading for heading, _, _ in tables(rollout)] == ["memory of a device"]
    assert len(sentences(rollout)) == 2


def test_a_rollout_that_fits_has_a_speed_and_no_price():
    found = of(result(program("rollout", rows=32, data=4), parameters=4), Price(chip_hour=1.2, steps=1000))
    assert found["roofline"] is not None
    assert "cost" not in found


def test_a_program_in_sentences():
    windows, fits, line, cost = sentences(of(FITS, Price(chip_hour=1.2, steps=1000)))
    assert windows == "32 windows of 64 ticks on fsdp 4."
    assert fits == "It fits: 4.00 of 16.00 GiB a device, 25 %."
    assert line == (
        "A call takes at least 2,538.1 ms, bound by compute: at most 807 frames/s and 50 % MFU, 1,000.0 TFLOP of the "
        "model and 2,000.0 in all."
    )
    assert cost == "1,000 steps cost at least 3.38 at 1.2 a chip hour."


def test_a_program_in_tables():
    memory, exchanges, least = tables(of(FITS))
    assert memory[2] == [("parameters", "1.000"), ("activations", "3.000"), ("all", "4.000 of 16.00")]
    assert exchanges[2] == [("all-gather", "fsdp", "2", "4,000.0", "2,000.0")]
    parts = [("compute", "2,538.07"), ("memory", "10.49"), ("interconnect", "20.00"), ("network", "0.00")]
    assert least[2] == parts


def test_bytes_of_a_device_and_of_a_chip_are_told_apart():
    """Of tpu7x a chip shows two devices; what a device holds is half of what the chip does."""
    topology = slices("tpu7x:2x2x1", chips=4)
    found = described(FITS, roofline(FITS, topology.peaks, topology.chips), topology)
    assert found["devices_a_chip"] == 2
    heading, _, rows = tables(found)[0]
    assert heading == "memory of a device, of which a chip has 2"
    assert rows[-2:] == [("all", "4.000 of 16.00"), ("all of a chip", "8.000 of 32.00")]


def test_peaks_are_told_where_the_roofline_is(written):
    found, page = written
    heading, _, rows = peaks_table(found["topology"])
    assert heading == "peaks of a chip of v5e"
    assert {name: most for name, most in rows} == {  # noqa: C416  # rows are sequences, which dict() does not take
        "bfloat16": "197 TFLOP/s",
        "HBM": "819 GB/s",
        "all links within a slice, one direction": "200 GB/s",
        "network to other slices": "3.1 GB/s",
        "devices": "1",
        "HBM that programs may use of a device": "16.00 GiB",
    }
    for what, most in rows:
        assert f"<td>{what}</td><td>{most}</td>" in page


def test_what_is_trained_is_named(written):
    found, page = written
    assert [title(one) for one in found["programs"]] == ["train (dynamics)", "rollout"]
    assert "<h2>train (dynamics)</h2>" in page


def test_a_sweep_as_a_table(written):
    heading, columns, rows = sweep_table(written[0]["sweep"])
    assert heading == "meshes"
    assert len(columns) == 6
    assert rows == [
        ("data 2 × fsdp 2", "64", "25 %", "3,228", "compute", "100 %"),
        ("data 2 × fsdp 2", "128", "250 %", "", "", ""),
    ]
    assert [one["known"] for one in written[0]["sweep"]] == [0.25, 0.25]


def test_the_page_says_what_the_sentences_and_tables_say(written):
    found, page = written
    text = html.unescape(re.sub(r"<[^>]+>", "\n", page))
    for one in found["programs"]:
        for sentence in sentences(one):
            assert sentence in text
        for _, _, rows in tables(one):
            for row in rows:
                assert "\n".join(row).replace("\n", "\n\n") in text
    assert "data 2 × fsdp 2" in text


def test_names_and_commands_are_no_markup(written):
    _, page = written
    assert "<h1>a &lt;tiny&gt; world on v5e:2x2</h1>" in page
    assert "oyster plan &#x27;a &amp; b&#x27;" in page
