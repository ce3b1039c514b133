"""A world network as JSON: its configurations by name, and back."""

import dataclasses
from typing import Any

from oyster_jax.core.spec import WorldSpec
from oyster_jax.models.camera import CameraConfig
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.heads import HeadsConfig
from oyster_jax.models.painter import PainterConfig
from oyster_jax.models.sampler import SamplerConfig
from oyster_jax.models.spatial_map import MapConfig
from oyster_jax.models.structure import StructureConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.models.world_model import WorldNetwork


def network_to_json(network: WorldNetwork) -> dict[str, Any]:
    """Returns a JSON-ready dict without the spec; `network_from_json` is its inverse."""
    data = {name: dataclasses.asdict(getattr(network, name)) for name in ("tokenizer", "dynamics", "sampler")}
    # Worlds of frames and actions alone are described, and known by their digest, as before there was any other.
    if network.tokenizer.structure is None:
        del data["tokenizer"]["structure"]
    for name in ("events", "posterior", "fine_head", "fine_current"):
        if not data["dynamics"][name]:
            del data["dynamics"][name]
    if not network.guided:
        del data["sampler"]["guidance"]
    if network.sampler.known is None:
        del data["sampler"]["known"]
    return data if network.painter is None else data | {"painter": dataclasses.asdict(network.painter)}


def network_from_json(data: dict[str, Any], spec: WorldSpec) -> WorldNetwork:
    """Rebuilds a network from `network_to_json`.

    Raises:
      ValueError: a field is missing or unknown, or the parts do not fit together.
    """
    try:
        readouts = data["dynamics"]["readouts"]
        canvas, camera = data["dynamics"].get("map"), data["dynamics"].get("camera")
        parts = {
            "readouts": HeadsConfig(**readouts | {"entity_types": tuple(readouts["entity_types"])}),
            "map": MapConfig(**canvas) if canvas else None,
            "camera": CameraConfig(**camera) if camera else None,
        }
        known = StructureConfig.from_json(data["tokenizer"].get("structure"))
        return WorldNetwork(
            spec=spec,
            tokenizer=TokenizerConfig(**data["tokenizer"] | {"structure": known}),
            dynamics=DynamicsConfig(**data["dynamics"] | parts),
            sampler=SamplerConfig(**data["sampler"]),
            painter=PainterConfig.from_json(data.get("painter"), spec),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"This is not the description of a world model: {error!r}.") from error
