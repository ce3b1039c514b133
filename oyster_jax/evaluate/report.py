"""What an evaluation found: the figures of all sections and everything needed to measure them again, as JSON."""

import dataclasses
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.manifest import MANIFEST, digest
from oyster_jax.evaluate.machine import machine, versions
from oyster_jax.evaluate.section import Section
from oyster_jax.evaluate.targets import Outcome
from oyster_jax.files import write_whole

REPORT = "report.json"
SCHEMA_VERSION = 2


def report(
    sections: Sequence[Section],
    outcomes: Sequence[Outcome],
    *,
    world: dict[str, Any],
    dataset: EpisodeDataset | None,
    config: dict[str, Any],
    command: str,
) -> dict[str, Any]:
    """Returns everything that someone needs to trust the figures and to measure them again, JSON-ready.

    Args:
      sections: what was found.
      outcomes: the targets beside it.
      world: what was tried: its name, digest and whatever else tells it from others.
      dataset: on which recording, where there was one.
      config: how.
      command: the command line.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "world": world,
        "figures": {section.name: _jsonable(section.figures) for section in sections},
        "targets": [dataclasses.asdict(outcome) for outcome in outcomes],
        "config": config,
        "dataset": None if dataset is None else _described(dataset),
        "machine": machine(),
        "versions": versions(),
        "command": command,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def write_report(folder: Path, report: dict[str, Any]) -> Path:
    """Writes `report.json` into `folder`, whole or not at all, and returns its path."""
    return write_text(folder / REPORT, json.dumps(report, indent=1, ensure_ascii=False))


def write_text(path: Path, text: str) -> Path:
    """Writes a file, whole or not at all, and returns its path."""
    write_whole(path.parent, {path.name: text.encode()})
    return path


def _described(dataset: EpisodeDataset) -> dict[str, Any]:
    provenance = dataset.manifest.provenance
    return {
        "folder": str(dataset.folder),
        "manifest_sha256": digest(dataset.folder / MANIFEST),
        "source": provenance.source,
        "options": provenance.options,
        "split": provenance.split,
        "levels": provenance.levels,
        "policy": provenance.policy,
        "seed": provenance.seed,
        "frames": dataset.frames,
        "episodes": len(dataset),
    }


def _jsonable(tree: Any) -> Any:
    """Returns a tree of plain numbers with names as strings; what is no number is None, for JSON knows no NaN."""
    if isinstance(tree, dict):
        return {str(name): _jsonable(branch) for name, branch in tree.items()}
    if isinstance(tree, list | tuple):
        return [_jsonable(branch) for branch in tree]
    if hasattr(tree, "tolist"):
        return _jsonable(tree.tolist())
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree
