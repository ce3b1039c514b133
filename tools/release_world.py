"""Makes a world that ships out of a training run, and puts the figures of `oyster eval` into it.

    .venv/bin/python tools/release_world.py weights configs/coinrun_nano.py RUN --name coinrun
    .venv/bin/oyster eval --world coinrun --out eval-coinrun
    .venv/bin/python tools/release_world.py figures oyster_jax/worlds/coinrun eval-coinrun/report.json

CARD.md is written by people and left alone; read it again when the weights or figures have changed.
"""

import dataclasses
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import tyro

from oyster_jax.evaluate.machine import machine, versions
from oyster_jax.train.checkpoint import CheckpointError
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.loop import TrainConfig
from oyster_jax.train.stages import finished
from oyster_jax.worlds.record import RECORD, read_record
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.storage import save_world

WORLDS = Path(__file__).resolve().parents[1] / "oyster_jax" / "worlds"
HORIZONS = ("1", "8")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Weights:
    """Writes world.json and weights.safetensors from the newest checkpoints of a run, which may still be training."""

    config: tyro.conf.Positional[Path]
    """The configuration file that the run was started with."""
    run: tyro.conf.Positional[Path]
    """The run's folder."""
    name: str
    """What the world will be called."""
    earlier: tuple[Path, ...] = ()
    """Runs that this one was begun from (--init-from); their cost counts too."""
    licence: str = "Apache-2.0"
    """SPDX name of the licence of the weights."""
    out: Path | None = None
    """The folder to write, oyster_jax/worlds/NAME unless given."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figures:
    """Copies the main figures of a report of `oyster eval` into world.json."""

    world: tyro.conf.Positional[Path]
    """The world's folder."""
    report: tyro.conf.Positional[Path]
    """report.json of `oyster eval --world` this one."""


type Command = Annotated[Weights, tyro.conf.subcommand("weights")] | Annotated[Figures, tyro.conf.subcommand("figures")]


def release(command: Weights) -> Path:
    """Writes the world and loads it once; returns its folder."""
    config, folder = _experiment(command.config), command.out or WORLDS / command.name
    with tempfile.TemporaryDirectory() as copied:
        # Restoring cleans up after interrupted saves, which the run may be in the middle of: so not in its own folder.
        for stage in ("tokenizer", *config.dynamics_stages):
            source = command.run / stage / "checkpoints"
            if not source.is_dir():
                continue
            shutil.copytree(source, Path(copied) / stage / "checkpoints", ignore=shutil.ignore_patterns("*tmp*"))
        model, params = finished(config, Path(copied))
    training = {
        "config": dataclasses.asdict(config),
        "seed": config.seed,
        "cost": _cost(config, [command.run, *command.earlier]),
        "versions": versions(),
    }
    about = {"name": command.name, "licence": command.licence, "training": training, "figures": {}}
    save_world(folder, model, params, about)
    load(folder)
    return folder


def add_figures(command: Figures) -> Path:
    """Puts figures into a world's record; returns its path."""
    record, report = read_record(command.world), json.loads(command.report.read_text("utf-8"))
    if report["world"]["digest"] != record["digest"]:
        raise ValueError(f"{command.report} is about other weights than those in {command.world}; evaluate these.")
    found = report["figures"]
    record["figures"] = {
        **{f"psnr_{h}": round(found["psnr"]["model"][h]["value"], 2) for h in HORIZONS},
        **{f"gain_{h}": round(found["gain"][h]["value"], 2) for h in HORIZONS},
        "tokenizer_psnr": round(found["ceiling_psnr"]["value"], 2),
        "delta_psnr_4": round(found["effect"]["pooled"]["value"], 2),
        "measured": {name: report["measured"][name] for name in ("windows", "episodes")}
        | {name: report[name] for name in ("command", "time")},
    }
    path = command.world / RECORD
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(json.dumps(record, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return path


def _experiment(path: Path) -> ExperimentConfig:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


def _cost(config: ExperimentConfig, runs: Iterable[Path]) -> dict[str, Any]:
    """Returns steps and hours of computing of each stage, over all runs, and on what."""
    cost: dict[str, Any] = {"hours": 0.0}
    runs = list(runs)
    for stage, training in ({"tokenizer": config.tokenizer_training} | config.dynamics_stages).items():
        steps, hours = zip(*(_stage_cost(run / stage / "metrics.jsonl", training) for run in runs), strict=True)
        cost |= {f"{stage}_steps": sum(steps), "hours": round(cost["hours"] + sum(hours), 2)}
    return cost | {"machine": {name: machine()[name] for name in ("processor", "cores")}}


def _stage_cost(path: Path, training: TrainConfig) -> tuple[int, float]:
    """Returns steps and hours that a stage's metrics tell of; pauses between its runs are not in its rates."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    hours, before = 0.0, 0
    for line in lines:
        hours += (line["step"] - before) * training.batch * training.window / line["frames_per_second"] / 3600
        before = line["step"]
    return before, hours


def main() -> int:
    """Runs the command that the arguments name."""
    command = tyro.cli(Command, description=__doc__)  # pyright: ignore[reportArgumentType]
    try:
        written = release(command) if isinstance(command, Weights) else add_figures(command)
    except (CheckpointError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Wrote {written}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
