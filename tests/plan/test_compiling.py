"""What the compiler says where a program is too large, in its own words."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from oyster_jax.plan.compiling import compiled, too_large
from oyster_jax.plan.topology import exceeded
from tests.plan.results import GIB, program, slices

#: What libtpu 0.0.50 answers on a v5e to the sum of two arrays of 8 GiB: with their sum they take 24.
MESSAGE = (Path(__file__).parent / "out_of_memory.txt").read_text()


def whole(gib):
    """An array that lies whole on one device."""
    where = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.ShapeDtypeStruct((round(gib * GIB / 4),), jnp.float32, sharding=where)


def test_the_compiler_tells_how_much_it_needs_and_has():
    assert exceeded(MESSAGE) == (24 * GIB, round(15.75 * GIB))


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("(512) exceeds available HBM (2.5K)", (512, 2560)),
        ("(2.00T) exceeds available HBM (31.25M)", (2**41, 2**15 * 1000)),
    ],
)
def test_sizes_of_all_units_are_read(told, read):
    assert exceeded(f"RESOURCE_EXHAUSTED: total memory required {told}. HLO module: jit_step.") == read


@pytest.mark.parametrize("message", ["", "INVALID_ARGUMENT: 24.00G", "RESOURCE_EXHAUSTED: vmem (2.00M) exceeds 1.00M"])
def test_other_errors_are_left_to_others(message):
    assert exceeded(message) is None
    assert too_large(program(), message, seconds=1.0) is None


def test_what_is_known_without_the_compiler_is_told_apart():
    of = program(arguments={"parameters": whole(8), "batch": whole(2)}, gradients=4 * GIB, activations=3 * GIB)
    found = too_large(of, MESSAGE, seconds=2.0)
    assert found is not None
    assert found.memory == {
        "parameters": 8 * GIB,
        "batch": 2 * GIB,
        "gradients": 4 * GIB,
        "activations": 3 * GIB,
        "working memory": 7 * GIB,
    }
    assert (found.fits, found.exchanges, found.executable, found.seconds) == (False, [], None, 2.0)
    assert (found.needed, found.usable, found.share) == (24 * GIB, round(15.75 * GIB), pytest.approx(24 / 15.75))


def test_needed_is_what_the_compiler_said_though_more_was_expected():
    """It may share the room of what the table of shardings counts twice."""
    of = program(arguments={"parameters": whole(8)}, gradients=10 * GIB, activations=10 * GIB)
    found = too_large(of, MESSAGE, seconds=2.0)
    assert found is not None
    assert found.memory == {"parameters": 8 * GIB, "gradients and activations": 16 * GIB}
    assert found.needed == 24 * GIB


@pytest.fixture(scope="module")
def small():
    """A state that is multiplied by parameters and used up; compiled for a processor, which says as much of memory."""
    of = program(
        lower=lambda: jax.jit(step, donate_argnums=1).lower(whole(2**-10), whole(2**-9), whole(2**-9)),
        arguments={"parameters": whole(2**-10), "memory": whole(2**-9), "batch": whole(2**-9)},
        model_flops=1,
        device_flops=1,
    )
    return compiled(of, dataclasses.replace(slices(chips=1), devices=tuple(jax.devices()[:1])))


def step(params, state, batch):
    """Returns a state, and something as large as a half of it."""
    later = jnp.sort(state + batch) * jnp.tile(params, 2)
    return later, later[: len(params)] + 1


def test_what_is_compiled_is_told_by_category(small):
    assert (small.fits, small.usable, small.exchanges) == (True, 16 * GIB, [])
    sizes = dict(small.memory)
    assert [sizes.pop(name) for name in ("parameters", "memory", "batch")] == [2**20, 2**21, 2**21]
    # Of both results the larger takes the place of the state; a table of two addresses comes on top.
    assert sizes.pop("results") == pytest.approx(2**20, abs=64)
    assert sizes.keys() <= {"working memory", "code"}
    assert small.needed == sum(small.memory.values())
    assert small.share == small.needed / (16 * GIB)
    assert small.seconds > 0


def test_gradients_and_activations_are_not_told_apart_where_they_take_less_than_expected(small):
    of = dataclasses.replace(small.program, gradients=GIB, activations=GIB)
    found = compiled(of, dataclasses.replace(slices(chips=1), devices=tuple(jax.devices()[:1])))
    assert "gradients" not in found.memory
    assert found.needed == small.needed


def test_errors_of_another_kind_are_not_swallowed(small):
    def refuse():
        raise jax.errors.JaxRuntimeError("INVALID_ARGUMENT: no such instruction")

    with pytest.raises(jax.errors.JaxRuntimeError, match="no such instruction"):
        compiled(dataclasses.replace(small.program, lower=refuse), slices())


def test_a_compiler_without_room_is_understood(small):
    def refuse():
        raise jax.errors.JaxRuntimeError(MESSAGE)

    found = compiled(dataclasses.replace(small.program, lower=refuse), slices())
    assert (found.fits, found.needed) == (False, 24 * GIB)
    # What memory there is the compiler itself knows best.
    assert found.usable == round(15.75 * GIB)
