"""Meshes: shapes, slices, and what cannot be."""

import math

import jax
import pytest

from oyster_jax.parallel.mesh import AXES, MeshConfig, MeshError, batch_ways
from tests.parallel.devices import on_eight_devices


@pytest.mark.parametrize(
    ("config", "devices", "shape"),
    [
        (MeshConfig(), 1, (1, 1, 1, 1)),
        (MeshConfig(), 8, (1, 8, 1, 1)),
        (MeshConfig(fsdp=4), 8, (1, 2, 4, 1)),
        (MeshConfig(data=2, tensor=4), 8, (1, 2, 1, 4)),
        (MeshConfig(slices=2, fsdp=16, tensor=8), 512, (2, 2, 16, 8)),
    ],
)
def test_data_takes_the_devices_that_are_left(config, devices, shape):
    assert config.shape(devices) == shape


@pytest.mark.parametrize(
    ("config", "devices"), [(MeshConfig(fsdp=3), 8), (MeshConfig(data=2), 1), (MeshConfig(fsdp=16), 8)]
)
def test_devices_that_do_not_come_out_even_are_refused(config, devices):
    with pytest.raises(MeshError, match=rf"There are {devices} devices, which .* do not use up"):
        config.shape(devices)


@pytest.mark.parametrize(
    ("asked", "devices", "fitting"),
    [
        (MeshConfig(fsdp=4, tensor=2), 16, MeshConfig(fsdp=4, tensor=2)),
        (MeshConfig(fsdp=4, tensor=2), 8, MeshConfig(fsdp=4, tensor=2)),
        (MeshConfig(fsdp=4, tensor=2), 4, MeshConfig(fsdp=2, tensor=2)),
        (MeshConfig(fsdp=4, tensor=2), 2, MeshConfig(tensor=2)),
        (MeshConfig(fsdp=4, tensor=2), 1, MeshConfig()),
        (MeshConfig(data=8), 2, MeshConfig(data=2)),
        (MeshConfig(slices=2, fsdp=16), 16, MeshConfig(fsdp=16)),
        (MeshConfig(fsdp=4, tensor=6), 8, MeshConfig(fsdp=4, tensor=2)),
    ],
)
def test_a_mesh_shrinks_from_the_outside_in_to_the_devices_that_there_are(asked, devices, fitting):
    assert asked.fitting(devices) == fitting
    assert math.prod(asked.fitting(devices).shape(devices)) == devices


@pytest.mark.parametrize("devices", [3, 5, 6, 7])
def test_a_mesh_does_not_shrink_to_devices_that_do_not_come_out_even(devices):
    with pytest.raises(MeshError, match=f"{devices} devices, to which fsdp 4, tensor 2 cannot shrink"):
        MeshConfig(fsdp=4, tensor=2).fitting(devices)


def test_more_devices_than_a_mesh_takes_are_no_reason_to_shrink_it():
    config = MeshConfig(fsdp=4)
    assert config.fitting(6) == config
    with pytest.raises(MeshError, match="6 devices, which fsdp 4 do not use up"):
        config.shape(6)


def test_nothing_is_cut_less_than_one_way():
    with pytest.raises(MeshError, match="at least one way along tensor"):
        MeshConfig(tensor=0)


def test_one_device_makes_a_mesh():
    mesh = MeshConfig().build()
    assert mesh.axis_names == AXES
    assert batch_ways(mesh) == mesh.size == 1


def test_eight_devices_lie_as_asked():
    found = on_eight_devices(
        """
        from oyster_jax.parallel.mesh import MeshConfig, batch_ways
        found = {}
        for name, config in {"slices": MeshConfig(slices=2, tensor=2), "fsdp": MeshConfig(fsdp=8)}.items():
            mesh = config.build()
            ids = [device.id for device in mesh.devices.ravel()]
            types = [str(kind) for kind in mesh.axis_types]
            found[name] = [list(mesh.devices.shape), ids, batch_ways(mesh), types]
        """
    )
    assert found["slices"] == [[2, 2, 1, 2], list(range(8)), 4, ["AxisType.Auto"] * 4]
    assert found["fsdp"] == [[1, 1, 8, 1], list(range(8)), 8, ["AxisType.Auto"] * 4]


def test_more_slices_than_the_devices_lie_in_are_refused():
    with pytest.raises(MeshError, match="do not use up"):
        MeshConfig(slices=2).build(jax.devices()[:1])


def test_all_devices_of_a_slice_exchange_in_two_steps():
    found = on_eight_devices(
        """
        from oyster_jax.parallel.mesh import MeshConfig, in_steps
        found = {}
        for name, config in {
            "fsdp": MeshConfig(fsdp=8), "tensor": MeshConfig(fsdp=2, tensor=4), "slices": MeshConfig(slices=2, fsdp=4),
            "copies": MeshConfig(data=2, fsdp=4), "one axis": MeshConfig(tensor=8), "no cuts": MeshConfig(data=8),
        }.items():
            steps = in_steps(config.build())
            found[name] = steps and [dict(steps.shape), [device.id for device in steps.devices.ravel()]]
        """
    )
    in_order = list(range(8))
    assert found == {
        "fsdp": [{"slice": 1, "data": 1, "far": 2, "near": 4}, in_order],
        "tensor": [{"slice": 1, "data": 1, "far": 2, "near": 4}, in_order],
        "slices": [{"slice": 2, "data": 1, "far": 2, "near": 2}, in_order],
        "copies": None,
        "one axis": None,
        "no cuts": None,
    }
