"""The roofline, and what a run costs, worked out by hand."""

import dataclasses
from typing import Any

import pytest

from oyster_jax.plan.report import Price
from oyster_jax.plan.roofline import Roofline, roofline
from tests.plan.results import GIB, exchange, program, result, slices


def of_training(topology, **changes):
    """Four windows a device on 2 × 2: 400 TFLOP in all, 200 of them the model's; 2 GB along fsdp, 40 MB over slices."""
    figures: dict[str, Any] = {"model_flops": 200e12, "device_flops": 400e12} | changes
    trained = program(rows=32, slice=2, data=2, fsdp=2, **figures)
    sent = [exchange("fsdp", 1.5e9), exchange("data+fsdp", 0.5e9), exchange("slice", 3e7), exchange("slice+data", 1e7)]
    memory = {"parameters": 1, "optimizer": 2, "activations": 3, "working_memory": 4, "batch": 1}
    return roofline(result(trained, exchanges=sent, **memory), topology.peaks, topology.chips)


def test_each_part_of_a_training_step_at_its_peak():
    found = of_training(slices("v5e:2x2", chips=4, count=2))
    assert found.compute == pytest.approx(400e12 / (8 * 197e12))
    # State and what is kept for the way back are written once and read once; the rest may stay on the chip.
    assert found.memory == pytest.approx(2 * 6 * GIB / 819e9)
    assert found.interconnect == pytest.approx(2e9 / 200e9)
    assert found.network == pytest.approx(4e7 / 3.125e9)


def test_devices_that_share_a_chip_share_what_it_can_do():
    """Of tpu7x a chip shows two devices: both move their bytes through the same memory and links."""
    topology = slices("tpu7x:2x2x1", chips=4)
    assert len(topology.devices) == 8
    assert topology.chips == 4
    found = of_training(topology)
    assert found.compute == pytest.approx(400e12 / (4 * 2307e12))
    assert found.memory == pytest.approx(2 * 2 * 6 * GIB / 7380e9)
    assert found.interconnect == pytest.approx(2 * 2e9 / 600e9)
    assert found.network == pytest.approx(2 * 4e7 / 12.5e9)


def test_a_rollout_reads_its_world_at_every_tick():
    of = result(program("rollout", rows=8, data=4), parameters=1, ring=2, memory=0.5, results=4, working_memory=3)
    topology = slices()
    found = roofline(of, topology.peaks, topology.chips)
    assert found.memory == pytest.approx((64 * 3.5 + 4) * GIB / 819e9)
    assert (found.interconnect, found.network) == (0, 0)
    assert found.frames == 8 * 64


PARTS = {"compute": 0.5, "memory": 0.25, "interconnect": 0.125, "network": 0.0625}


@pytest.mark.parametrize("part", PARTS)
def test_the_slowest_part_bounds_all(part):
    line = Roofline(**PARTS | {part: 2.0}, frames=1000, model_flops=300, peak_flops=600.0)
    assert (line.seconds, line.bound) == (2.0, part)
    assert line.frames_per_second == 500
    assert line.utilization == 0.25


def test_what_is_computed_twice_is_no_use():
    line = of_training(slices("v5e:2x2", chips=4, count=2))
    computed = dataclasses.replace(line, memory=0.0, interconnect=0.0, network=0.0)
    assert computed.utilization == pytest.approx(0.5)


def test_a_run_costs_what_its_chips_take_for_its_steps():
    """A thousand steps of 3.6 s are an hour, of 8 chips."""
    line = Roofline(**PARTS | {"compute": 3.6}, frames=1, model_flops=1, peak_flops=1.0)
    topology = slices("v5e:2x2", chips=4, count=2)
    assert Price(chip_hour=1.5, steps=1000).cost(line, topology) == pytest.approx(8 * 1.5)
    # Paid by the chip, whatever devices it shows.
    assert Price(chip_hour=1.5, steps=1000).cost(line, slices("tpu7x:2x2x1", chips=4)) == pytest.approx(4 * 1.5)
