import dataclasses
import json

import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import Manifest, Shard, split_of
from tests.data.synthetic import PROVENANCE
from tests.models.structured import SPEC


@pytest.mark.parametrize(
    ("levels", "split"),
    [
        ((0, 1), "training"),
        ((0, 1_000_000), "training"),
        ((1_000_000, 1_000_001), "held-out"),
        ((5**10, 5**11), "held-out"),
    ],
)
def test_levels_belong_to_one_split(levels, split):
    assert split_of(*levels) == split


def test_levels_of_both_splits_are_refused():
    with pytest.raises(DatasetError, match="straddle level 1000000"):
        split_of(999_999, 1_000_001)


@pytest.mark.parametrize("levels", [(-1, 5), (5, 5), (7, 3)])
def test_levels_that_are_no_range_are_refused(levels):
    with pytest.raises(DatasetError, match="no range"):
        split_of(*levels)


def test_held_out_levels_cannot_be_called_training():
    with pytest.raises(DatasetError, match="belong to the held-out split"):
        dataclasses.replace(PROVENANCE, levels=(1_000_000, 1_000_010))


def test_a_manifest_survives_json():
    shard = Shard(name="episodes-00000.array_record", bytes=10, sha256="ab", lengths=(3, 4))
    manifest = Manifest(provenance=PROVENANCE, content=("actions", "frames"), shards=(shard, shard))
    data = json.loads(json.dumps(manifest.to_json()))
    assert (data["episodes"], data["frames"]) == (4, 14)
    assert Manifest.from_json(data) == manifest


def test_only_what_older_programs_cannot_read_has_a_newer_version():
    """A recording of frames alone is described as ever; one with structure says that it is more."""
    plain = Manifest(provenance=PROVENANCE, content=("actions",), shards=()).to_json()
    assert plain["schema_version"] == 1
    assert set(plain["spec"]) == {"name", "frame", "action", "entity"}
    assert set(plain["spec"]["entity"]) == {"capacity", "fields"}
    structured = Manifest(
        provenance=dataclasses.replace(PROVENANCE, spec=SPEC), content=("actions", "tiles"), shards=()
    )
    data = json.loads(json.dumps(structured.to_json()))
    assert data["schema_version"] == 2
    assert Manifest.from_json(data) == structured
