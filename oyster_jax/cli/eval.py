"""`oyster eval`: tries a world on held-out levels and reports how true it stays and whether it heeds its actions."""

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from oyster_jax.data.dataset import EpisodeDataset
    from oyster_jax.evaluate.open_loop import Measurements, OpenLoopConfig
    from oyster_jax.evaluate.report import Figures
    from oyster_jax.worlds.world import World


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Measures a world on held-out levels: PSNR and SSIM of open-loop rollouts, and the effect of actions."""

    world: str = "coinrun"
    """Name of an installed world, or the folder of one."""
    data: Path | None = None
    """Recording of held-out levels; unless given, one is recorded into the cache (needs the extra `envs`)."""
    windows: Annotated[int, tyro.conf.arg(metavar="N")] = 256
    """How many stretches of it are simulated."""
    context: Annotated[int, tyro.conf.arg(metavar="N")] = 8
    """Real frames that the world sees before it goes on alone."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="K")] = None
    """Denoising steps a tick, the world's own unless given."""
    seed: int = 0
    """Of windows, random actions and the world's randomness; the same seed gives the same figures."""
    out: Path | None = None
    """The folder for report.json, psnr.png and frames.png; eval-WORLD unless given."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print the report instead of the tables."""


def main(config: Config) -> int:
    """Measures, writes the report and says what was found.

    Raises:
      DatasetError, WorldError, UsageError: something about the request was wrong.
    """
    import json
    import shlex

    from rich.console import Console

    from oyster_jax.cli.opening import open_world
    from oyster_jax.evaluate.open_loop import measure
    from oyster_jax.evaluate.pictures import sheet_ticks, write_plot, write_sheet
    from oyster_jax.evaluate.report import figures, report, write_report

    request, world = _request(config), open_world(config.world, config.steps)
    dataset = _dataset(config, world)
    with _bar("simulating", "windows") as progress:
        measurements = measure(world.model, world.params, dataset, request, progress)
    found = figures(measurements)
    about = {
        "name": world.name,
        "digest": world.record["digest"],
        "parameters": world.record["weights"]["parameters"],
        "sampler": dataclasses.asdict(world.model.sampler),
    }
    command = shlex.join(["oyster", *sys.argv[1:]])
    written = report(found, measurements, dataset, world=about, command=command)
    written["sheet"] = {"columns": sheet_ticks(measurements), "rows": "truth, world, truth, world, …"}
    folder = config.out or Path(f"eval-{world.name}")
    path = write_report(folder, written)
    plot = write_plot(folder, found, f"{world.name} on held-out levels, {len(measurements.windows)} windows")
    sheet = write_sheet(folder, measurements)
    if config.json:
        print(json.dumps(written, indent=1))
        return 0
    _print_tables(found, measurements, dataset, world)
    Console().print(f"Wrote {path}, {plot} and {sheet}.", highlight=False, soft_wrap=True)
    return 0


def _request(config: Config) -> "OpenLoopConfig":
    from oyster_jax.cli.errors import UsageError
    from oyster_jax.evaluate.open_loop import OpenLoopConfig

    try:
        return OpenLoopConfig(windows=config.windows, context=config.context, seed=config.seed)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _dataset(config: Config, world: "World") -> "EpisodeDataset":
    from oyster_jax.data.dataset import EpisodeDataset
    from oyster_jax.evaluate.held_out import cache_home, held_out_data, held_out_recording

    if config.data is not None:
        return EpisodeDataset(config.data)
    request = held_out_recording(world.record["training"])
    with _bar("recording held-out levels", "frames") as progress:
        return held_out_data(request, cache_home() / "held-out", lambda done: progress(done, request.frames))


def _print_tables(figures: "Figures", measurements: "Measurements", dataset: "EpisodeDataset", world: "World") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from oyster_jax.evaluate.bootstrap import Estimate

    def reach(estimate: Estimate, sign: str = "") -> str:
        return f"{estimate.value:{sign}.2f} [dim]±{(estimate.high - estimate.low) / 2:.2f}[/dim]"

    config = measurements.config
    table = Table(
        title=f"{world.name} on held-out levels: {config.context} real frames, then alone under the true actions",
        box=box.SIMPLE_HEAD,
    )
    for name in ("ticks", "PSNR", "copy-last", "gain", "random", "SSIM", "copy-last"):
        table.add_column(name, justify="right", no_wrap=True)
    psnr, ssim = figures.psnr, figures.ssim
    for horizon in figures.horizons:
        table.add_row(
            str(horizon),
            reach(psnr["model"][horizon]),
            f"{psnr['copy_last'][horizon].value:.2f}",
            reach(figures.gain[horizon], "+"),
            f"{psnr['random_actions'][horizon].value:.2f}",
            f"{ssim['model'][horizon].value:.3f}",
            f"{ssim['copy_last'][horizon].value:.3f}",
        )
    lines = [f"Tokenizer alone (ceiling): PSNR {reach(figures.ceiling_psnr)}, SSIM {figures.ceiling_ssim.value:.3f}."]
    if figures.effect is not None:
        pooled, mean = figures.effect.pooled, figures.effect.mean_of_windows
        lines += [
            f"ΔPSNR at 4 ticks, true minus random actions: {reach(pooled, '+')}; mean of windows {reach(mean, '+')}."
        ]
    lines.append(
        f"PSNR in dB of the error pooled over {len(measurements.windows)} windows of {dataset.folder}, "
        f"seed {config.seed}, {world.model.sampler.steps} denoising steps a tick; ±: 95 % over episodes."
    )
    console = Console()
    console.print(table)
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _bar(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a progress bar on stderr; gives a function of what is done and what there is to do."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
