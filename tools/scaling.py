"""Trains dynamics of several sizes on one recording, and fits how their loss falls with parameters and with frames.

    tools/scaling                       # six sizes from 0.2 to 8 million parameters; some 40 minutes of two cores
    tools/scaling --out study --print   # trains nothing; the table of what is there

The latents are those of the tokenizer of an installed world, encoded once. The rate is constant and what is measured is
an average of the parameters, so that one run gives the losses of all amounts of data up to its own. The largest size is
held out: the law (`oyster_jax/evaluate/scaling_law.py`) is fitted to the others and says what it will reach. Kill it at
any moment and give the same command again: it goes on where it was. The folder gets `scaling.json` and `scaling.png`.
"""

import dataclasses
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import studies
import tyro

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.diffusion.objective import ObjectiveConfig
from oyster_jax.evaluate.scaling_law import ScalingLaw
from oyster_jax.files import write_whole
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.heads import HeadsConfig
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.parallel.tpu import quiet_without_tpu
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import DynamicsLossConfig, dynamics_loss, dynamics_stage
from oyster_jax.train.loop import StoppedError, fit
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.typing import Array, Params
from oyster_jax.worlds.registry import data_home, load

REPORT, PLOT, REQUEST = "scaling.json", "scaling.png", "request.json"

#: Width of the network → its heads. All are six layers deep, so that width alone is the dial.
HEADS = {48: 2, 80: 2, 112: 2, 160: 4, 224: 4, 336: 6}

#: What is learned: that of the shipped world, without its map.
OBJECTIVE = ObjectiveConfig(ramp=0.0, zero=0.5, bootstrap=0.125)
LEARNED = DynamicsLossConfig(objective=OBJECTIVE)

#: What is measured: the error of the next latent after a true past, in which nothing is hidden and no target is a
#: network's own, which would fall by itself where the network is bad.
MEASURED = DynamicsLossConfig(
    objective=dataclasses.replace(OBJECTIVE, bootstrap=0.0), history_noise=0.0, ring_dropout=0.0, action_dropout=0.0
)

#: Windows of one call of the measurement.
ROWS = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Trains dynamics of several sizes and fits how their loss falls."""

    world: str = "coinrun"
    """Whose tokenizer makes the latents."""
    widths: tuple[int, ...] = (48, 80, 112, 160, 224)
    """Widths of the networks that the law is fitted to."""
    held_out: int = 336
    """Width of the one that it predicts."""
    recorded: int = 100_000
    """Frames of the recording that all learn from."""
    measured: int = 192
    """Windows of held-out levels that the loss is measured on."""
    steps: int = 256
    """Updates of each size."""
    every: int = 32
    """Updates between two measurements."""
    batch: int = 12
    """Windows an update."""
    window: int = 16
    """Ticks a window."""
    learning_rate: float = 4e-3
    """Of a width of 256; a width of W learns at this times the root of 256 / W."""
    first: float = 0.25
    """Share of the updates before which nothing is fitted: the warm-up and what follows from it."""
    out: Path | None = None
    """Folder of recordings, runs and results; in the user's data folder unless given."""
    print: bool = False
    """Train nothing, print what is there."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Point:
    """One size after some frames.

    Attributes:
      width: of the network.
      parameters: of the dynamics.
      frames: that it learned from.
      flops: of the matrix products of loss and gradient until then.
      loss: mean squared error of next latents of held-out levels.
    """

    width: int
    parameters: int
    frames: int
    flops: int
    loss: float


def main(config: Config) -> int:
    """Trains what is not trained yet, prints and draws what was found; returns 143 where it was told to end."""
    folder = config.out or data_home() / "scaling"
    widths = (*config.widths, config.held_out)
    if not config.print:
        _requested(config, folder)
        try:
            _train(config, folder, widths)
        except StoppedError as stopped:
            print(stopped, file=sys.stderr)
            return 143
    points = [point for width in widths for point in _found(folder / _name(width))]
    report = summary(config, points)
    write_whole(folder, {REPORT: json.dumps(report, indent=1).encode()})
    draw(folder / PLOT, config, points, ScalingLaw(**report["law"]))
    print("\n".join(table(report)))
    return 0


def summary(config: Config, points: Sequence[Point]) -> dict[str, Any]:
    """Returns the points, the law, and what it says of the size that it has not seen; JSON-ready.

    Raises:
      ValueError: there are too few points for a law.
    """
    begin = config.first * config.steps * config.batch * config.window
    fitted = [point for point in points if point.width != config.held_out and point.frames >= begin]
    law = ScalingLaw.fit(*_columns(fitted))
    apart = np.log(law(*_columns(fitted)[:2])) - np.log(_columns(fitted)[2])
    held_out = [point for point in points if point.width == config.held_out and point.frames >= begin]
    return {
        "request": request(config),
        "points": [dataclasses.asdict(point) for point in points],
        "law": dataclasses.asdict(law),
        "root_mean_square_error": float(np.sqrt(np.mean(apart**2))),
        "predictions": [
            dataclasses.asdict(point)
            | {"predicted": float(law(*_columns([point])[:2])[0])}
            | {"next_smaller": next(one.loss for one in reversed(fitted) if one.frames == point.frames)}
            for point in held_out
        ],
    }


def table(report: dict[str, Any]) -> list[str]:
    """Returns the lines of a table in Markdown, and what the law says."""
    points = [Point(**point) for point in report["points"]]
    predicted = {(one["width"], one["frames"]): one["predicted"] for one in report["predictions"]}
    frames = sorted({point.frames for point in points})[1::2]
    head = ["parameters", *(f"{count:,} frames" for count in frames), "TFLOP"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for _, run in itertools.groupby(points, key=lambda point: point.width):
        listed = list(run)
        losses = {point.frames: f"{point.loss:.4f}" for point in listed}
        for (width, count), loss in predicted.items():
            if width == listed[0].width and count in losses:
                losses[count] += f" (law: {loss:.4f})"
        cells = [f"{listed[0].parameters / 1e6:.2f}M", *(losses.get(count, "") for count in frames)]
        lines.append(f"| {' | '.join(cells)} | {listed[-1].flops / 1e12:,.1f} |")
    formula = "L(N, D) = {floor:.4f} + {size:.3g} / N^{size_power:.3f} + {data:.3g} / D^{data_power:.3f}"
    off = f"with a root mean square error of {100 * report['root_mean_square_error']:.1f} % where it was fitted."
    lines += ["", f"{formula.format(**report['law'])}, {off}"]
    if report["predictions"]:
        last = report["predictions"][-1]
        off, naive = (100 * (last[name] / last["loss"] - 1) for name in ("predicted", "next_smaller"))
        lines.append(
            f"Held out: {last['parameters'] / 1e6:.2f}M parameters after {last['frames']:,} frames, predicted "
            f"{last['predicted']:.4f}, measured {last['loss']:.4f}: {off:+.1f} % ({naive:+.1f} % had one said what the "
            "next smaller size reached)."
        )
    return lines


def draw(path: Path, config: Config, points: Sequence[Point], law: ScalingLaw) -> None:
    """Draws the loss against frames and against operations, a line a size; what the law says is dotted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for index, (width, group) in enumerate(itertools.groupby(points, key=lambda point: point.width)):
        run = list(group)
        parameters, frames, losses = _columns(run)
        label = f"{parameters[0] / 1e6:.2f}M" + (" (held out)" if width == config.held_out else "")
        for axes, x in ((left, frames), (right, np.array([point.flops for point in run], np.float64))):
            axes.plot(x, losses, "o-", color=f"C{index}", label=label, markersize=3)
            axes.plot(x, law(parameters, frames), ":", color=f"C{index}")
    left.set(xscale="log", yscale="log", xlabel="frames seen", ylabel="loss on held-out levels")
    right.set(xscale="log", xlabel="operations of loss and gradient")
    for axes in (left, right):
        axes.grid(alpha=0.3, which="both")
    left.legend(title="parameters")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140)


def sized(base: DynamicsConfig, width: int) -> DynamicsConfig:
    """Returns a dynamics of one width, without map or memory."""
    return dataclasses.replace(
        base, features=width, heads=HEADS.get(width, max(1, width // 48)), groups=2, space_layers=1, head_depth=2,
        memory_heads=0, map=None, camera=None, readouts=HeadsConfig(),
    )  # fmt: skip


def request(config: Config) -> dict[str, Any]:
    """Returns what decides over the results, JSON-ready."""
    decides = dataclasses.asdict(config)
    return {name: value for name, value in decides.items() if name not in ("out", "print", "first")}


def _requested(config: Config, folder: Path) -> None:
    """Sees to it that a folder holds one study only."""
    text = json.dumps(request(config), indent=1)
    if not (path := folder / REQUEST).exists():
        write_whole(folder, {REQUEST: text.encode()})
    elif path.read_text() != text:
        raise SystemExit(f"{folder} holds a study with other settings (see {path}); give another folder with --out.")


def _train(config: Config, folder: Path, widths: Sequence[int]) -> None:
    world = load(config.world)
    assert isinstance(world.model, WorldNetwork), "only learned worlds have a tokenizer"

    def latents(folder: Path, **recording: Any) -> EpisodeDataset:
        frames = studies.recorded(RecordConfig(source=Procgen(), **recording), folder / "frames")
        return studies.latents(world.model.tokenizer, world.params["tokenizer"], frames, folder / "latents")

    seen = latents(folder / "seen", frames=config.recorded, levels=(0, 200_000), seed=1)
    others = latents(folder / "held-out", frames=20_000, levels=studies.HELD_OUT, seed=2)
    for width in widths:
        _run(config, sized(world.model.dynamics, width), seen, others, folder / _name(width))


def _run(config: Config, dynamics: DynamicsConfig, seen: EpisodeDataset, others: EpisodeDataset, folder: Path) -> None:
    """Trains one size and measures it on its way; what is there already is not done again."""
    if (folder / _measurement(config.steps)).exists():
        return
    rate = config.learning_rate * (256 / dynamics.features) ** 0.5
    training = TrainConfig(
        steps=config.steps,
        batch=config.batch,
        window=config.window,
        # The horizon of the average is a ninth of all steps until then: it never reaches this.
        average_decay=0.999,
        optimizer=OptimizerConfig(learning_rate=rate, warmup=max(1, config.steps // 16), decay=0.0),
        # Never at a step that is measured: what a kill takes back is measured again.
        checkpoint_every=config.every - 1 if config.every > 2 else config.steps,
        sample_every=config.every,
    )
    bare = dynamics_stage(dynamics, LEARNED, training, seen, seed=0)
    operations = studies.operations(bare)
    measured = _measure(config, dynamics, others)

    def sample(params: Params, path: Path) -> None:
        step = int(path.stem.rpartition("-")[2])
        found = Point(
            width=dynamics.features,
            parameters=sum(leaf.size for leaf in jax.tree.leaves(params)),
            frames=step * config.batch * config.window,
            flops=step * operations,
            loss=measured(params),
        )
        write_whole(folder, {_measurement(step): json.dumps(dataclasses.asdict(found)).encode()})
        print(f"{found.parameters / 1e6:.2f}M parameters, {found.frames:,} frames: {found.loss:.5f}", file=sys.stderr)

    state = fit(dataclasses.replace(bare, sample=sample), training, folder, seed=0)
    if not (folder / _measurement(config.steps)).exists():
        # Killed between the last checkpoint and its measurement.
        sample(state.average, folder / f"sample-{config.steps:06d}")


def _measure(config: Config, dynamics: DynamicsConfig, others: EpisodeDataset) -> Any:
    """Returns what measures the loss of parameters: on the same windows, with the same noise, for all sizes."""
    arrays = ("latents", "actions", "rewards", "terminals")
    drawn = iter(windows(others, WindowConfig(length=config.window, batch=ROWS, seed=3, arrays=arrays)))
    batches = list(itertools.islice(drawn, -(-config.measured // ROWS)))

    @jax.jit
    def loss(params: Params, batch: dict[str, Array], key: Array) -> Array:
        return dynamics_loss(dynamics, MEASURED, others.spec, params, batch, key)[1]["forcing"]

    def measured(params: Params) -> float:
        keys = jax.random.split(jax.random.key(7), len(batches))
        given = jax.tree.map(jnp.asarray, batches)
        return float(np.mean([loss(params, batch, key) for batch, key in zip(given, keys, strict=True)]))

    return measured


def _name(width: int) -> str:
    return f"width-{width:03d}"


def _measurement(step: int) -> str:
    return f"measured-{step:06d}.json"


def _found(folder: Path) -> list[Point]:
    """Returns what was measured of one size, in the order of frames."""
    return [
        Point(**json.loads(path.read_text())) for path in sorted(folder.glob(_measurement(0).replace("0" * 6, "*")))
    ]


def _columns(points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    names = ("parameters", "frames", "loss")
    one, two, three = (np.array([getattr(point, name) for point in points], np.float64) for name in names)
    return one, two, three


if __name__ == "__main__":
    quiet_without_tpu()
    raise SystemExit(main(tyro.cli(Config, prog="scaling", description=__doc__)))
