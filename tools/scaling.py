"""Trains dynamics of several sizes on one recording, and fits how their loss falls with parameters and with frames.

    tools/scaling                            six sizes from 0.3 to 8 million parameters; 40 minutes of one core
    tools/scaling --plot scaling.png
    tools/scaling --sizes 64 96 128 --steps 40 --held-out 160 --frames 6000      smaller

The latents are those of the tokenizer of an installed world. The largest size is held out: the law is fitted to the
others and says what it will reach. Kill it at any moment and give the same command again: it goes on where it was.
One line of JSON a point, and one for the law.
"""

import dataclasses
import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.latents import cache_latents
from oyster_jax.data.manifest import MANIFEST
from oyster_jax.data.record import RecordConfig, record
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.evaluate.scaling_law import ScalingLaw
from oyster_jax.files import write_whole
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.heads import HeadsConfig
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.drafts import frame_encoder
from oyster_jax.train.dynamics import DynamicsLossConfig, dynamics_loss, dynamics_stage
from oyster_jax.train.loop import fit
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.tree import tree_digest
from oyster_jax.typing import Array, Params
from oyster_jax.worlds.registry import data_home, load

#: Windows that the loss is measured on, of levels that nobody is trained on.
HELD_OUT_WINDOWS = 96
#: Features of one attention head.
HEAD = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """What is trained."""

    world: str = "coinrun"
    """Whose tokenizer makes the latents."""
    sizes: tuple[int, ...] = (64, 96, 128, 192, 256)
    """Widths of the networks that the law is fitted to."""
    held_out: int = 352
    """Width of the one that it predicts."""
    frames: Annotated[int, tyro.conf.arg(metavar="N")] = 60_000
    """Of the recording."""
    steps: Annotated[int, tyro.conf.arg(metavar="N")] = 200
    """Updates of each size, at a constant learning rate."""
    points: Annotated[int, tyro.conf.arg(metavar="N")] = 8
    """How often a run is measured on its way."""
    batch: int = 12
    """Windows an update."""
    window: int = 25
    """Ticks a window."""
    learning_rate: float = 2e-3
    """Of all sizes: Muon's updates are scaled to the size of a matrix."""
    folder: Path | None = None
    """Where recordings and runs are kept; in the user's data folder unless given."""
    plot: Path | None = None
    """A PNG to draw."""
    out: Path | None = None
    """A file for the lines of JSON, beside printing them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Point:
    """One size after some frames: the loss of next latents on held-out levels."""

    width: int
    parameters: int
    frames: int
    loss: float


def main(config: Config) -> int:
    """Trains what is not trained yet, and prints points and law."""
    folder = config.folder or data_home() / "scaling"
    network, params = _world(config.world)
    seen = _latents(network, params, folder / "seen", frames=config.frames, levels=(0, 200_000), seed=1)
    others = _latents(network, params, folder / "held-out", frames=8_000, levels=(1_000_000, 1_000_500), seed=2)
    points = [
        point
        for width in (*config.sizes, config.held_out)
        for point in _run(config, network, seen, others, folder / f"width-{width}", width)
    ]
    lines = [dataclasses.asdict(point) for point in points]
    law = fitted([point for point in points if point.width != config.held_out])
    lines.append(_summary(law, points, config.held_out))
    text = "".join(json.dumps(line) + "\n" for line in lines)
    print(text, end="")
    if config.out is not None:
        write_whole(config.out.parent, {config.out.name: text.encode()})
    if config.plot is not None:
        draw(config.plot, law, points, config.held_out)
    return 0


def fitted(points: Sequence[Point]) -> ScalingLaw:
    """Returns the law of some points."""
    return ScalingLaw.fit(*_columns(points))


def sized(base: DynamicsConfig, width: int) -> DynamicsConfig:
    """Returns a dynamics of one width, without map or memory: a group more or a head more would be another dial."""
    return dataclasses.replace(
        base, features=width, heads=width // HEAD, groups=2, space_layers=1, head_depth=1, memory_heads=0, map=None,
        camera=None, readouts=HeadsConfig(),
    )  # fmt: skip


def draw(path: Path, law: ScalingLaw, points: Sequence[Point], held_out: int) -> None:
    """Draws the loss against frames, a line a size; the law's are dotted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for index, width in enumerate(sorted({point.width for point in points})):
        run = [point for point in points if point.width == width]
        parameters, frames, losses = _columns(run)
        label = f"{parameters[0] / 1e6:.2f}M" + (" (held out)" if width == held_out else "")
        axes.plot(frames, losses, "o-", color=f"C{index}", label=label, markersize=3)
        axes.plot(frames, law(parameters, frames), ":", color=f"C{index}")
    axes.set(xscale="log", yscale="log", xlabel="frames seen", ylabel="loss on held-out levels")
    axes.grid(alpha=0.3)
    axes.legend(title="parameters")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140)


def _world(name: str) -> tuple[WorldNetwork, Params]:
    world = load(name)
    assert isinstance(world.model, WorldNetwork), "only learned worlds have a tokenizer"
    return world.model, world.params


def _latents(
    network: WorldNetwork, params: Params, folder: Path, *, frames: int, levels: tuple[int, int], seed: int
) -> EpisodeDataset:
    recording, tokenizer = folder / "frames", params["tokenizer"]
    if not (recording / MANIFEST).exists():
        record(RecordConfig(source=Procgen(), frames=frames, levels=levels, seed=seed), recording)
    encode = frame_encoder(network.tokenizer, tokenizer, None, jitter=0.0, seed=0)
    return cache_latents(EpisodeDataset(recording), encode, tree_digest(tokenizer), folder / "latents")


def _run(
    config: Config, network: WorldNetwork, seen: EpisodeDataset, others: EpisodeDataset, folder: Path, width: int
) -> list[Point]:
    dynamics, weights = sized(network.dynamics, width), DynamicsLossConfig()
    every = max(1, config.steps // config.points)
    training = TrainConfig(
        steps=config.steps,
        batch=config.batch,
        window=config.window,
        average_decay=0.9,
        optimizer=OptimizerConfig(learning_rate=config.learning_rate, warmup=20, decay=0.0),
        checkpoint_every=every,
        sample_every=every,
    )
    windows = _windows(others, config.window)

    @jax.jit
    def measured(params: Params) -> Array:
        loss = functools.partial(dynamics_loss, dynamics, weights, others.spec, params)
        parts = jax.vmap(lambda batch, key: loss(batch, key)[1]["forcing"])
        return jnp.mean(parts(windows, jax.random.split(jax.random.key(7), len(windows["actions"]))))

    def sample(params: Params, path: Path) -> None:
        found = Point(
            width=width,
            parameters=sum(leaf.size for leaf in jax.tree.leaves(params)),
            frames=int(path.stem.split("-")[-1]) * config.batch * config.window,
            loss=float(measured(params)),
        )
        write_whole(folder, {f"{path.stem}.json": json.dumps(dataclasses.asdict(found)).encode()})
        print(f"{found.parameters / 1e6:.2f}M parameters, {found.frames:,} frames: {found.loss:.5f}", file=sys.stderr)

    fit(dynamics_stage(dynamics, weights, training, seen, 0, sample), training, folder, seed=0)
    return [Point(**json.loads(path.read_text())) for path in sorted(folder.glob("sample-*.json"))]


def _windows(dataset: EpisodeDataset, length: int) -> dict[str, Array]:
    """Returns windows spread evenly over a dataset, in batches of eight."""
    whole = np.flatnonzero(dataset.lengths >= length)
    chosen = whole[np.linspace(0, len(whole) - 1, HELD_OUT_WINDOWS).astype(int)]
    arrays = ("latents", "actions", "rewards", "terminals")
    found = [dataset.window(int(episode), 0, length, arrays) for episode in chosen]
    return {
        name: jnp.stack([jnp.asarray(one[name]) for one in found]).reshape(-1, 8, *found[0][name].shape)
        for name in arrays
    }


def _columns(points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    names = ("parameters", "frames", "loss")
    one, two, three = (np.array([getattr(point, name) for point in points], np.float64) for name in names)
    return one, two, three


def _summary(law: ScalingLaw, points: Sequence[Point], held_out: int) -> dict[str, object]:
    """Returns the law, and what it says of the size that it has not seen beside what that reached."""
    last = [point for point in points if point.width == held_out][-1]
    parameters, frames, losses = _columns([last])
    predicted = float(law(parameters, frames)[0])
    return {
        "law": dataclasses.asdict(law),
        "held_out": dataclasses.asdict(last),
        "predicted": predicted,
        "error": predicted / float(losses[0]) - 1,
    }


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Config, description=__doc__)))
