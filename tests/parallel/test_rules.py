"""What is cut along which axis."""

import jax
import jax.numpy as jnp

from oyster_jax.parallel import rules
from oyster_jax.parallel.mesh import MeshConfig
from tests.parallel.devices import on_eight_devices


def test_without_a_mesh_nothing_is_said():
    x = jnp.ones((2, 3))
    assert rules.constrain(x, None, "heads") is x
    assert rules.ways("heads") == 1
    with rules.on(MeshConfig().build(jax.devices()[:1])):
        assert rules.constrain(x, "batch", "heads") is x


def test_who_is_cut_where():
    found = on_eight_devices(
        """
        import jax.numpy as jnp
        from oyster_jax.parallel import rules
        from oyster_jax.parallel.mesh import MeshConfig

        shapes = {
            "trunk": {"inward": {"kernel": (2, 16, 112)}, "outward": {"kernel": (2, 80, 16)}},
            "embed": {"kernel": (6, 16), "bias": (16,)},
            "odd": {"kernel": (5, 7)},
            "place": (16, 16),
        }
        is_shape = lambda x: isinstance(x, tuple)
        params = jax.tree.map(lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32), shapes, is_leaf=is_shape)
        mesh = MeshConfig(fsdp=2, tensor=4).build()
        parts = lambda tree: jax.tree.map(lambda sharding: str(sharding.spec), tree)
        found = {
            "params": parts(rules.param_shardings(mesh, params)),
            "updates": parts(rules.update_shardings(mesh, {"moments": params})["moments"]),
            "batch": str(rules.batch_sharding(mesh).spec),
        }
        """
    )
    assert found["params"]["trunk"] == {
        "inward": {"kernel": "P(None, ('fsdp', 'tensor'), None)"},
        "outward": {"kernel": "P(None, None, ('fsdp', 'tensor'))"},
    }
    # Six rows come out even two ways, not eight; five not at all.
    assert found["params"]["embed"] == {"kernel": "P('fsdp', None)", "bias": "P(None,)"}
    assert found["params"]["odd"] == {"kernel": "P(None, None)"}
    assert found["params"]["place"] == "P(None, None)"
    # Updates are cut along the longer side.
    assert found["updates"]["trunk"] == {
        "inward": {"kernel": "P(None, None, ('fsdp', 'tensor'))"},
        "outward": {"kernel": "P(None, ('fsdp', 'tensor'), None)"},
    }
    assert found["updates"]["embed"]["kernel"] == "P(None, ('fsdp', 'tensor'))"
    assert found["batch"] == "P(('slice', 'data', 'fsdp'),)"
