import hashlib
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from oyster_jax.testing import tiny_model
from oyster_jax.tree import named_leaves
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.storage import save_world
from tests.worlds.conftest import RECORD


def edit_record(folder, **changes):
    path = folder / "world.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def exchange_weights(folder, data):
    """Puts other weights into a world, with a record that vouches for them."""
    (folder / "weights.safetensors").write_bytes(data)
    weights = json.loads((folder / "world.json").read_text())["weights"]
    edit_record(folder, weights=weights | {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)})


def refusal(folder):
    with pytest.raises(WorldError) as caught:
        load(folder)
    return str(caught.value)


def as_stored(params):
    return {name: np.asarray(leaf, jnp.bfloat16) for name, leaf in named_leaves(params).items()}


def test_a_stored_world_comes_back(world, params):
    assert world.model == tiny_model()
    expected = as_stored(params)
    found = named_leaves(world.params)
    assert found.keys() == expected.keys()
    for name, leaf in expected.items():
        assert found[name].dtype == jnp.float32
        np.testing.assert_array_equal(found[name], leaf.astype(np.float32), err_msg=name)
    assert {name: world.record[name] for name in RECORD} == RECORD
    assert world.record["weights"]["parameters"] == sum(leaf.size for leaf in jax.tree.leaves(world.params))


def test_parameters_are_kept_in_the_dtype_asked_for(stored_world):
    params = load(stored_world, dtype="bfloat16").params
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("bfloat16")}
    with pytest.raises(WorldError, match="not as 'int8'"):
        load(stored_world, dtype="int8")


def test_saving_again_replaces_the_weights_and_keeps_the_card(copied_world, other_params):
    (copied_world / "CARD.md").write_text("A card.")
    save_world(copied_world, tiny_model(), other_params, RECORD | {"name": "other"})
    again = load(copied_world)
    assert again.name == "other"
    name = "tokenizer.encoder.embed.kernel"
    np.testing.assert_array_equal(named_leaves(again.params)[name], as_stored(other_params)[name].astype(np.float32))
    assert {path.name for path in copied_world.iterdir()} == {"CARD.md", "weights.safetensors", "world.json"}


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_flipped_byte_in_the_weights_is_found(copied_world, place):
    path = copied_world / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x10
    path.write_bytes(data)
    sentence = refusal(copied_world)
    assert str(path) in sentence
    assert "sha256" in sentence


@pytest.mark.parametrize("file", ["weights.safetensors", "world.json"])
def test_a_truncated_file_is_found(copied_world, file):
    path = copied_world / file
    path.write_bytes(path.read_bytes()[:-7])
    assert str(path) in refusal(copied_world)


@pytest.mark.parametrize("file", ["weights.safetensors", "world.json"])
def test_a_missing_file_is_found(copied_world, file):
    (copied_world / file).unlink()
    assert str(copied_world / file) in refusal(copied_world)


def test_another_schema_version_is_refused(copied_world):
    edit_record(copied_world, schema_version=2)
    sentence = refusal(copied_world)
    assert str(copied_world / "world.json") in sentence
    assert "version 2" in sentence


def test_weights_of_another_model_are_refused(copied_world):
    exchange_weights(copied_world, safetensors.numpy.save({"bert.weight": np.zeros((2, 3), np.float32)}))
    sentence = refusal(copied_world)
    assert str(copied_world / "weights.safetensors") in sentence
    assert "bert.weight" in sentence


def test_what_is_no_safetensors_file_is_refused(copied_world):
    exchange_weights(copied_world, b"PK\x03\x04 a foreign file")
    assert str(copied_world / "weights.safetensors") in refusal(copied_world)


@pytest.mark.parametrize("change", [lambda leaf: leaf[..., :-1], lambda leaf: leaf.astype(np.float32)])
def test_a_weight_of_another_shape_or_dtype_is_refused(copied_world, params, change):
    stored = as_stored(params)
    name = "tokenizer.encoder.embed.kernel"
    exchange_weights(copied_world, safetensors.numpy.save(stored | {name: np.ascontiguousarray(change(stored[name]))}))
    sentence = refusal(copied_world)
    assert str(copied_world / "weights.safetensors") in sentence
    assert name in sentence


def test_weights_of_another_run_are_refused(copied_world, other_params):
    exchange_weights(copied_world, safetensors.numpy.save(as_stored(other_params)))
    assert "digest" in refusal(copied_world)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"digest": None}, "digest"),
        ({"weights": {"file": "weights.safetensors"}}, "weights.sha256"),
        ({"weights": {"file": "../a", "sha256": "", "bytes": 1, "dtype": "", "parameters": 1}}, "'../a'"),
        ({"model": {"tokenizer": {}}}, "model"),
        ({"spec": {"name": "tiny"}}, "model"),
    ],
)
def test_a_record_that_describes_no_world_is_refused(copied_world, changes, named):
    edit_record(copied_world, **changes)
    sentence = refusal(copied_world)
    assert str(copied_world / "world.json") in sentence
    assert named in sentence
