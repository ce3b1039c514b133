"""Recordings as a folder of video clips, each with a table of its actions beside it.

`run.mp4` (or .webm) has its actions in `run.jsonl` or `run.csv`, one line for every frame, or for every frame but the
last.

A line of .jsonl is an action, or an object with `action` and possibly `reward` and `terminal`. An action is a name
(`"right+jump"`), a number, a list of numbers, or null where it is not known. What `oyster session export` writes can be
read.

A .csv has a header. Its column `action` holds names or numbers; without one, all columns but `reward`, `terminal` and
those of time are the components of the action, as in `left,right,jump` with zeros and ones.
"""

import csv
import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.data.errors import DatasetError
from oyster_jax.data.importers.foreign import Foreign, ForeignEpisode, by_name
from oyster_jax.data.importers.video import pictures, rate_of

VIDEOS = (".mp4", ".webm")
TABLES = (".jsonl", ".csv")

#: Columns of a .csv that are no part of an action.
_TIMES = ("tick", "frame", "step", "time", "timestamp")
_REWARD, _TERMINALS = "reward", ("terminal", "terminated", "done")


def read(path: Path) -> Foreign:
    """Opens a folder of clips.

    Raises:
      DatasetError: a clip has no table or a table no clip, or a file is damaged.
    """
    pairs = _pairs(path)
    tables = [_csv(table) if table.suffix == ".csv" else _jsonl(table) for _, table in pairs]
    labels = {labels for labels, _ in tables}
    if len(labels) > 1:
        raise DatasetError(f"The tables in {path} have different columns; write all alike.")
    table, actions = by_name([[row["action"] for row in rows] for _, rows in tables], str(path))
    episodes = [
        ForeignEpisode(
            name=video.name,
            actions=numbers,
            frames=functools.partial(pictures, video),
            rewards=_column(rows, (_REWARD,), np.float32),
            terminals=_column(rows, _TERMINALS, bool),
        )
        for (video, _), (_, rows), numbers in zip(pairs, tables, actions, strict=True)
    ]
    rate = rate_of(pairs[0][0])
    return Foreign(
        kind="clips",
        episodes=tuple(episodes),
        rate=rate,
        table=table,
        labels=labels.pop(),
        named=table is not None,
    )


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    files = sorted(folder.iterdir())
    videos = {file.stem: file for file in files if file.suffix in VIDEOS}
    tables = {file.stem: file for file in files if file.suffix in TABLES}
    if not videos:
        raise DatasetError(f"{folder} holds no {' or '.join(VIDEOS)}; give a folder with clips and their actions.")
    for one, other, needed in ((videos, tables, TABLES), (tables, videos, VIDEOS)):
        if alone := next((file for stem, file in one.items() if stem not in other), None):
            wanted = " or ".join(alone.with_suffix(suffix).name for suffix in needed)
            raise DatasetError(f"{alone} stands alone: {wanted} should be beside it. Add it, or take the file away.")
    return [(video, tables[stem]) for stem, video in videos.items()]


def _jsonl(path: Path) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    rows = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except ValueError as error:
            raise DatasetError(f"Line {number} of {path} is no JSON ({error}); mend it.") from error
        row = given if isinstance(given, dict) else {"action": given}
        # An exported session tells of other events too, and has the name of an action beside its number.
        if "action" in row:
            rows.append(row | {"action": row.get("name", row["action"])})
    return (), rows


def _csv(path: Path) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    lines = csv.DictReader(_text(path).splitlines(), skipinitialspace=True)
    columns = [name.strip() for name in lines.fieldnames or ()]
    parts = [name for name in columns if name not in (*_TIMES, _REWARD, *_TERMINALS)]
    if "action" not in columns and not parts:
        raise DatasetError(f"{path} has no column 'action'; its first line should name the columns.")
    lines.fieldnames = columns
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 2):
        if None in line or None in line.values():
            raise DatasetError(f"Line {number} of {path} has another number of columns than the first; mend it.")
        action = line["action"] if "action" in columns else [_number(line[part], path, number) for part in parts]
        told = {name: _number(line[name], path, number) for name in (_REWARD, *_TERMINALS) if name in columns}
        rows.append(told | {"action": action})
    if "action" not in columns:
        return tuple(parts), rows
    # Numbers if all of them are, names otherwise.
    if all(_is_number(row["action"]) for row in rows if row["action"]):
        rows = [row | {"action": float(row["action"]) if row["action"] else None} for row in rows]
    return (), [row | {"action": row["action"] or None} if row["action"] == "" else row for row in rows]


def _column(rows: Sequence[dict[str, Any]], names: Iterable[str], dtype: type) -> np.ndarray | None:
    """Returns a column of all rows, under the first name that they know; None if they know none."""
    name = next((name for name in names if rows and name in rows[0]), None)
    return None if name is None else np.asarray([row.get(name, 0) for row in rows]).astype(dtype)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except ValueError as error:
        raise DatasetError(f"{path} is no text ({error}); write it again.") from error


def _number(text: str, path: Path, line: int) -> float:
    words = {"true": 1.0, "false": 0.0, "": float("nan")}
    try:
        return words[text.lower()] if text.lower() in words else float(text)
    except ValueError as error:
        raise DatasetError(f"'{text}' in line {line} of {path} is no number; mend it.") from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
