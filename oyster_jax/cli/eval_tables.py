"""What an evaluation found, as tables in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from oyster_jax.evaluate.section import Section, Table
from oyster_jax.evaluate.targets import Outcome

#: Characters that the widest table takes; in a narrower terminal its lines wrap rather than lose figures.
_WIDTH = 100


def wide_console() -> Console:
    """Returns a console in which every table has room."""
    return Console(width=max(Console().width, _WIDTH))


def print_section(console: Console, section: Section) -> None:
    """Prints a section's tables with their notes."""
    for table in section.tables:
        _print(console, table, {})


def print_outcomes(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Prints the targets beside what was found."""
    if not outcomes:
        return
    rows = tuple(
        (outcome.label, outcome.bound, f"{outcome.found:.2f}", "reached" if outcome.met else "not reached")
        for outcome in outcomes
    )
    table = Table(title="Targets", columns=("figure", "target", "found", ""), rows=rows)
    _print(console, table, {"reached": "green", "not reached": "yellow"})


def _print(console: Console, table: Table, colours: dict[str, str]) -> None:
    drawn = RichTable(title=escape(table.title), box=box.SIMPLE_HEAD)
    for index, column in enumerate(table.columns):
        drawn.add_column(escape(column), justify="right" if index else "left", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*(f"[{colours[text]}]{text}[/]" if text in colours else escape(text) for text in row))
    console.print(drawn)
    for note in table.notes:
        console.print(escape(note), highlight=False, soft_wrap=True)
