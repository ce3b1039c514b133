"""Does the learned CoinRun rank policies as the real one does?

    .venv/bin/python tools/examples/ranking.py --out ranking    # ten minutes on two busy cores

Ten policies of different strength, none of which looks at the frame, act from the same moments of held-out levels in
the simulator and in the world (a `Study`). Their returns and how far to the right they got are set beside each other,
with Spearman's rank correlation over policies; intervals are 95 % bootstrap, over moments.

Found, with 40 moments and 64 ticks: the world ranks policies by how far they get nearly as reality does, rank
correlation 0.96 [0.87, 1.00], and so its progress foretells their true returns, 0.94 [0.84, 0.98]. Its own returns
are a worse guide, 0.65 [0.43, 0.83]: it gives hardly any reward (0.30) to the policy that in reality gets most
(6.25), which only jumps to the right.
"""

import dataclasses
from pathlib import Path

import numpy as np
import tyro
from matplotlib.figure import Figure
from ranks import interval, resamples, spearman
from reality import Reality, sticky

import oyster_jax
from oyster_jax.data.camera import pixels_per_tile
from oyster_jax.data.manifest import FIRST_HELD_OUT_LEVEL
from oyster_jax.parallel.tpu import quiet_without_tpu

EVERYTHING = dict.fromkeys(("left", "left+jump", "noop", "jump", "right", "right+jump"), 1.0)

#: What each draws from, and how often it draws anew.
POLICIES = {
    "left": ({"left": 1.0}, 0.2),
    "still": ({"noop": 1.0}, 0.2),
    "jump on the spot": ({"jump": 1.0}, 0.2),
    "any, at every tick": (EVERYTHING, 1.0),
    "any, sticky": (EVERYTHING, 0.1),
    "as recordings": (None, 0.2),
    "right": ({"right": 1.0}, 0.2),
    "right, some jumps": ({"right": 0.85, "right+jump": 0.15}, 0.3),
    "right, many jumps": ({"right": 0.4, "right+jump": 0.6}, 0.2),
    "right, jumps alone": ({"right+jump": 1.0}, 0.2),
}
SEEDS = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Ranks policies in a world and in its simulator."""

    world: str = "coinrun"
    """Name or folder of the world."""
    out: Path = Path("ranking")
    """Folder of the study and of the plot."""
    moments: int = 40
    """Moments that every policy begins from."""
    ticks: int = 64
    """Ticks of every rollout."""
    seed: int = 0
    """Of the moments and of the resampling."""


def resampled(values: np.ndarray, seed: int) -> np.ndarray:
    """Returns means over moments of `[policies, moments]`: `[1 + resamples, policies]`, the first of all moments."""
    return values[:, resamples(values.shape[1], seed)].mean(axis=-1).T


def main(config: Config) -> None:
    """Plays in both, prints and draws how they agree."""
    world = oyster_jax.load(config.world)
    policies = {name: sticky(world.spec.action, *given) for name, given in POLICIES.items()}
    levels = (FIRST_HELD_OUT_LEVEL, FIRST_HELD_OUT_LEVEL + 10_000)
    reality = Reality(world, moments=config.moments, levels=levels, wander=16, seed=config.seed)
    played = {n: [reality.play(p, config.ticks, seed=seed) for seed in range(8)] for n, p in policies.items()}
    reality.close()
    study = oyster_jax.Study(
        ticks=config.ticks,
        worlds=world,
        policies=policies,
        prompts=reality.moments,
        measures=["return", "displacement"],
        seeds=SEEDS,
        block=SEEDS,
    )
    data = study.run(config.out).squeeze().mean("seed").transpose("policy", "start", ...).load()
    said = {
        "return": data["return"].values,
        "progress": data.displacement.sel(axis="x").values / pixels_per_tile(world.spec),
    }
    true = {
        "return": np.stack([np.mean([one.rewards.sum(1) for one in runs], 0) for runs in played.values()]),
        "progress": np.stack(
            [np.mean([one.places[:, -1, 0] - one.places[:, 0, 0] for one in runs], 0) for runs in played.values()]
        ),
    }
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    print(f"{len(reality.chosen)} moments, {config.ticks} ticks")
    for axes, name in zip(figure.subplots(1, 2), said, strict=True):
        model, real = resampled(said[name], config.seed), resampled(true[name], config.seed)
        value, low, high = interval(spearman(model, real))
        print(f"{name}: rank correlation over {len(policies)} policies {value:.2f} [{low:.2f}, {high:.2f}]")
        (x, *x_ends), (y, *y_ends) = interval(real), interval(model)
        axes.errorbar(x, y, xerr=np.abs(x_ends - x), yerr=np.abs(y_ends - y), fmt="o", capsize=2)
        for policy, one, other in zip(policies, x, y, strict=True):
            axes.annotate(policy, (one, other), xytext=(4, 4), textcoords="offset points", fontsize=7)
            print(f"  {policy:20} real {one:6.2f}  world {other:6.2f}")
        axes.set(xlabel=f"{name} in the simulator", ylabel=f"{name} in the world", title=f"ρ = {value:.2f}")
    value, low, high = interval(
        spearman(resampled(said["progress"], config.seed), resampled(true["return"], config.seed))
    )
    print(f"progress in the world against return in the simulator: {value:.2f} [{low:.2f}, {high:.2f}]")
    figure.savefig(config.out / "ranking.png", dpi=140)


if __name__ == "__main__":
    quiet_without_tpu()
    main(tyro.cli(Config, description=__doc__))
