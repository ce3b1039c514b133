"""An evaluation as one page: a folder that opens in any browser, without a network and without scripts."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.evaluate.pictures import write_clips, write_plots
from oyster_jax.evaluate.report import write_text
from oyster_jax.evaluate.section import Clip, Plot, Section, Table
from oyster_jax.evaluate.targets import Outcome

PAGE = "index.html"
PLOTS, CLIPS = "plots", "clips"

#: Pixels of the page for one of a clip.
_ENLARGED = 3

#: The look of a page that opens without a network.
STYLE = """
:root { color-scheme: light dark; --ink: #1d2329; --dim: #5d6873; --paper: #fbfbf9; --card: #ffffff; --line: #dfe3e6;
  --good: #16794c; --bad: #b3401f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --dim: #98a3ad; --paper: #14181b; --card: #000000;
  --line: #30373d; --good: #5cc795; --bad: #f08a68; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.9rem; margin: 0 0 .25rem; } h2 { margin: 3rem 0 .5rem; border-top: 1px solid var(--line);
  padding-top: 1.5rem; } h3 { font-size: 1rem; margin: 1.75rem 0 .4rem; }
p { max-width: 46rem; } .dim, figcaption, footer { color: var(--dim); font-size: .9rem; }
nav a { margin-right: 1rem; } a { color: inherit; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { text-align: right; padding: .3rem .8rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } th { color: var(--dim); font-weight: 600; }
.met { color: var(--good); } .missed { color: var(--bad); }
figure { margin: 1.25rem 0; } figure img { max-width: 100%; height: auto; border: 1px solid var(--line);
  border-radius: 6px; background: var(--card); }
.clips { display: flex; flex-wrap: wrap; gap: 1.25rem; } .clips figure { margin: .5rem 0; }
.clips img { image-rendering: pixelated; } .sides { display: flex; justify-content: space-around; font-size: .85rem; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; } footer dt { font-weight: 600; }
footer dd { margin: 0 0 .5rem; overflow-wrap: anywhere; }
"""

_READ = (
    "A learned world was shown real frames of levels that it was never trained on and then went on alone. Every "
    "table says how close it stayed to the real game, with something simple beside it to compare with; ± is the 95 % "
    "interval from resampling episodes. In the clips the real game and the world run side by side under the same "
    "actions."
)


def write_media(folder: Path, section: Section, *, rate: float) -> None:
    """Writes the plots and clips of a section where the page in `folder` looks for them.

    Args:
      folder: of the page; what it held under the same names is replaced.
      section: what was found.
      rate: ticks of world time a second, the speed of clips that have none of their own.
    """
    write_plots(folder / PLOTS, section.plots)
    write_clips(folder / CLIPS, section.clips, rate=rate)


def write_page(
    folder: Path,
    sections: Sequence[Section],
    outcomes: Sequence[Outcome],
    report: Mapping[str, Any],
    *,
    skipped: Mapping[str, str],
) -> Path:
    """Writes `index.html` into `folder` and returns its path; `write_media` writes what it shows.

    Args:
      folder: where to; an earlier page is replaced.
      sections: what was found.
      outcomes: the targets beside it.
      report: what `report` returned.
      skipped: sections that could not be measured, with the reason.
    """
    name = html.escape(report["world"]["name"])
    links = "".join(f'<a href="#{section.name}">{html.escape(section.title)}</a>' for section in sections)
    parts = [
        f"<h1>{name}</h1>",
        f'<p class="dim">{_what(report)}</p>',
        f"<p>{_READ}</p>",
        f"<nav>{links}</nav>",
        _outcomes(outcomes),
        *(_section(section) for section in sections),
        _skipped(skipped),
        _footer(report),
    ]
    document = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name} – Oyster</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(filter(None, parts))
        + "\n</body>\n</html>\n"
    )
    return write_text(folder / PAGE, document)


def _what(report: Mapping[str, Any]) -> str:
    world, data = report["world"], report["dataset"]
    said = [f"{world['parameters']:,} parameters"] if "parameters" in world else []
    if data is not None:
        levels = "" if data["levels"] is None else f", levels {data['levels'][0]:,} to {data['levels'][1] - 1:,}"
        said.append(f"{data['frames']:,} {data['split']} frames of {data['source']}{levels}, policy {data['policy']}")
    return html.escape("; ".join([*said, report["time"]]))


def _outcomes(outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return ""
    rows = "".join(_outcome(outcome) for outcome in outcomes)
    head = "<tr><th>figure</th><th>target</th><th>found</th><th></th></tr>"
    return f'<h3>Targets</h3><div class="scroll"><table>{head}{rows}</table></div>'


def _outcome(outcome: Outcome) -> str:
    label, bound = html.escape(outcome.label), html.escape(outcome.bound)
    name, said = ("met", "reached") if outcome.met else ("missed", "not reached")
    return (
        f'<tr><td><a href="#{outcome.section}">{label}</a></td><td>{bound}</td><td>{outcome.found:.2f}</td>'
        f'<td class="{name}">{said}</td></tr>'
    )


def _section(section: Section) -> str:
    clips = "".join(_clip(clip) for clip in section.clips)
    return "\n".join(
        [
            f'<section id="{section.name}"><h2>{html.escape(section.title)}</h2><p>{html.escape(section.about)}</p>',
            *(_table(table) for table in section.tables),
            *(_plot(plot) for plot in section.plots),
            f'<div class="clips">{clips}</div></section>' if clips else "</section>",
        ]
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in table.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in row)}</tr>" for row in table.rows)
    notes = "".join(f'<p class="dim">{html.escape(note)}</p>' for note in table.notes)
    return f'<h3>{html.escape(table.title)}</h3><div class="scroll"><table><tr>{head}</tr>{rows}</table></div>{notes}'


def _plot(plot: Plot) -> str:
    caption = html.escape(plot.caption)
    return (
        f'<figure><picture><source srcset="{PLOTS}/{plot.name}-dark.png" media="(prefers-color-scheme: dark)">'
        f'<img src="{PLOTS}/{plot.name}.png" width="700" alt="{caption}"></picture>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _clip(clip: Clip) -> str:
    sides = list(clip.sides.values())
    height, width = np.asarray(sides[0]).shape[1:3]
    labels = "".join(f"<span>{html.escape(label)}</span>" for label in clip.sides)
    caption = html.escape(clip.caption)
    return (
        f'<figure><div class="sides">{labels}</div><img loading="lazy" src="{CLIPS}/{clip.name}.webp" '
        f'width="{_ENLARGED * len(sides) * width}" height="{_ENLARGED * height}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _skipped(skipped: Mapping[str, str]) -> str:
    if not skipped:
        return ""
    items = "".join(f"<li>{html.escape(name)}: {html.escape(why)}</li>" for name, why in skipped.items())
    return f'<section><h2>Not measured</h2><ul class="dim">{items}</ul></section>'


def _footer(report: Mapping[str, Any]) -> str:
    machine = report["machine"]
    facts = {
        "command": report["command"],
        "weights": report["world"].get("digest", ""),
        "machine": f"{machine['processor']}, {machine['cores']} cores, load {machine['load']}",
        "versions": ", ".join(f"{name} {version}" for name, version in report["versions"].items()),
        "figures": "all of them, with intervals, are in report.json",
    }
    items = "".join(f"<dt>{name}</dt><dd>{html.escape(str(fact))}</dd>" for name, fact in facts.items())
    return f"<footer><dl>{items}</dl></footer>"
