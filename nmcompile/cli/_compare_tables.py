"""Builds beside each other on a terminal."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nmcompile.comparison import Figures
from nmcompile.report.compared_formats import change_text, metric_text


def print_comparison(found: Figures) -> None:
    """The table of metrics, what was made otherwise, and the gates."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for build in found["builds"]:
        table.add_column(escape(build["name"]), justify="right", overflow="fold")
    table.add_row("target", *(build["target"] for build in found["builds"]))
    for row in found["metrics"]:
        if any(value is not None for value in row["values"]):
            table.add_row(row["words"], *(
                _cell(row["metric"], row["unit"], *each)
                for each in zip(row["values"], row["changes"], range(len(row["values"])),
                                strict=True)))
    Console(width=None if Console().is_terminal else 160).print(table)
    for build, causes in zip(found["builds"][1:], found["causes"], strict=True):
        click.echo(f"{build['name']} against {found['builds'][0]['name']}:")
        for cause in causes or ["nothing was made otherwise"]:
            click.echo(f"  {cause}")
    for gate in found["gates"]:
        broken = ", ".join(gate["broken_by"])
        click.echo(f"gate {gate['gate']}: {f'broken by {broken}' if broken else 'kept'}")


def _cell(metric: str, unit: str, value: float | None, change: float | None, place: int) -> str:
    told = change_text(change) if place else ""
    return metric_text(metric, unit, value) + (f" ({told})" if told else "")
