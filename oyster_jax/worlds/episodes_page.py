"""A told story for others: every way through it as an episode, and a page that shows how they fork."""

import html
from collections.abc import Sequence
from pathlib import Path

from oyster_jax.core.spec import WorldSpec
from oyster_jax.evaluate.page import STYLE
from oyster_jax.files import write_whole
from oyster_jax.session.export import Span, export
from oyster_jax.session.replayer import Replayer
from oyster_jax.session.timeline import BranchLine, Timeline, timeline_of

PAGE = "index.html"

_LOOK = """
ul.tree { list-style: none; padding-left: 1.25rem; border-left: 2px solid var(--line); }
ul.tree:first-of-type { border: 0; padding-left: 0; } ul.tree video { display: block; width: 16rem; margin: .5rem 0;
  image-rendering: pixelated; }
"""


def write_episodes(replayer: Replayer, spec: WorldSpec, leaves: Sequence[str], out: Path) -> Path:
    """Writes `LEAF.mp4` and `LEAF.jsonl` (a line a tick and event) of each way through, and the page.

    Args:
      replayer: of the session in which the story was lived.
      spec: of the world.
      leaves: branches at whose ends no other leaves.
      out: the folder.

    Returns:
      The page.
    """
    files = {name: f"{number}-{name}" for number, name in enumerate(leaves, 1)}
    for name, file in files.items():
        span = Span(branch=name, start=0, stop=replayer.archive.branch(name).end)
        for ending in (".mp4", ".jsonl"):
            path = out / (file + ending)
            export(replayer, span, path, actions=spec.action, rate=spec.frame.rate, captions=True)
    tree = _tree(timeline_of(replayer.archive), None, files, spec.frame.rate)
    title = f"A story in {html.escape(spec.name)}"
    manifest = replayer.archive.manifest
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}{_LOOK}</style>'
        f'<h1>{title}</h1><p class="dim">{len(leaves)} ways through it. World {html.escape(spec.name)}, '
        f"weights {html.escape(manifest['digest'])}, seed {manifest['seed']}.</p>{tree}</html>"
    )
    write_whole(out, {PAGE: page.encode()})
    return out / PAGE


def _tree(timeline: Timeline, parent: str | None, files: dict[str, str], rate: float) -> str:
    items = [_item(timeline, line, files, rate) for line in timeline.children(parent)]
    return f'<ul class="tree">{"".join(items)}</ul>' if items else ""


def _item(timeline: Timeline, line: BranchLine, files: dict[str, str], rate: float) -> str:
    told = f"from {line.at / rate:.1f} s to {line.end / rate:.1f} s"
    beside = [(label.tick, label.text) for label in line.labels]
    beside += [(one.tick, f"{one.kind}: {one.text}") for one in line.interventions]
    lines = (
        f"<li>{tick / rate:.1f} s (tick {tick}): {html.escape(text)}</li>"
        for tick, text in sorted(beside, key=lambda one: one[0])
    )
    clip = ""
    if (file := files.get(line.name)) is not None:
        clip = f'<video src="{file}.mp4" controls loop muted></video><a href="{file}.jsonl">what was done</a>'
    below = _tree(timeline, line.name, files, rate)
    name = f'<strong>{line.name}</strong> <span class="dim">{told}</span>'
    return f"<li>{name}<ul>{''.join(lines)}</ul>{clip}{below}</li>"
