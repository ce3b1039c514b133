"""Whether a world does what its actions say."""

import dataclasses
from typing import Any

from oyster_jax.evaluate.bootstrap import Bootstrap
from oyster_jax.evaluate.control import action_effect
from oyster_jax.evaluate.open_loop import MODEL, RANDOM_ACTIONS
from oyster_jax.evaluate.section import Section, Table, cell
from oyster_jax.evaluate.suite import Suite

#: The horizon at which the literature gives ΔPSNR.
EFFECT_HORIZON = 4

_ABOUT = (
    "ΔPSNR is how much closer to the truth a world stays under the true actions than under random ones, after 4 "
    "ticks: a world that ignores its actions has 0 dB. Pooled takes the logarithm after the mean over windows, as "
    "all figures here do; the mean of windows is the literature's averaging (its 1.89 dB for CoinRun, GenieRedux, "
    "arXiv 2409.06445, is on other data)."
)


def run(suite: Suite) -> Section:
    """Measures control.

    Raises:
      DatasetError: the recording is not held out, not of this world, or too short.
    """
    measured = suite.near
    bootstrap = Bootstrap(measured.windows.episodes, seed=suite.seed)
    effect = action_effect(
        measured.error(MODEL, EFFECT_HORIZON), measured.error(RANDOM_ACTIONS, EFFECT_HORIZON), bootstrap
    )
    figures: dict[str, Any] = {"effect": dataclasses.asdict(effect)}
    table = Table(
        title="ΔPSNR at 4 ticks, true minus random actions",
        columns=("averaging", "dB"),
        rows=(("pooled", cell(effect.pooled, sign="+")), ("mean of windows", cell(effect.mean_of_windows, sign="+"))),
    )
    return Section(name="control", title="Control", about=_ABOUT, figures=figures, tables=(table,))
