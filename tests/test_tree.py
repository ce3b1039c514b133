"""The fingerprint of a pytree: the same wherever its leaves lie, another for any changed bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.tree import tree_fingerprint
from tests.parallel.devices import on_eight_devices

TREE = {
    "f32": jax.random.normal(jax.random.key(0), (7, 12)),
    "bf16": jax.random.normal(jax.random.key(1), (40,)).astype(jnp.bfloat16),
    "uint8": jnp.arange(9, dtype=jnp.uint8),
    "flags": jnp.array([True, False, True]),
    "step": jnp.int32(5),
    "key": jax.random.key(2),
}


@pytest.mark.parametrize("name", ["f32", "bf16", "uint8"])
def test_any_one_bit_changes_it(name):
    before, data = tree_fingerprint(TREE), np.asarray(TREE[name])
    generator = np.random.default_rng(0)
    for _ in range(20):
        broken = bytearray(data.tobytes())
        broken[generator.integers(len(broken))] ^= 1 << generator.integers(8)
        leaf = jnp.asarray(np.frombuffer(bytes(broken), data.dtype).reshape(data.shape))
        assert tree_fingerprint(TREE | {name: leaf}) != before


def test_names_shapes_and_places_count():
    x = jnp.arange(6.0)
    other = [{"y": x}, {"x": x.reshape(2, 3)}, {"x": x[::-1]}, {"x": x.astype(jnp.int32)}, {"x": x, "z": x[:0]}]
    assert len({tree_fingerprint(tree) for tree in [{"x": x}, *other]}) == 6
    assert tree_fingerprint({"x": x}) == tree_fingerprint({"x": jnp.arange(6.0)})
    assert tree_fingerprint(TREE | {"key": jax.random.key(3)}) != tree_fingerprint(TREE)
    assert tree_fingerprint(TREE | {"flags": ~TREE["flags"]}) != tree_fingerprint(TREE)


def test_it_is_the_same_on_any_mesh():
    found = on_eight_devices(
        """
        from jax.sharding import NamedSharding, PartitionSpec as P
        from oyster_jax.parallel.mesh import MeshConfig
        from oyster_jax.tree import tree_fingerprint

        x = jax.random.bits(jax.random.key(0), (16, 8))
        mesh = MeshConfig(fsdp=2, tensor=4).build()
        cut = [jax.device_put(x, NamedSharding(mesh, spec)) for spec in (P(), P("fsdp", "tensor"), P(None, "fsdp"))]
        found = [tree_fingerprint({"x": one}) for one in [x, *cut]]
        """
    )
    assert len(set(found)) == 1
    x = jax.random.bits(jax.random.key(0), (16, 8))
    assert found[0] == tree_fingerprint({"x": x})
