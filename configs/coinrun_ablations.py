"""What each part of the dynamics is worth: CoinRun dynamics that differ in one thing, trained with the same operations.

    tools/ablate                                                   # all of them, on one recording, and the table
    oyster train configs/coinrun_ablations.py:variant=fine-head    # one of them as a world of its own

Cost: 3 to 5 minutes a variant on two cores, with `--updates 250` and latents of the shipped CoinRun. What
`tools/ablate --updates 250` printed, PSNR in dB on 96 windows of held-out levels, the first six on a Xeon (AMX), the
others on an EPYC:

| variant | parameters | updates | PSNR after 1, 4, 8 ticks | drawn in 4 steps |
|---|---|---|---|---|
| plain | 1.90M | 250 | 21.99, 15.32, 12.62 | 21.85, 15.19, 12.52 |
| fine-head-current | 1.56M | 225 | 21.93, 15.01, 12.75 | 20.70, 14.35, 11.73 |
| memory | 2.06M | 237 | 21.67, 15.25, 12.90 | 21.52, 15.15, 12.57 |
| tokens-64 | 1.88M | 72 | 19.79, 12.54, 9.67 | 19.82, 12.55, 9.69 |
| clean-history | 1.90M | 250 | 22.39, 15.16, 12.45 | 22.22, 14.94, 12.36 |
| levels-even | 1.90M | 250 | 21.44, 15.05, 12.15 | 21.61, 15.24, 12.46 |
| deep-head | 1.90M | 247 | 21.61, 14.86, 12.36 | 21.26, 14.60, 12.06 |
| shallow-head | 1.59M | 301 | 22.09, 15.33, 12.72 | 22.01, 15.17, 12.72 |
| fine-head | 1.55M | 225 | 21.80, 14.97, 12.48 | 20.71, 14.44, 11.77 |
| posterior | 1.91M | 249 | 21.24, 15.04, 12.44 | 20.12, 14.38, 11.78 |
| ring-4 | 1.90M | 250 | 21.85, 15.24, 12.54 | 21.64, 15.11, 12.58 |
| tokens-4 | 2.02M | 614 | 21.48, 17.04, 14.46 | 21.44, 16.93, 14.20 |
| ramp | 1.90M | 250 | 19.70, 13.43, 10.79 | 19.86, 13.62, 11.34 |
| one-size | 1.90M | 258 | 22.30, 15.50, 12.61 | 22.32, 15.37, 12.63 |
| own-tokenizer | 1.90M | 250 | 22.11, 15.52, 13.12 | 22.05, 15.46, 13.16 |
| masked-tokenizer | 1.90M | 250 | 22.30, 15.94, 13.11 | 22.21, 15.70, 13.04 |
| channels-8 | 1.88M | 252 | 21.76, 15.19, 12.69 | 21.70, 15.06, 12.62 |
| channels-32 | 1.94M | 246 | 22.12, 15.50, 12.93 | 21.96, 15.20, 12.43 |
| patch-16 | 1.90M | 250 | 22.67, 15.99, 13.36 | 22.66, 15.96, 13.35 |
| the last frame, copied | | | 17.31, 11.35, 8.75 | |

What it says: tokens matter most. A token for each of the 64 places costs more than three times as much, which it is
far from worth here; four tokens of 16 places each cost less than half of the sixteen that ship, and what the updates
they save give is 1.7 and 1.8 dB after 4 and 8 ticks, for 0.5 after the first. Whether that holds after thousands of
updates has not been asked; the next world should. Errors weighted by level (ramp) cost 2 dB: half of the levels are
zero here, which they hardly count; levels drawn evenly (levels-even) cost half a decibel. Memory is worth little
within 8 ticks, as one would think, and a ring of four ticks does as well as the longer one; a clean history learns
the next tick sooner and is behind from the fourth on. One layer of head, whose operations go into 50 more updates, is
as good as two, and better than four of one group. Learning no larger steps (one-size) costs nothing where one
expected step is taken. A head on the latent's own tokens, or one that says how sure it is, expects nearly as well as
the plain one and loses more where it draws: it draws at all, while what the plain one draws is what it expects.

One seed each, on the same 96 windows: a few tenths of a decibel say little. `tools/ablate` prints one more column than
above, the tokenizer alone: 41.36 dB of the shipped one on these windows. Those of own-tokenizer, masked-tokenizer,
channels-8, channels-32 and patch-16, trained a fifth as long, reach 36.38, 33.98, 34.45, 37.98 and 32.54 dB, and what
the dynamics learns of them is as good or better: with half of the patches masked in training (arXiv 2502.03444) it is
ahead by 0.4 dB after 4 ticks, eight channels cost 0.3, and thirty-two give nothing. Sixteen tokens that the tokenizer
itself makes, of patches of 16 pixels (patch-16), are ahead by 0.5 dB of sixteen that the dynamics merges of 64
(own-tokenizer), and are easier to draw; but what they show is 4 dB less sharp. Sharpness is what the shipped one is
worth.

Two rivals with the same operations, data and windows were measured by `tools/rivals.py`, which went again after commit
377f915, for neither won at any tick:

| rival | parameters | updates | PSNR after 1, 4, 8 ticks | drawn | tokenizer alone |
|---|---|---|---|---|---|
| whole | 1.87M | 272 | 20.34, 13.85, 11.26 | 18.75, 13.12, 10.96 | 41.36 |
| discrete | 2.46M | 185 | 18.90, 14.07, 11.70 | 16.63, 13.31, 11.24 | 31.02 |

In `whole` all layers denoise, and each tick of a window has a level of its own (arXiv 2407.01392); `discrete` has a
codebook of 4,096 patches, each the nearest there is, and classifies all of a frame at once (arXiv 2502.01591). A
network that denoises as a whole learns from the ticks that are noisy alone, and at K = 4 a tick costs it four passes
of all layers, where here it is one of the trunk's and four of the head's. Patches lose to latents what scrolling by
fractions of a patch costs a codebook; after 8 ticks they are a decibel behind.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oyster_jax.cli.train import load_experiment
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.models.presets import preset
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.optimizer import OptimizerConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """What is otherwise than in `plain`.

    Attributes:
      dynamics: of the dynamics.
      loss: of its loss.
      objective: of its objective.
      tokenizer: of the tokenizer, of which a variant then trains its own; None for that of the shipped world.
      tokenizer_loss: of that one's loss.
    """

    dynamics: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    loss: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    objective: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    tokenizer: Mapping[str, Any] | None = None
    tokenizer_loss: Mapping[str, Any] = dataclasses.field(default_factory=dict)


VARIANTS: dict[str, Variant] = {
    "plain": Variant(),
    "deep-head": Variant(dynamics={"groups": 1, "head_depth": 4}),
    "shallow-head": Variant(dynamics={"head_depth": 1}),
    "fine-head": Variant(dynamics={"fine_head": 96}),
    "fine-head-current": Variant(dynamics={"fine_head": 96, "fine_current": True}),
    "posterior": Variant(dynamics={"posterior": True}),
    "memory": Variant(dynamics={"memory_heads": 4}),
    "ring-4": Variant(dynamics={"window": 4}),
    "tokens-64": Variant(dynamics={"merge": 1}),
    "tokens-4": Variant(dynamics={"merge": 4}),
    "clean-history": Variant(loss={"history_noise": 0.0}),
    "levels-even": Variant(objective={"zero": 0.0}),
    "ramp": Variant(objective={"ramp": 0.9}),
    "one-size": Variant(objective={"bootstrap": 0.0}),
    "own-tokenizer": Variant(tokenizer={}),
    "masked-tokenizer": Variant(tokenizer={}, tokenizer_loss={"patch_dropout": 0.5}),
    "channels-8": Variant(tokenizer={"channels": 8}),
    "channels-32": Variant(tokenizer={"channels": 32}),
    "patch-16": Variant(dynamics={"merge": 1}, tokenizer={"patch": 16, "channels": 64}),
}


def get_config(variant: str = "plain") -> ExperimentConfig:
    """Returns the experiment of one variant."""
    if variant not in VARIANTS:
        raise ValueError(f"there is no variant '{variant}', only {', '.join(VARIANTS)}")
    chosen = VARIANTS[variant]
    shipped = load_experiment(Path(__file__).with_name("coinrun_nano.py"))
    _, dynamics = preset("nano")
    tokenizer = dataclasses.replace(shipped.tokenizer, **chosen.tokenizer or {})
    small = {"features": 160, "space_layers": 1, "head_depth": 2, "memory_heads": 0}
    grid = {"tokens": tokenizer.tokens, "columns": tokenizer.columns, "channels": tokenizer.channels}
    dynamics = dataclasses.replace(dynamics, **{**small, **grid, **chosen.dynamics})
    objective = dataclasses.replace(shipped.dynamics_loss.objective, **chosen.objective)
    return dataclasses.replace(
        shipped,
        name=f"coinrun_{variant}",
        recording=dataclasses.replace(shipped.recording, source=Procgen(game="coinrun"), frames=100_000),
        tokenizer=tokenizer,
        tokenizer_loss=dataclasses.replace(shipped.tokenizer_loss, **chosen.tokenizer_loss),
        # A fifth of what the shipped one learned.
        tokenizer_training=dataclasses.replace(shipped.tokenizer_training, steps=480),
        dynamics=dynamics,
        dynamics_loss=dataclasses.replace(shipped.dynamics_loss, objective=objective, **chosen.loss),
        dynamics_training=TrainConfig(
            steps=400,
            batch=12,
            window=16,
            average_decay=0.99,
            optimizer=OptimizerConfig(learning_rate=5e-3, warmup=25, decay=0.4),
        ),
        self_rollouts=(),
        judge=None,
        painter=None,
    )
