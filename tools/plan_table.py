"""Plans every size on every topology, one after the other, and prints the table that the README shows.

    tools/plan_table --out plans                  # all cells; what is there already is not compiled again
    tools/plan_table --out plans --only base      # one size
    tools/plan_table --out plans --print          # compiles nothing

Each cell is one `oyster plan … --only train` in a process of its own, whose memory is free again when it ends. What one
slice does is found by `--sweep`; several are copies of it, each with its windows.
"""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import tyro

ROOT = Path(__file__).resolve().parents[1]

#: Chips of one slice.
TOPOLOGIES = ("v5e:16x16", "v5p:4x4x8", "v6e:16x16", "tpu7x:4x4x4")

HEAD = (
    "| size | chips | mesh | windows | HBM | step takes at least | limited by | MFU at most |",
    "|---|---|---|---|---|---|---|---|",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """One size on one topology.

    Attributes:
      size: name of the configuration.
      topology: of one slice.
      slices: how many.
      copied: the plan of one slice, whose mesh all have; a sweep finds mesh and batch where it is None.
    """

    size: str
    topology: str
    slices: int
    copied: dict[str, Any] | None = None

    @property
    def options(self) -> list[str]:
        """What `oyster plan` is asked."""
        return [
            *(f"configs/{self.size}.py", "--topology", self.topology, "--slices", str(self.slices)),
            *("--only", "train"),
            *self._how,
        ]

    @property
    def _how(self) -> list[str]:
        if self.copied is None:
            return ["--sweep"]
        (train,) = self.copied["programs"]
        ways = [f"--mesh.{axis}={train['mesh'][axis]}" for axis in ("data", "fsdp", "tensor")]
        return ["--batch", str(train["rows"] * self.slices), *ways]

    @property
    def folder(self) -> str:
        """Where its plan is written."""
        return f"{self.size}-{self.topology.replace(':', '-')}-{self.slices}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Plans every size on every topology and prints the table."""

    out: Path = Path("plans")
    """Folder of the plans, one in it for each cell."""
    only: tuple[Literal["base", "large", "xl"], ...] = ("base", "large", "xl")
    """Sizes that are planned."""
    slices: tuple[int, ...] = (1, 2)
    """How many slices."""
    effort: Literal["O0", "O1", "O2", "O3"] = "O0"
    """How hard the compiler tries."""
    print: bool = False
    """Compile nothing, print what is there."""


def main(config: Config) -> int:
    """Plans what is not there yet; returns 1 unless every cell fits."""
    cells, found = [], []
    for cell in _cells(config):
        one = dataclasses.replace(cell, slices=1)
        cell = cell if cell.slices == 1 else dataclasses.replace(cell, copied=_found(config.out, one))
        if not config.print and _found(config.out, cell) is None:
            _plan(config, cell)
        cells.append(cell)
        found.append(_found(config.out, cell))
    print("\n".join(table(cells, found)))
    return 0 if all(plan is not None and plan["programs"][0]["fits"] for plan in found) else 1


def table(cells: Sequence[Cell], found: Sequence[dict[str, Any] | None]) -> list[str]:
    """Returns the lines of a table in Markdown."""
    return [*HEAD, *(_row(cell, plan) for cell, plan in zip(cells, found, strict=True))]


def _cells(config: Config) -> Iterator[Cell]:
    for size in config.only:
        for topology in TOPOLOGIES:
            for slices in config.slices:
                yield Cell(size=size, topology=topology, slices=slices)


def _plan(config: Config, cell: Cell) -> None:
    options = [*cell.options, "--effort", config.effort, "--out", str(config.out.resolve() / cell.folder)]
    print(f"oyster plan {' '.join(options)}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "oyster_jax.cli.main", "plan", *options], cwd=ROOT, check=False, capture_output=True,
        text=True,
    )  # fmt: skip
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        print(done.stderr, file=sys.stderr, flush=True)


def _found(folder: Path, cell: Cell) -> dict[str, Any] | None:
    """Returns the plan of a cell, None where there is none."""
    path = folder / cell.folder / "plan.json"
    if not path.exists():
        return None
    plan = json.loads(path.read_text())
    return plan if f"plan {' '.join(cell.options)} " in plan["command"] else None


def _row(cell: Cell, plan: dict[str, Any] | None) -> str:
    chips = f"{cell.slices} × {cell.topology}" if cell.slices > 1 else cell.topology
    if plan is None:
        return f"| {cell.size} | {chips} | not planned | | | | | |"
    (train,) = plan["programs"]
    mesh = " × ".join(f"{axis} {ways}" for axis, ways in train["mesh"].items() if ways > 1)
    memory = f"{100 * train['share']:.0f} % of {train['usable'] / 2**30:.1f} GiB"
    line = train["roofline"]
    speed = ("does not fit", "", "") if line is None else (
        f"{1e3 * line['seconds']:,.0f} ms", line["bound"], f"{100 * line['utilization']:.0f} %"
    )  # fmt: skip
    return f"| {' | '.join((cell.size, chips, mesh, f'{train["rows"]:,}', memory, *speed))} |"


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Config, prog="plan_table", description=__doc__)))
