"""Makes a world that ships out of a training run, and puts the figures of `oyster eval` into it.

    .venv/bin/python tools/release_world.py weights configs/coinrun_nano.py RUN --name coinrun
    .venv/bin/oyster eval --world coinrun --out eval-coinrun
    .venv/bin/python tools/release_world.py judge configs/coinrun_nano.py RUN oyster_jax/worlds/coinrun --data HELD_OUT
    .venv/bin/python tools/release_world.py words configs/craftax_nano.py RUN oyster_jax/worlds/craftax
    .venv/bin/python tools/release_world.py figures oyster_jax/worlds/coinrun eval-coinrun/report.json
    .venv/bin/python tools/release_world.py moments oyster_jax/worlds/coinrun --data HELD_OUT --at "42:63:A saw" …

CARD.md is written by people and left alone; read it again when the weights or figures have changed.
"""

import collections
import contextlib
import dataclasses
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import tyro

from oyster_jax.cli.train import load_experiment
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.manifest import HELD_OUT
from oyster_jax.evaluate.judge import load_judge, save_judge
from oyster_jax.evaluate.machine import machine, versions
from oyster_jax.files import write_whole
from oyster_jax.parallel.tpu import quiet_without_tpu
from oyster_jax.train.checkpoint import CheckpointError
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.judge import judge_accuracy
from oyster_jax.train.stages import finished, finished_judge, words
from oyster_jax.worlds.moments import RecordedMoment, write_moments
from oyster_jax.worlds.record import RECORD, read_record
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.storage import save_world
from oyster_jax.worlds.words_storage import save_words

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
    """Runs, and worlds that were released, that this one was begun from (--init-from); their cost counts too."""
    licence: str = "Apache-2.0"
    """SPDX name of the licence of the weights."""
    out: Path | None = None
    """The folder to write, oyster_jax/worlds/NAME unless given."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgeOf:
    """Puts the judge of a run into a world's folder, with how well it reads levels that it has not seen."""

    config: tyro.conf.Positional[Path]
    """The configuration file that the run was started with."""
    run: tyro.conf.Positional[Path]
    """The run's folder."""
    world: tyro.conf.Positional[Path]
    """The world's folder."""
    data: Path
    """A recording of held-out levels with entities."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class WordsOf:
    """Puts the words of a run into a world's folder."""

    config: tyro.conf.Positional[Path]
    """The configuration file that the run was started with."""
    run: tyro.conf.Positional[Path]
    """The run's folder, whose words have been trained to their end."""
    world: tyro.conf.Positional[Path]
    """The world's folder."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figures:
    """Copies the main figures of a report of `oyster eval` into world.json."""

    world: tyro.conf.Positional[Path]
    """The world's folder."""
    report: tyro.conf.Positional[Path]
    """report.json of `oyster eval --world` this one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moments:
    """Puts recorded moments into a world's folder, from which the player can begin; those that were there go."""

    world: tyro.conf.Positional[Path]
    """The world's folder."""
    data: Path
    """A recording of held-out levels."""
    at: tuple[str, ...]
    """EPISODE:TICK:TITLE, each the moment that play begins at."""
    ticks: int = 16
    """How many frames the world is shown, the last one being that moment."""


type Command = (
    Annotated[Weights, tyro.conf.subcommand("weights")]
    | Annotated[WordsOf, tyro.conf.subcommand("words")]
    | Annotated[JudgeOf, tyro.conf.subcommand("judge")]
    | Annotated[Figures, tyro.conf.subcommand("figures")]
    | Annotated[Moments, tyro.conf.subcommand("moments")]
)


def release(command: Weights) -> Path:
    """Writes the world and loads it once; returns its folder."""
    config, folder = load_experiment(command.config), command.out or WORLDS / command.name
    with _copied(command.run, ("tokenizer", *config.dynamics_stages, "painter")) as copied:
        model, params = finished(config, copied)
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


def release_judge(command: JudgeOf) -> Path:
    """Writes judge.json and judge.safetensors and loads them once; returns the world's folder."""
    config = load_experiment(command.config)
    with _copied(command.run, ("judge",)) as copied:
        network, params = finished_judge(config, copied)
    assert config.judge is not None, "a judge has just been read"
    steps, hours = _stage_cost(command.run / "judge" / "metrics.jsonl", config.judge.training)
    dataset = EpisodeDataset(command.data)
    if (split := dataset.manifest.provenance.split) != HELD_OUT:
        raise ValueError(
            f"{command.data} holds {split} levels, which a judge knows; give a recording of held-out ones."
        )
    facts = {
        "training": {
            "config": dataclasses.asdict(config.judge),
            "recording": dataclasses.asdict(config.recording),
            "seed": config.seed,
            "steps": steps,
            "hours": round(hours, 2),
            "versions": versions(),
        },
        "held_out": dataclasses.asdict(judge_accuracy(network, params, dataset)),
    }
    save_judge(command.world, network, params, facts)
    load_judge(command.world)
    return command.world


def release_words(command: WordsOf) -> Path:
    """Writes words.json and words.safetensors and loads them once; returns the world's folder."""
    config = load_experiment(command.config)
    learned = words(config, command.run)
    if learned is None or config.words is None:
        raise ValueError(f"The experiment {config.name} trains no words; give it some in its configuration file.")
    stages = {"text": config.words.text, "scene": config.words.scene}
    costs = {name: _stage_cost(command.run / name / "metrics.jsonl", training) for name, training in stages.items()}
    facts = {
        "training": {
            "config": dataclasses.asdict(config.words),
            "recording": dataclasses.asdict(config.recording),
            "seed": config.seed,
            "stages": {name: {"steps": steps, "hours": round(hours, 2)} for name, (steps, hours) in costs.items()},
            "versions": versions(),
        }
    }
    save_words(command.world, learned, facts)
    load(command.world)
    return command.world


@contextlib.contextmanager
def _copied(run: Path, stages: Iterable[str]) -> Iterator[Path]:
    """Copies the checkpoints that there are: restoring cleans up after saves that the run may be in the middle of."""
    with tempfile.TemporaryDirectory() as copied:
        for stage in stages:
            source = run / stage / "checkpoints"
            if source.is_dir():
                shutil.copytree(source, Path(copied) / stage / "checkpoints", ignore=shutil.ignore_patterns("*tmp*"))
        yield Path(copied)


def add_figures(command: Figures) -> Path:
    """Puts figures into a world's record; returns its path."""
    record, report = read_record(command.world), json.loads(command.report.read_text("utf-8"))
    if report["world"]["digest"] != record["digest"]:
        raise ValueError(f"{command.report} is about other weights than those in {command.world}; evaluate these.")
    found, effect = report["figures"]["fidelity"], report["figures"]["control"]["effect"]
    record["figures"] = {
        **{f"psnr_{h}": round(found["psnr"]["model"][h]["value"], 2) for h in HORIZONS},
        **{f"gain_{h}": round(found["gain"][h]["value"], 2) for h in HORIZONS},
        "tokenizer_psnr": round(found["ceiling_psnr"]["value"], 2),
        "delta_psnr_4": round(effect["pooled"]["value"], 2),
        **({"familiarity": report["figures"]["pictures"]["familiarity"]} if "pictures" in report["figures"] else {}),
        "targets": {target["label"]: round(target["found"], 3) for target in report["targets"]},
        "measured": {name: found[name][HORIZONS[0]] for name in ("windows", "episodes")}
        | {name: report[name] for name in ("command", "time")},
    }
    write_whole(command.world, {RECORD: (json.dumps(record, indent=2) + "\n").encode()})
    return command.world / RECORD


def add_moments(command: Moments) -> Path:
    """Writes the moments, named after their titles; returns their folder."""
    dataset = EpisodeDataset(command.data)
    if (split := dataset.manifest.provenance.split) != HELD_OUT:
        raise ValueError(f"{command.data} holds {split} levels, which the world knows; record held-out ones.")
    return write_moments(command.world, dict(_moment(dataset, each, command.ticks) for each in command.at))


def _moment(dataset: EpisodeDataset, text: str, ticks: int) -> tuple[str, RecordedMoment]:
    """Returns the moment that `EPISODE:TICK:TITLE` tells of, and its name."""
    found = re.fullmatch(r"(\d+):(\d+):(.*\w.*)", text)
    if found is None:
        raise ValueError(f"'{text}' is no moment; write it as in '42:63:A saw'.")
    episode, last, title = int(found[1]), int(found[2]), found[3].strip()
    if episode >= len(dataset) or not ticks <= last + 1 <= dataset.lengths[episode]:
        raise ValueError(f"The recording has no {ticks} frames that end at tick {last} of episode {episode}.")
    shown, first = dataset[episode], last + 1 - ticks
    if shown.frames is None:
        raise ValueError("The recording holds no frames, so that there is nothing to show.")
    frames, actions = shown.frames[first : last + 1], shown.actions[first:last]
    name = re.sub(r"\W+", "-", title.lower()).strip("-")
    return name, RecordedMoment(title=title, frames=frames, actions=actions)


def _cost(config: ExperimentConfig, runs: Iterable[Path]) -> dict[str, Any]:
    """Returns steps and hours of computing of each stage, over all runs, and on what."""
    stages = {"tokenizer": config.tokenizer_training} | config.dynamics_stages
    others = {"camera": config.camera, "painter": config.painter}
    stages |= {name: part.training for name, part in others.items() if part is not None}
    if config.camera is not None:
        stages["lattice"] = config.camera.reading
    cost = collections.Counter({"hours": 0.0} | {f"{stage}_steps": 0 for stage in stages})
    for run in runs:
        if (run / RECORD).exists():
            paid = read_record(run)["training"]["cost"]
            cost.update({name: number for name, number in paid.items() if name != "machine"})
            continue
        for stage, training in stages.items():
            steps, hours = _stage_cost(run / stage / "metrics.jsonl", training)
            cost.update({f"{stage}_steps": steps, "hours": hours})
    cost["hours"] = round(cost["hours"], 2)
    return dict(cost) | {"machine": {name: machine()[name] for name in ("processor", "cores")}}


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
        match command:
            case Weights():
                written = release(command)
            case WordsOf():
                written = release_words(command)
            case JudgeOf():
                written = release_judge(command)
            case Figures():
                written = add_figures(command)
            case Moments():
                written = add_moments(command)
    except (CheckpointError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Wrote {written}.")
    return 0


if __name__ == "__main__":
    quiet_without_tpu()
    raise SystemExit(main())
