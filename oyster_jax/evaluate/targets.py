"""What a world is to reach: figures of a report beside the bounds that were set for them."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """One bound on one figure.

    Attributes:
      label: what is bounded.
      path: where the figure stands in the report's figures, names joined by slashes; of several, joined by bars, the
        first that is there counts.
      low: what it must reach, where there is such a bound.
      high: what it must not exceed, where there is such a bound.
      unit: as in `dB`.
      full: the lower bound for the full look (backgrounds and themes), where it differs.
      given: another figure and what it must reach for the bound to mean anything, as the length of a run.
    """

    label: str
    path: str
    low: float | None = None
    high: float | None = None
    unit: str = "dB"
    full: float | None = None
    given: tuple[str, float] | None = None

    def bounds(self, *, full: bool) -> tuple[float | None, float | None]:
        """Returns the bounds that hold for a look."""
        return (self.full if full and self.full is not None else self.low), self.high


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """A target and what was found.

    Attributes:
      label: what is bounded.
      section: the section that measures it.
      bound: for people, as in `≥ 30 dB`.
      found: the figure.
      met: whether it lies within the bounds.
    """

    label: str
    section: str
    bound: str
    found: float
    met: bool


#: Ticks of a run of half an hour.
HALF_HOUR = ("drift/ticks", 27_000.0)


def _told(figure: str) -> str:
    """Returns where a figure of jumps stands: by the world's own position, or else its entities, or else the probe."""
    sources = ("position", "entities", "probe")
    return "|".join(f"physics/flights/sources/jumps/{source}/{figure}/value" for source in sources)


TARGETS = (
    Target(label="tokenizer PSNR", path="fidelity/ceiling_psnr/value", low=40.0, full=36.0),
    Target(label="whole-frame PSNR at 1 tick", path="fidelity/psnr/model/1/value", low=30.0),
    Target(label="whole-frame PSNR at 4 ticks", path="fidelity/psnr/model/4/value", low=25.0),
    Target(label="whole-frame PSNR at 8 ticks", path="fidelity/psnr/model/8/value", low=21.0),
    Target(label="seen-region PSNR at 8 ticks", path="fidelity/seen/psnr/model/8/value", low=26.0),
    Target(label="seen-region PSNR at 32 ticks", path="fidelity/seen/psnr/model/32/value", low=24.0),
    Target(label="seen-region PSNR at 128 ticks", path="fidelity/seen/psnr/model/128/value", low=20.0),
    Target(label="ΔPSNR at 4 ticks, pooled", path="control/effect/pooled/value", low=7.0, full=3.0),
    Target(label="action F1 over its ceiling", path="control/actions/ratio/value", low=0.95, unit=""),
    Target(label="a picture, encoded and rendered", path="pictures/reconstruction/value", low=34.0),
    Target(label="8 ticks after one picture, over copy-last", path="pictures/gain/value", low=3.0),
    Target(label="tiles of frames drawn from structure", path="entities/structure/spawned/tiles", low=0.95, unit=""),
    Target(label="creatures of frames drawn from structure", path="entities/structure/spawned/f1", low=0.95, unit=""),
    Target(label="tiles told of frames", path="entities/structure/read/tiles", low=0.95, unit=""),
    Target(label="creatures told of frames", path="entities/structure/read/f1", low=0.95, unit=""),
    Target(label="error of a creature's place", path="entities/structure/read/place", high=0.3, unit="tiles"),
    Target(label="counting right after collecting", path="entities/counting/collecting/right", low=0.9, unit=""),
    Target(label="counting right after making tools", path="entities/counting/making tools/right", low=0.9, unit=""),
    Target(label="counting right after damage", path="entities/counting/damage/right", low=0.9, unit=""),
    Target(label="edits: what was meant, a tick later", path="edits/all/later", low=0.9, unit=""),
    Target(label="edits: other tiles changed", path="edits/all/others", high=0.03, unit=""),
    Target(label="events that come about", path="events/all/success", low=0.85, unit=""),
    Target(label="what else they change", path="events/all/collateral", high=0.05, unit=""),
    Target(label="gravity error, jumps", path=_told("gravity_error"), high=5.0, unit="%"),
    Target(label="apex error", path=_told("apex_error"), high=0.3, unit="tiles"),
    Target(label="share of landings within a tick", path=_told("landing_within_one"), low=0.9, unit=""),
    Target(label="same place after 32 ticks away", path="permanence/absences/32/seen/model/value", low=24.0),
    Target(
        label="sharpness after 30 minutes over real",
        path="drift/sharpness_ratio/value",
        low=0.9,
        high=1.1,
        unit="",
        given=HALF_HOUR,
    ),
    Target(label="control lost in 30 minutes", path="drift/control_loss/value", high=0.15, unit="", given=HALF_HOUR),
    Target(label="ΔPSNR lost in 30 minutes", path="drift/delta_psnr_loss/value", high=0.15, unit="", given=HALF_HOUR),
    Target(
        label="facts said that come true, unseen combinations",
        path="prompts/combinations/scene/value",
        low=0.9,
        unit="",
    ),
    Target(
        label="facts said that come true, unseen paraphrases", path="prompts/paraphrases/scene/value", low=0.8, unit=""
    ),
    Target(label="ticks a second", path="speed/interactive.rate/value", low=60.0, unit="ticks/s"),
    Target(label="99 % of ticks within", path="speed/interactive.tick.p99/value", high=16.7, unit="ms"),
    Target(label="ticks a second of 32 worlds", path="speed/batch.32.rate/value", low=400.0, unit="ticks/s"),
)


def outcomes(figures: Mapping[str, Any], *, full: bool) -> list[Outcome]:
    """Returns every target whose figure is there.

    Args:
      figures: of a report, JSON-ready, by section.
      full: whether the world has the full look, with backgrounds and themes.
    """
    found = []
    for target in TARGETS:
        there = (_at(figures, path.split("/")) for path in target.path.split("|"))
        figure = next((value for value in there if value is not None), None)
        low, high = target.bounds(full=full)
        if figure is None or not _holds(figures, target):
            continue
        met = (low is None or figure >= low) and (high is None or figure <= high)
        found.append(
            Outcome(
                label=target.label,
                section=target.path.partition("/")[0],
                bound=_bound(low, high, target.unit),
                found=figure,
                met=met,
            )
        )
    return found


def _holds(figures: Mapping[str, Any], target: Target) -> bool:
    if target.given is None:
        return True
    path, least = target.given
    reached = _at(figures, path.split("/"))
    return reached is not None and reached >= least


def _at(tree: Any, names: list[str]) -> float | None:
    for name in names:
        if not isinstance(tree, Mapping):
            return None
        # Keys are numbers before they have gone through JSON.
        tree = tree.get(name, tree.get(int(name)) if name.isdigit() else None)
    return float(tree) if isinstance(tree, int | float) else None


def _bound(low: float | None, high: float | None, unit: str) -> str:
    if low is not None and high is not None:
        return f"{low:g} – {high:g} {unit}".strip()
    return f"≥ {low:g} {unit}".strip() if low is not None else f"≤ {high:g} {unit}".strip()
