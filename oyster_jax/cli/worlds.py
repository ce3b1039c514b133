"""`oyster worlds`: what is installed."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import tyro

if TYPE_CHECKING:
    from oyster_jax.worlds.registry import WorldSummary


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Lists the installed worlds, or shows the card of one."""

    world: tyro.conf.Positional[str | None] = None
    """Name of an installed world, or the folder of one."""


def main(config: Config) -> int:
    """Prints the table or the card."""
    if config.world is not None:
        return _show(config.world)
    from oyster_jax.worlds.registry import installed, places

    summaries = installed()
    if not summaries:
        print(f"No world is installed; worlds are looked for in {' and '.join(map(str, places()))}.")
        return 0
    _print_table(summaries)
    return 0


def _print_table(summaries: "list[WorldSummary]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("world", "size", "parameters", "trained", "figures", "licence"):
        table.add_column(name, justify="right" if name in ("size", "parameters") else "left", overflow="fold")
    for summary in summaries:
        if summary.problem is not None:
            table.add_row(summary.name, "", "", "", "damaged, see below", "", style="red")
            continue
        record, weights = summary.record, summary.record["weights"]
        table.add_row(
            summary.name,
            f"{weights['bytes'] / 2**20:.1f} MiB",
            f"{weights['parameters']:,}",
            _told(record["training"].get("cost")),
            _told(record["figures"]),
            record["licence"],
        )
    console = Console(highlight=False)
    # Printed by Python itself: rich ends the whole program when a reader leaves early.
    with console.capture() as capture:
        console.print(table)
    print(capture.get(), end="")
    for summary in summaries:
        if summary.problem is not None:
            print(summary.problem)


def _show(name: str) -> int:
    from rich.console import Console
    from rich.markdown import Markdown

    from oyster_jax.worlds.record import CARD, read_record
    from oyster_jax.worlds.registry import find

    folder = find(name)
    record, card = read_record(folder), folder / CARD
    console = Console(highlight=False, soft_wrap=True)
    if card.exists():
        text = card.read_text("utf-8")
        console.print(Markdown(text)) if console.is_terminal else print(text)
    else:
        console.print(f"World {record['name']} has no card.")
    console.print(f"{record['weights']['parameters']:,} parameters, {record['licence']}, in {folder}", markup=False)
    console.print(f"digest {record['digest']}", markup=False)
    return 0


def _told(value: Any) -> str:
    """Writes a figure, or a table of them, as in `psnr 24.1, hours 2.3`; deeper tables are left to the card."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_told(item)}" for name, item in value.items() if _plain(item))
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float)
