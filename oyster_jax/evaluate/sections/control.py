"""Whether a world does what its actions say."""

import dataclasses
from typing import Any

from oyster_jax.evaluate.action_score import (
    ActionScoreConfig,
    ActionScoreFigures,
    action_score_figures,
    measure_action_score,
)
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
    "arXiv 2409.06445, is on other data). Action F1 asks a judge, networks trained on real frames only, to read the "
    "buttons back from the simulated frames; its ceiling is what it reads from real frames, chance what it would "
    "score against the actions of another window."
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
    figures: dict[str, Any] = {"effect": dataclasses.asdict(effect), "actions": None}
    tables = [
        Table(
            title=f"ΔPSNR at {EFFECT_HORIZON} ticks, true minus random actions",
            columns=("averaging", "dB"),
            rows=(
                ("pooled", cell(effect.pooled, sign="+")),
                ("mean of windows", cell(effect.mean_of_windows, sign="+")),
            ),
        )
    ]
    if suite.judge is not None:
        found = _score(suite)
        figures["actions"] = dataclasses.asdict(found)
        tables.append(_table(found))
    return Section(name="control", title="Control", about=_ABOUT, figures=figures, tables=tuple(tables))


def _score(suite: Suite) -> ActionScoreFigures:
    config = ActionScoreConfig(windows=max(suite.windows // 2, 1), context=suite.context, seed=suite.seed)
    with suite.report("reading actions back", "windows") as progress:
        measured = measure_action_score(suite.model, suite.params, suite.dataset, suite.reader, config, progress)
    return action_score_figures(measured)


def _table(found: ActionScoreFigures) -> Table:
    buttons = tuple(
        (button, cell(found.f1[button], 3), cell(found.ceiling[button], 3), cell(found.chance[button], 3))
        for button in found.f1
    )
    macro = ("mean of buttons", cell(found.macro, 3), cell(found.macro_ceiling, 3), cell(found.macro_chance, 3))
    return Table(
        title="Action F1: buttons read back from frames",
        columns=("button", "model", "ceiling", "chance"),
        rows=(*buttons, macro),
        notes=(f"Model over ceiling: {cell(found.ratio, 3)}.",),
    )
