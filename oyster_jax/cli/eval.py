"""`oyster eval`: tries a world on held-out levels, section by section, and reports what it found."""

import contextlib
import dataclasses
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from oyster_jax.data.dataset import EpisodeDataset
    from oyster_jax.evaluate.chunks import Progress
    from oyster_jax.evaluate.section import Section
    from oyster_jax.evaluate.suite import Suite
    from oyster_jax.evaluate.targets import Outcome
    from oyster_jax.worlds.world import World

#: Each is a module of `evaluate.sections`, in the order in which they are measured and shown.
SECTIONS = (
    *("fidelity", "denoising", "revealed", "frechet", "control", "pictures", "painting", "entities", "creatures"),
    *("edits", "events", "prompts", "physics", "permanence", "drift", "speed"),
)

type SectionName = Literal[
    "fidelity",
    "denoising",
    "revealed",
    "frechet",
    "control",
    "pictures",
    "painting",
    "entities",
    "creatures",
    "edits",
    "events",
    "prompts",
    "physics",
    "permanence",
    "drift",
    "speed",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Measures a world on held-out levels and writes a report, plots, clips and a page of them."""

    world: str = "coinrun"
    """Name of an installed world, or the folder of one."""
    data: Path | None = None
    """Recording of held-out levels; unless given, one is recorded into the cache (needs the extra `envs`)."""
    only: tuple[SectionName, ...] = ()
    """Sections to measure; unless given, all that the world and the data allow."""
    quick: tyro.conf.FlagCreatePairsOff[bool] = False
    """Small counts and a short long run: minutes instead of the better part of an hour, and wider intervals."""
    windows: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """How many stretches of the recording are simulated; 256 unless given, 48 with --quick."""
    context: Annotated[int, tyro.conf.arg(metavar="N")] = 8
    """Real frames that the world sees before it goes on alone."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="K")] = None
    """Denoising steps a tick, the world's own unless given."""
    seed: int = 0
    """Of windows, random actions and the world's randomness; the same seed gives the same figures."""
    out: Path | None = None
    """The folder for report.json, index.html, plots and clips; eval-WORLD unless given."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print the report instead of the tables."""


def main(config: Config) -> int:
    """Measures, writes the report and says what was found.

    Raises:
      DatasetError, WorldError, UsageError: something about the request was wrong.
    """
    import json

    from oyster_jax.cli.eval_tables import print_outcomes, print_section, wide_console
    from oyster_jax.cli.opening import open_world
    from oyster_jax.evaluate.page import write_media

    world = open_world(config.world, config.steps)
    suite = _suite(config, world)
    folder = config.out or Path(f"eval-{world.name}")
    console = wide_console()
    sections, skipped = [], {}
    for section in _measured(config, suite, skipped):
        sections.append(section)
        write_media(folder, section, rate=world.spec.frame.rate)
        # After every section: what has been measured is not lost if a later one is interrupted.
        _write(folder, world, suite, sections, skipped)
        if not config.json:
            print_section(console, section)
    written, found = _write(folder, world, suite, sections, skipped)
    if config.json:
        print(json.dumps(written, indent=1))
        return 0
    print_outcomes(console, found)
    for name, why in skipped.items():
        console.print(f"Not measured: {name}. {why}", highlight=False, soft_wrap=True, markup=False)
    console.print(f"Wrote {folder}: report.json and index.html.", highlight=False, soft_wrap=True, markup=False)
    return 0


def _write(
    folder: Path, world: "World", suite: "Suite", sections: "list[Section]", skipped: dict[str, str]
) -> "tuple[dict[str, Any], list[Outcome]]":
    """Writes report and page of the sections that there are."""
    import shlex

    from oyster_jax.evaluate.page import write_page
    from oyster_jax.evaluate.report import report, write_report
    from oyster_jax.evaluate.targets import outcomes

    figures = {section.name: section.figures for section in sections}
    dataset = suite.opened
    looks = [] if dataset is None else [dataset.manifest.provenance.options]
    looks += [] if suite.source is None else [suite.source.options]
    found = outcomes(figures, full=any(look.get("backgrounds", False) for look in looks))
    written = report(
        sections,
        found,
        world=_about(world),
        dataset=dataset,
        config={name: getattr(suite, name) for name in ("windows", "context", "seed", "quick")},
        command=shlex.join(["oyster", *sys.argv[1:]]),
    )
    written["skipped"] = dict(skipped)
    write_report(folder, written)
    write_page(folder, sections, found, written, skipped=skipped)
    return written, found


def _measured(config: Config, suite: "Suite", skipped: dict[str, str]) -> "Iterator[Section]":
    """Yields the sections one after another; those that nobody asked for and that cannot be are told in `skipped`."""
    from oyster_jax.data.errors import DatasetError

    for name in config.only or SECTIONS:
        module = importlib.import_module(f"oyster_jax.evaluate.sections.{name}")
        try:
            yield module.run(suite)
        except DatasetError as error:
            # Where the first is impossible, the request is: there is no recording, or it is none of this world.
            if config.only or name == SECTIONS[0]:
                raise
            skipped[name] = str(error)


def _suite(config: Config, world: "World") -> "Suite":
    from oyster_jax.cli.errors import UsageError
    from oyster_jax.cli.eval_data import eventful, probe, scenic
    from oyster_jax.cli.first_frame import first_frame_command
    from oyster_jax.data.errors import DatasetError
    from oyster_jax.evaluate.held_out import held_out_source
    from oyster_jax.evaluate.judge import has_judge, load_judge
    from oyster_jax.evaluate.open_loop import OpenLoopConfig
    from oyster_jax.evaluate.suite import Suite
    from oyster_jax.worlds.registry import find

    windows = config.windows if config.windows is not None else 48 if config.quick else 256
    try:
        OpenLoopConfig(windows=windows, context=config.context, seed=config.seed)
    except ValueError as error:
        raise UsageError(str(error)) from error
    source, judge = None, None
    with contextlib.suppress(DatasetError):
        source = held_out_source(world.record["training"])
    folder = find(config.world)
    if has_judge(folder):
        judge = load_judge(folder)
    return Suite(
        model=world.model,
        params=world.params,
        name=world.name,
        recording=lambda: _recording(config, world),
        eventful=lambda: eventful(world, _bar),
        scenic=lambda: scenic(world, _bar),
        probe=lambda: probe(world, _bar),
        source=source,
        judge=judge,
        words=world.words,
        windows=windows,
        context=config.context,
        seed=config.seed,
        quick=config.quick,
        start=first_frame_command(config.world, config.steps),
        conditions={"world": world.name, "digest": world.record["digest"], "steps": world.model.sampler.steps},
        report=_bar,
    )


def _recording(config: Config, world: "World") -> "EpisodeDataset":
    from oyster_jax.cli.eval_data import held_out
    from oyster_jax.data.dataset import EpisodeDataset

    return held_out(world, _bar) if config.data is None else EpisodeDataset(config.data)


def _about(world: "World") -> dict[str, Any]:
    return {
        "name": world.name,
        "digest": world.record["digest"],
        "parameters": world.record["weights"]["parameters"],
        "sampler": dataclasses.asdict(world.model.sampler),
    }


@contextlib.contextmanager
def _bar(what: str, unit: str) -> "Iterator[Progress]":
    """Shows a progress bar on stderr; gives a function of what is done and what there is to do."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
