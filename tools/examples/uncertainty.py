"""When does the learned CoinRun's uncertainty predict its error?

    .venv/bin/python tools/examples/uncertainty.py --out uncertainty    # four minutes on two busy cores

From moments of held-out levels the world goes on under the recorded actions, eight times each with other noise. Its
uncertainty is the spread of these latents, its error their distance to the latents of the true frames; both RMS.
Their rank correlation over moments, tick by tick, says whether the world knows where it will be wrong; beside it
stands that of a rival that knows nothing of noise, how much the picture has changed so far. It is asked twice: as the
world is shipped, predicting the expected latent in one step, and with four steps of sampling. Intervals are 95 %
bootstrap, over moments.

Found, with 64 moments: with four steps it knows well where it will be wrong, the better the further it goes: the rank
correlation is 0.75 [0.59, 0.86] after a tick, 0.86 [0.76, 0.91] after 8 and 0.91 [0.83, 0.95] after 24. As shipped,
it is 0.70 [0.54, 0.81], 0.72 [0.56, 0.83] and 0.67 [0.49, 0.80]. The rival tells next to nothing early (0.13 and 0.17
after a tick), and as shipped the contrary late (-0.42 [-0.61, -0.18] after 24): where little moved, more is wrong.
How large the error is it knows only with four steps, and late: the spread accounts for 22, 60 and 82 % of the squared
error after 1, 8 and 24 ticks; as shipped, for 4, 8 and 12 %, since what it predicts is the mean of what may come.
"""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tyro
import xarray
from matplotlib.figure import Figure
from ranks import interval, resamples, spearman

import oyster_jax
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.evaluate.held_out import cache_home, held_out_data, held_out_recording
from oyster_jax.generate.interventions import nothing, with_sampler
from oyster_jax.generate.measures import Measure, Rows
from oyster_jax.generate.policies import Replay
from oyster_jax.generate.starts import Moments, recorded_moments
from oyster_jax.models import tokenizer
from oyster_jax.parallel.tpu import quiet_without_tpu
from oyster_jax.typing import Array
from oyster_jax.worlds.world import World

CONTEXT, TICKS, SEEDS = 8, 25, 8
SAMPLERS = {"as shipped": nothing(), "4 steps": with_sampler(steps=4, expected=False)}
RIVALS = {"spread": "uncertainty", "change": "change so far"}
COLOURS = {"as shipped": "tab:orange", "4 steps": "tab:blue"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Sets a world's uncertainty beside its error."""

    world: str = "coinrun"
    """Name or folder of the world."""
    data: Path | None = None
    """A recording of held-out levels; one is made in the cache folder unless given."""
    out: Path = Path("uncertainty")
    """Folder of the study and of the plot."""
    moments: int = 64
    """Moments that the world goes on from."""
    seed: int = 0
    """Of the moments and of the resampling."""


def encoded(world: World, frames: Array) -> Array:
    """Returns the latents `[moments, ticks, tokens, channels]` of true frames."""
    encode = tokenizer.bind(world.model.tokenizer, world.params["tokenizer"]).encoder
    return jnp.asarray(jax.lax.map(jax.jit(encode), frames), jnp.float16)


def distance(one: Array, other: Array) -> Array:
    """Returns the RMS distance of latents `[ticks, tokens, channels]`, of each tick."""
    return jnp.sqrt(jnp.mean(jnp.square(one.astype(jnp.float32) - other.astype(jnp.float32)), axis=(-2, -1)))


def studied(world: World, config: Config) -> xarray.Dataset:
    """Runs the study: spread, error and change by start, intervention, seed and tick."""
    given = EpisodeDataset(config.data) if config.data else None
    data = given or held_out_data(held_out_recording(world.record["training"]), cache_home() / "held-out")
    window = {"moments": config.moments, "context": CONTEXT + TICKS - 1, "seed": config.seed}
    whole = recorded_moments(data, world.spec, **window)
    truth = encoded(world, whole.frames[:, CONTEXT - 1 :])

    def error(rows: Rows, first: Rows) -> Array:
        return distance(rows["latents"], truth[rows["start"]])

    def change(rows: Rows, first: Rows) -> Array:
        return distance(rows["latents"], rows["latents"][:1])

    study = oyster_jax.Study(
        ticks=TICKS,
        worlds=world,
        policies=Replay(actions=whole.actions[:, CONTEXT - 1 :]),
        prompts=Moments(frames=whole.frames[:, :CONTEXT], actions=whole.actions[:, : CONTEXT - 1]),
        interventions=SAMPLERS,
        measures={
            "spread": "spread",
            "error": Measure(function=error, dimensions=("tick",), about="RMS distance of latents to the truth"),
            "change": Measure(function=change, dimensions=("tick",), about="RMS distance of latents to the first"),
        },
        seeds=SEEDS,
        block=SEEDS,
        beyond=True,
    )
    return study.run(config.out).squeeze().load()


def rms(values: xarray.DataArray) -> np.ndarray:
    """Returns the root mean square over seeds, `[starts, ticks]`."""
    return np.sqrt((values**2).mean("seed").transpose("start", "tick").values)


def correlation(one: np.ndarray, other: np.ndarray, seed: int) -> np.ndarray:
    """Returns the rank correlation of `[starts]` with the ends of its interval."""
    drawn = resamples(len(one), seed)
    return interval(spearman(one[drawn], other[drawn]))


def main(config: Config) -> None:
    """Runs the study, prints and draws what it found."""
    data = studied(oyster_jax.load(config.world), config)
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    ticks = data.tick.values[1:]
    for name, colour in COLOURS.items():
        one = data.sel(intervention=name)
        error, spread = rms(one.error)[:, 1:], rms(one.spread)[:, 1:]
        for rival, told in RIVALS.items():
            values = rms(one[rival])[:, 1:]
            found = np.array([correlation(a, b, config.seed) for a, b in zip(values.T, error.T, strict=True)])
            left.plot(ticks, found[:, 0], "-" if rival == "spread" else ":", color=colour, label=f"{told}, {name}")
            if rival == "spread":
                left.fill_between(ticks, *found.T[1:], color=colour, alpha=0.2)
            at = [0, 3, 7, 15, 23]
            rows = (f"{ticks[i]}: {found[i, 0]:.2f} [{found[i, 1]:.2f}, {found[i, 2]:.2f}]" for i in at)
            print(f"{name}, {told}, rank correlation with the error at tick", "  ".join(rows))
        # Of a world that is right about its own uncertainty both grow alike: the truth is one draw more.
        right.plot(ticks, np.sqrt((error**2).mean(axis=0)), color=colour, label=f"error, {name}")
        right.plot(ticks, np.sqrt(2 * (spread**2).mean(axis=0)), ":", color=colour, label=f"√2 · uncertainty, {name}")
        share = 2 * (spread[:, [0, 7, 23]] ** 2).mean(axis=0) / (error[:, [0, 7, 23]] ** 2).mean(axis=0)
        print(f"{name}, share of the squared error that it expects, at ticks 1, 8, 24: {np.round(share, 3)}")
    left.set(xlabel="tick", ylabel="rank correlation with the error", ylim=(-0.5, 1))
    right.set(xlabel="tick", ylabel="RMS over latents", ylim=(0, None))
    for axes in (left, right):
        axes.legend(fontsize=7)
    figure.savefig(config.out / "uncertainty.png", dpi=140)


if __name__ == "__main__":
    quiet_without_tpu()
    main(tyro.cli(Config, description=__doc__))
