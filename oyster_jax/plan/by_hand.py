"""What a device holds, by hand from a configuration: what a plan's figures, and a compiler's, are held against.

Nothing here looks at a shape or a trace. Matrices count exactly; what is small beside them is put down in round terms.
"""

from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.train.experiment import ExperimentConfig

#: Bytes of masters, moments, averages, gradients and residual streams, and of what is multiplied.
_WHOLE, _HALF = 4, 2


def matrices(config: DynamicsConfig) -> int:
    """Returns how many numbers are in all kernels of a dynamics without map, entities and fine head."""
    width, inputs = config.features, config.channels * config.merge**2
    memory = config.memory_heads * config.memory_features
    # Query and out; keys and values, and two gates a head.
    of_memory = 2 * width * memory + width * (2 * memory + 2 * config.memory_heads)
    levels = 3 * 16 * width
    ends = (5 if config.posterior else 4) * inputs * width
    # Queries, keys, values and four widths of hidden features in; one and four out.
    return layers(config) * 12 * width**2 + config.groups * of_memory + levels + ends + 2 * width


def layers(config: DynamicsConfig) -> int:
    """Returns how many blocks of attention and MLP a dynamics has."""
    return config.groups * (1 + config.space_layers) + config.head_depth


def others(config: DynamicsConfig) -> int:
    """Returns how many numbers are in its biases, places and embeddings."""
    width, inputs = config.features, config.channels * config.merge**2
    rows = 1 + config.coarse + config.registers + config.actions + 2
    said = (2 if config.posterior else 1) * inputs
    return rows * width + said + 2 + config.groups * 2 * config.memory_heads


def tokenizer(config: TokenizerConfig) -> int:
    """Returns how many numbers a tokenizer has."""
    width, patch = config.features, 3 * config.patch**2
    depth = config.encoder_depth + config.renderer_depth
    ends = 2 * (patch + config.channels) * width + 2 * width + patch + config.channels
    return depth * 12 * width**2 + ends + 2 * config.tokens * width + width


def training(experiment: ExperimentConfig, *, ways: int, rows: int, ticks: int) -> dict[str, int]:
    """Returns the bytes that a device holds of a training step, by category, named as in `Program.arguments`.

    For a dynamics that Muon trains and whose layers are computed again on the way back.

    Args:
      experiment: what is trained.
      ways: parts that the state is cut into.
      rows: windows of the device, which shares them with no other.
      ticks: of a window.
    """
    config = experiment.dynamics
    cut, whole = matrices(config) // ways, others(config)
    params = _WHOLE * (cut + whole)
    # The last norm keeps its input and output, and what the last product reads; of places only.
    last = (2 * _WHOLE + _HALF) * ticks * config.coarse
    return {
        "parameters": params,
        "average": params,
        # Muon keeps one number for each of a matrix, AdamW two for each of the rest.
        "optimizer": _WHOLE * (cut + 2 * whole),
        "gradients": params,
        "activations": streams(config, rows=rows, ticks=ticks) + rows * config.features * last,
    }


def streams(config: DynamicsConfig, *, rows: int, ticks: int) -> int:
    """Returns the bytes of the residual streams that layers keep of windows for the way back, all but the last norm's.

    One a layer of each stack: the trunk's of all ticks, the head's of all but the first, both of one dreamt frame more.
    """
    kept = config.groups * (ticks + 1) + config.head_depth * ticks
    return _WHOLE * rows * kept * (config.coarse + config.registers) * config.features


def rollout(experiment: ExperimentConfig, *, worlds: int) -> dict[str, int]:
    """Returns the bytes that a device holds of a batched rollout, by category, named as in `Program.arguments`.

    Args:
      experiment: whose world is rolled out; its parameters lie whole on the device.
      worlds: of the device.
    """
    config = experiment.dynamics
    # Keys and values of every slot in bfloat16, and the latent before.
    keys = config.groups * config.window * 2 * (config.coarse + config.registers) * config.features
    return {
        "parameters": _WHOLE * (matrices(config) + others(config) + tokenizer(experiment.tokenizer)),
        "ring": worlds * (_HALF * keys + _WHOLE * config.tokens * config.channels),
        "memory": worlds * config.groups * config.memory_heads * config.memory_features**2 * _WHOLE,
    }
