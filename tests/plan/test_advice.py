"""What a plan advises, held against what its own figures say of the advice."""

import pytest

from oyster_jax.plan.advice import verdict
from tests.plan.results import program, result


def advised(of, **gib):
    return verdict(result(of, **gib))


def test_what_fits_is_told_with_what_it_takes():
    assert advised(program(), parameters=3, working_memory=1) == "It fits: 4.00 of 16.00 GiB a device, 25 %."


def test_what_fits_only_just_is_told_what_would_be_safe():
    """Of 8 windows a device 7 take 2 + 13 · 7/8 = 13.4 of the 14.4 GiB that are safe."""
    assert advised(program(rows=32, fsdp=4), parameters=2, working_memory=13) == (
        "It fits only just: it needs 15.00 of the 16.00 GiB of a device, 94 %; to be safe, give each device fewer "
        "windows with --batch 28."
    )


def test_a_state_that_is_too_large_is_cut_up_just_as_far_as_it_takes():
    """In two parts the state would take 16 + 4 GiB, in four 8 + 4."""
    of = program(rows=128, data=8, fsdp=2)
    assert advised(of, parameters=8, average=8, optimizer=8, gradients=8, activations=4) == (
        "It does not fit: it needs 36.00 of the 16.00 GiB of a device, 20.00 too many; cut the state 4 times further "
        "with --mesh.fsdp 8."
    )


@pytest.mark.parametrize("copies", [4, 6])
def test_a_state_that_is_too_large_all_the_same_is_cut_over_all_copies(copies):
    of = program(rows=96, data=copies, fsdp=2)
    found = advised(of, parameters=100, activations=12)
    assert f"cut the state {copies} times further with --mesh.fsdp {2 * copies}." in found


def test_windows_are_fewer_where_it_is_they_that_take_most():
    """Of 16 windows a device 9 take 2 + 20 · 9/16 = 13.25 GiB, and 10 take 14.5."""
    assert "fewer windows with --batch 72." in advised(program(rows=128, data=8), parameters=2, activations=20)


def test_gradients_that_share_their_room_with_activations_count_as_what_windows_take():
    found = advised(program(rows=128, data=8), parameters=2, gradients_and_activations=20)
    assert "fewer windows with --batch 72." in found


def test_what_is_kept_for_the_way_back_comes_after_the_last_window():
    found = advised(program(rows=4, fsdp=4), parameters=2, activations=20)
    assert "keep less for the way back with layers=LayersConfig(recompute='everything')" in found


@pytest.mark.parametrize(("tensor", "advice"), [(1, "--mesh.tensor 2, or try --sweep"), (2, "--mesh.tensor 4, or")])
def test_layers_are_cut_where_nothing_less_helps(tensor, advice):
    of = program(rows=4, fsdp=4, tensor=tensor, recompute="everything")
    assert f"cut the layers, too, with {advice}" in advised(of, parameters=2, activations=20)


def test_more_chips_come_last():
    of = program(rows=4, fsdp=4, tensor=4, recompute="everything")
    assert advised(of, parameters=2, activations=20).endswith("; take more chips or chips with more memory.")


def test_rollouts_are_of_fewer_worlds():
    """Of 8 worlds a device 3 take 4 + 24 · 3/8 = 13 GiB, and 4 take 16."""
    found = advised(program("rollout", rows=32, data=4), parameters=4, ring=20, memory=4)
    assert found == (
        "It does not fit: it needs 28.00 of the 16.00 GiB of a device, 12.00 too many; roll out fewer worlds with "
        "--worlds 12."
    )


@pytest.mark.parametrize("tensor", [1, 4])
def test_worlds_too_large_for_a_device_are_shared(tensor):
    of = program("rollout", rows=8, data=2, tensor=tensor)
    found = advised(of, parameters=20, ring=1)
    assert found.endswith(f"; share each world among more devices with --rollout-tensor {2 * tensor}.")
