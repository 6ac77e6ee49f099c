"""The common yardsticks on a terminal: counts of model and chip, and what papers make of them."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table

from nmcompile.report import Figures
from nmcompile.report.yardsticks.told import NOT_MEASURED, NOTE, counted, estimated, whose


def print_yardsticks(figures: Figures | None) -> None:
    """The table of counts and, where there are some, that of estimates."""
    if figures is None:
        return
    click.echo(f"\nyardsticks, a sample ({whose(figures)})")
    _print(counted(figures), "figure", "float", "chip", "what it counts")
    if figures["estimates"]:
        click.echo(f"\n{NOT_MEASURED}")
        _print(estimated(figures), "estimate", "of", "network", "ANN", "even at", "what it takes")
        click.echo(NOTE)


def _print(rows: Sequence[tuple[str, ...]], first: str, *columns: str) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (first, *columns):
        left = name in (first, columns[-1], "of")
        table.add_column(name, justify="left" if left else "right")
    for row in rows:
        table.add_row(*row)
    Console(width=None if Console().is_terminal else 160).print(table)
