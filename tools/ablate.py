"""Trains dynamics that differ in one thing with the same operations, and compares them on held-out levels.

    tools/ablate                              # all variants of configs/coinrun_ablations.py
    tools/ablate --only plain fine-head       # some
    tools/ablate --print                      # trains nothing; the table of what is there

The latents are those of the tokenizer of an installed world, encoded once, or of the variant's own, which is trained
first: all of them on as many frames. An update of one variant costs other operations than one of another: each gets as
many updates as cost what the first one's do. Then it lives beside the recording of held-out levels, once with the
expected latent and once drawn in four steps. Kill it at any moment and give the same command again: it goes on where it
was.
"""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import studies
import tyro

from oyster_jax.cli.errors import UsageError
from oyster_jax.cli.train import load_config
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.record import RecordConfig
from oyster_jax.evaluate.fidelity import psnr
from oyster_jax.evaluate.open_loop import CEILING, COPY_LAST, MODEL, OpenLoopConfig, measure_open_loop
from oyster_jax.files import write_whole
from oyster_jax.models.sampler import SamplerConfig
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.parallel.tpu import quiet_without_tpu
from oyster_jax.train.dynamics import dynamics_stage
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.loop import Stage, StoppedError, fit
from oyster_jax.train.tokenizer import tokenizer_stage
from oyster_jax.typing import Params
from oyster_jax.worlds.registry import data_home, load

ROOT = Path(__file__).resolve().parents[1]

RESULT = "result.json"

#: Open-loop ticks at which variants are compared.
HORIZONS = (1, 4, 8)

#: Denoising steps a tick; 1 takes the expected latent.
STEPS = (1, 4)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Trains variants of a dynamics with the same operations, and compares them."""

    config: Path = ROOT / "configs" / "coinrun_ablations.py"
    """File with VARIANTS and `get_config(variant)`."""
    only: tuple[str, ...] = ()
    """Which variants; all unless given."""
    world: str = "coinrun"
    """Whose tokenizer makes the latents of variants that have none of their own."""
    updates: int = 400
    """Of `get_config()`, the plain one, whose operations all others get."""
    windows: int = 96
    """Of held-out levels that are lived."""
    out: Path | None = None
    """Folder of recordings, runs and results; in the user's data folder unless given."""
    print: bool = False
    """Train nothing, print what is there."""


def main(config: Config) -> int:
    """Trains what is not trained yet and prints what was found; returns 143 where it was told to end."""
    folder = config.out or data_home() / "ablations"
    try:
        module = load_config(config.config)
    except UsageError as error:
        raise SystemExit(str(error)) from error
    if not hasattr(module, "VARIANTS"):
        raise SystemExit(f"{config.config} has no VARIANTS; give a file such as configs/coinrun_ablations.py.")
    names = config.only or tuple(module.VARIANTS)
    if unknown := sorted(set(names) - set(module.VARIANTS)):
        raise SystemExit(f"There is no variant '{unknown[0]}'; there are {', '.join(module.VARIANTS)}.")
    if not config.print:
        try:
            _train(config, folder, {name: module.get_config(name) for name in names}, module)
        except StoppedError as stopped:
            print(stopped, file=sys.stderr)
            return 143
    found = {name: one for name in names if (one := _found(config, folder / name)) is not None}
    if not found:
        raise SystemExit(
            f"Nothing has been found in {folder} yet; leave --print out, or give another folder with --out."
        )
    print("\n".join(table(found)))
    return 0


def table(found: dict[str, dict[str, Any]]) -> list[str]:
    """Returns the lines of a table in Markdown."""
    ticks = ", ".join(map(str, HORIZONS))
    lines = [
        f"| variant | parameters | updates | PSNR after {ticks} ticks | drawn in {STEPS[-1]} steps | tokenizer alone |",
        "|---|---|---|---|---|---|",
    ]
    copied = None
    for name, one in found.items():
        own = [", ".join(f"{value:.2f}" for value in one["psnr"][str(steps)]) for steps in STEPS]
        size = f"{one['parameters'] / 1e6:.2f}M"
        lines.append(f"| {name} | {size} | {one['updates']:,} | {own[0]} | {own[1]} | {one['ceiling']:.2f} |")
        copied = ", ".join(f"{value:.2f}" for value in one["copy_last"])
    return lines if copied is None else [*lines, f"| the last frame, copied | | | {copied} | | |"]


def _train(config: Config, folder: Path, variants: dict[str, ExperimentConfig], module: Any) -> None:
    world, first = load(config.world), module.get_config()
    assert isinstance(world.model, WorldNetwork), "only learned worlds have a tokenizer"
    seen = studies.recorded(first.recording, folder / "seen" / "frames")
    learned = studies.latents(world.model.tokenizer, world.params["tokenizer"], seen, folder / "seen" / "latents")
    held_out = RecordConfig(source=first.recording.source, frames=20_000, levels=studies.HELD_OUT, seed=2)
    others = studies.recorded(held_out, folder / "held-out" / "frames")
    allowed = config.updates * studies.operations(_stage(first, learned))
    for name, experiment in variants.items():
        if _found(config, folder / name) is not None:
            continue
        if module.VARIANTS[name].tokenizer is None:
            experiment = dataclasses.replace(experiment, tokenizer=world.model.tokenizer)
            tokenizer, latents = world.params["tokenizer"], learned
        else:
            stage = _tokenizer(experiment, seen)
            own = folder / name / "tokenizer"
            tokenizer = fit(stage, experiment.tokenizer_training, own, experiment.seed).average
            latents = studies.latents(experiment.tokenizer, tokenizer, seen, folder / name / "latents")
        stage = _stage(experiment, latents)
        updates = round(allowed / studies.operations(stage))
        training = dataclasses.replace(experiment.dynamics_training, steps=updates)
        state = fit(stage, training, folder / name, experiment.seed)
        params = {"tokenizer": tokenizer, "dynamics": state.average}
        result = _measured(experiment.network, params, others, config.windows) | {
            "updates": updates,
            "asked": _asked(config),
        }
        write_whole(folder / name, {RESULT: json.dumps(result).encode()})
        print(table({name: result})[2], file=sys.stderr, flush=True)


def _found(config: Config, folder: Path) -> dict[str, Any] | None:
    """Returns what was found of a variant, None where nothing was.

    Raises:
      SystemExit: it was found in another way than is now asked for.
    """
    if not (folder / RESULT).exists():
        return None
    found = json.loads((folder / RESULT).read_text())
    if (asked := found.get("asked")) != _asked(config):
        raise SystemExit(
            f"{folder} holds what was found with {asked}, which cannot be compared with {_asked(config)}; "
            "give that again, or another folder with --out."
        )
    return found


def _asked(config: Config) -> dict[str, Any]:
    """Returns what makes results comparable."""
    return {"config": config.config.name, "world": config.world, "updates": config.updates, "windows": config.windows}


def _tokenizer(experiment: ExperimentConfig, seen: EpisodeDataset) -> Stage:
    return tokenizer_stage(
        experiment.tokenizer, experiment.tokenizer_loss, experiment.tokenizer_training, seen, experiment.seed
    )


def _stage(experiment: ExperimentConfig, latents: EpisodeDataset) -> Stage:
    return dynamics_stage(
        experiment.dynamics, experiment.dynamics_loss, experiment.dynamics_training, latents, experiment.seed
    )


def _measured(network: WorldNetwork, params: Params, others: EpisodeDataset, windows: int) -> dict[str, Any]:
    """Returns PSNR of squared errors pooled over windows, in dB, at `HORIZONS`."""
    trial = OpenLoopConfig(windows=windows, horizons=HORIZONS, random=False)
    found: dict[str, Any] = {"psnr": {}}
    for steps in STEPS:
        lived = dataclasses.replace(network, sampler=SamplerConfig(steps=steps))
        measured = measure_open_loop(lived, params, others, trial)
        found["psnr"][str(steps)] = _pooled([measured.error(MODEL, horizon) for horizon in HORIZONS])
        found["ceiling"] = _pooled([measured.error(CEILING, HORIZONS[-1])])[0]
        found["copy_last"] = _pooled([measured.error(COPY_LAST, horizon) for horizon in HORIZONS])
    found["parameters"] = sum(leaf.size for leaf in jax.tree.leaves(params["dynamics"]))
    return found


def _pooled(errors: Sequence[np.ndarray]) -> list[float]:
    return [float(psnr(float(np.mean(error)))) for error in errors]


if __name__ == "__main__":
    quiet_without_tpu()
    raise SystemExit(main(tyro.cli(Config, prog="ablate", description=__doc__)))
