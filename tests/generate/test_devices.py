"""Blocks on few devices and on many, and blocks that several devices share."""

import pytest

from tests.parallel.devices import on_eight_devices


@pytest.fixture(scope="module")
def found():
    return on_eight_devices(
        """
        import numpy as np
        from oyster_jax.generate.devices import Blocks, of_blocks
        from oyster_jax.generate.episodes import Kept
        from oyster_jax.generate.policies import make_policy
        from oyster_jax.generate.starts import Dreams
        from oyster_jax.testing import tiny_without_map
        from oyster_jax.tree import tree_bytes

        model, params = tiny_without_map(steps=1)
        policy, kept = make_policy("sticky", model.spec.action), Kept(beyond=True, latents=True)
        indices = np.arange(8, dtype=np.int32).reshape(4, 2)

        def played(devices, tensor):
            blocks = Blocks(
                model, params, policy, Dreams(), seed=3, kept=kept, devices=jax.devices()[:devices], tensor=tensor
            )
            begun = blocks.begin(indices)
            memory = blocks.lowered(3, begun).compile().memory_analysis()
            sizes = {"state": tree_bytes(begun) // blocks.count, "shared": memory.alias_size_in_bytes}
            later, first = blocks.play(begun, 3)
            # What it returns can be given to it again.
            _, second = blocks.play(later, 3)
            rows = {
                name: np.concatenate([np.stack(of_blocks(first[name])), np.stack(of_blocks(second[name]))], 2)
                for name in first
            }
            kernel = blocks._whole[0]["dynamics"]["trunk"]["layers"]["first"]["inward"]["kernel"]
            sizes |= {"blocks": blocks.count, "given up": begun.world.latent.is_deleted()}
            sizes |= {"part": kernel.addressable_shards[0].data.size / kernel.size}
            return rows, sizes

        alone, one = played(4, 1)
        shared, two = played(8, 2)
        found = {
            "one": one,
            "two": two,
            "shapes": {name: list(array.shape) for name, array in shared.items()},
            "same shapes": all(shared[name].shape == alone[name].shape for name in alone),
            "actions": bool((shared["actions"] == alone["actions"]).all()),
            "latents": float(np.abs(shared["latents"].astype(float) - alone["latents"]).max()),
            "moving": float(np.abs(np.diff(alone["latents"].astype(float), axis=2)).max()),
        }
        """
    )


def test_devices_that_share_blocks_cut_the_parameters_among_them(found):
    assert (found["one"]["blocks"], found["one"]["part"]) == (4, 1.0)
    assert (found["two"]["blocks"], found["two"]["part"]) == (4, 0.5)


def test_they_play_what_one_device_plays(found):
    """Sums are split: latents, in (-1, 1) and kept in float16, differ in their last bits."""
    assert found["same shapes"]
    assert found["shapes"]["actions"] == [4, 2, 6]
    assert found["actions"]
    assert found["latents"] < 2e-3 < found["moving"]


@pytest.mark.parametrize("how", ["one", "two"])
def test_playing_on_uses_the_state_up(found, how):
    sizes = found[how]
    assert sizes["given up"]
    assert sizes["shared"] >= 0.9 * sizes["state"]
