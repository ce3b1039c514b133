"""`oyster plan`: what an experiment takes on TPUs that nobody has rented yet."""

import dataclasses
import functools
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from oyster_jax.plan.compiling import Compiled
    from oyster_jax.plan.programs import Program
    from oyster_jax.plan.sweep import Tried
    from oyster_jax.plan.topology import Topology
    from oyster_jax.train.config import TrainConfig
    from oyster_jax.train.experiment import ExperimentConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshOptions:
    """How the devices of a slice are cut up; what is not given stays as the experiment says."""

    data: int | None = None
    """Ways by which copies of the state share a batch."""
    fsdp: int | None = None
    """Ways by which the state is cut up."""
    tensor: int | None = None
    """Ways by which each layer is cut up."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Compiles the real training step and batched rollout of an experiment for a TPU topology, without a TPU.

    Says whether they fit, bytes by category, what devices exchange along which axis, and the roofline: how long a step
    takes at the least, and what it costs.
    """

    config: tyro.conf.Positional[Path]
    """The experiment: a file that `oyster train` takes, as in configs/base.py or configs/base.py:frame=256."""
    topology: str
    """Kind and chips of one slice, as in v5e:16x16, v5p:4x4x8, v6e:16x16 or tpu7x:4x4x4."""
    slices: int = 1
    """How many slices, over the data-centre network."""
    mesh: MeshOptions = MeshOptions()
    """How devices are cut up."""
    batch: int | None = None
    """Windows a step; the experiment's unless given."""
    worlds: int | None = None
    """Worlds that are rolled out at once; four a group of devices unless given."""
    rollout_tensor: int | None = None
    """Ways by which devices share a world in rollouts; as few as its parameters need unless given."""
    only: Literal["train", "rollout"] | None = None
    """Plan only one of the two."""
    stage: Literal["tokenizer", "dynamics"] = "dynamics"
    """Which stage's training step is planned."""
    sweep: bool = False
    """Try meshes and batches for training, and plan with the best."""
    tries: Annotated[int, tyro.conf.arg(metavar="N")] = 4
    """How many of them are compiled at most, once one fits."""
    effort: Literal["O0", "O1", "O2", "O3"] = "O1"
    """How hard the compiler tries: O0 is quickest, O3 is what a TPU gets."""
    price: float | None = None
    """Of one chip for an hour, in your currency: says what the run costs at the least."""
    steps: int | None = None
    """Training steps of the run; the experiment's unless given."""
    out: Path | None = None
    """Folder of plan.json and plan.html; plan-NAME-TOPOLOGY unless given."""
    save: bool = False
    """Keep the compiled programs in that folder; `oyster_jax.plan.saved.load` reads them."""


def main(config: Config) -> int:
    """Plans and prints; returns 1 where something does not fit."""
    from oyster_jax.plan.topology import compile_only

    compile_only(config.effort)
    from oyster_jax.cli.errors import UsageError
    from oyster_jax.cli.train import load_experiment
    from oyster_jax.parallel.mesh import MeshError
    from oyster_jax.plan.errors import PlanError
    from oyster_jax.plan.topology import topology

    if config.sweep and config.only == "rollout":
        raise UsageError("A sweep tries meshes for training; leave --only rollout out.")
    if config.sweep and config.stage != "dynamics":
        raise UsageError("A sweep tries meshes for the dynamics; leave --stage out, or --sweep.")
    experiment = load_experiment(config.config)
    try:
        return _plan(config, experiment, topology(config.topology, config.slices))
    except (PlanError, MeshError) as error:
        raise UsageError(str(error)) from error


def _plan(config: Config, experiment: "ExperimentConfig", topology: "Topology") -> int:
    from oyster_jax.plan.compiling import compiled
    from oyster_jax.plan.report import (
        Price,
        described,
        peaks_table,
        report,
        sentences,
        sweep_table,
        tables,
        title,
        write_report,
    )
    from oyster_jax.plan.roofline import roofline
    from oyster_jax.plan.saved import save
    from oyster_jax.plan.sweep import candidates, sweep, try_out

    price = None
    if config.price is not None:
        price = Price(chip_hour=config.price, steps=config.steps or _trained(config, experiment).steps)
    # Mistakes come to light here, before anything is said or compiled.
    waiting: list[Program] = []
    if not config.sweep and config.only != "rollout":
        waiting.append(_training(config, experiment, topology))
    if config.only != "train":
        waiting.append(_rolling(config, experiment, topology))
    print(f"{experiment.name} on {topology.label}, {topology.chips} chips", flush=True)
    tried: list[Tried] = []
    found: list[Compiled] = []
    if config.sweep:
        trying = functools.partial(try_out, topology=topology)
        tried, left = sweep(candidates(experiment, topology), trying, config.tries, _told)
        why = "; none can promise more than the best" if tried[0].unsurpassed else ""
        print(f"{len(tried)} meshes and batches compiled, {len(left)} left out{why}.")
        found.append(tried[0].compiled)
    found += [compiled(program, topology) for program in waiting]
    programs = []
    for one in found:
        programs.append(described(one, roofline(one, topology.peaks, topology.chips), topology, price))
        _print(title(programs[-1]), sentences(programs[-1]), tables(programs[-1]))
    command = shlex.join(["oyster", *sys.argv[1:]])
    whole = report(programs, tried, topology, name=experiment.name, command=command)
    if tried:
        _print("sweep", [], [sweep_table(whole["sweep"])])
    folder = config.out or Path(f"plan-{experiment.name}-{topology.name.replace(':', '-')}")
    page = write_report(folder, whole)
    if config.save:
        for one in found:
            if one.fits:
                save(folder, one.program.name, one.executable)
    _print("roofline", [f"Peaks are as {topology.peaks.source} gives them."], [peaks_table(whole["topology"])])
    print(f"Written: {page}")
    return 0 if all(one.fits for one in found) else 1


def _trained(config: Config, experiment: "ExperimentConfig") -> "TrainConfig":
    """Returns how the experiment trains the stage that is planned."""
    return experiment.tokenizer_training if config.stage == "tokenizer" else experiment.dynamics_training


def _training(config: Config, experiment: "ExperimentConfig", topology: "Topology") -> "Program":
    from oyster_jax.plan.programs import training

    given = {name: ways for name, ways in dataclasses.asdict(config.mesh).items() if ways is not None}
    mesh = dataclasses.replace(experiment.mesh, slices=topology.slices, **given).build(topology.devices)
    training_config = _trained(config, experiment)
    if config.batch is not None:
        training_config = dataclasses.replace(training_config, batch=config.batch)
    return training(experiment, training_config, mesh, config.stage)


def _rolling(config: Config, experiment: "ExperimentConfig", topology: "Topology") -> "Program":
    from oyster_jax.parallel.mesh import MeshConfig, batch_ways
    from oyster_jax.plan.programs import rolling, rolling_tensor

    tensor = config.rollout_tensor or rolling_tensor(experiment, topology)
    mesh = MeshConfig(tensor=tensor, slices=topology.slices).build(topology.devices)
    return rolling(experiment, mesh, config.worlds or 4 * batch_ways(mesh))


def _told(tried: "Tried") -> None:
    mesh = ", ".join(f"{axis} {ways}" for axis, ways in tried.compiled.program.mesh.shape.items() if ways > 1)
    speed = f", at most {tried.roofline.frames_per_second:,.0f} frames/s" if tried.compiled.fits else ""
    share = f"{100 * tried.compiled.share:.0f} % of the memory"
    print(f"  {mesh}; batch {tried.candidate.batch:,}: {share}{speed}; {tried.compiled.seconds:.0f} s", flush=True)


def _print(title: str, said: list[str], listed: list[Any]) -> None:
    import rich.box
    import rich.console
    import rich.table

    console = rich.console.Console()
    console.print(f"\n[bold]{title}[/bold]")
    for sentence in said:
        console.print(sentence, highlight=False)
    for name, columns, rows in listed:
        table = rich.table.Table(*columns, title=name, box=rich.box.SIMPLE, title_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for row in rows:
            table.add_row(*row)
        console.print(table)
