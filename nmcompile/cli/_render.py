"""Figures as tables for a terminal."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from nmcompile.report import Figures

PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))


def progress_bar() -> Progress:
    """A bar on stderr, silent where stderr is not a terminal."""
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def print_json(figures: Figures) -> None:
    """One JSON object on stdout."""
    click.echo(json.dumps(figures, indent=1, allow_nan=False))


def print_checks(figures: Figures) -> None:
    """The chain of checks, one line for each arrow."""
    for check in figures["checks"]:
        click.echo(f"  {check['arrow']:9} {check['text']}")


def print_summary(figures: Figures) -> None:
    """Accuracy, latency, energy and the table of layers."""
    cores = f"{figures['cores']} cores on {figures['chips']} chip(s)"
    click.echo(f"target    {figures['target']}, {cores}")
    if figures["accuracy"] is not None:
        click.echo(f"accuracy  {100 * figures['accuracy']:.2f} % of {figures['samples']} samples")
    if figures["latency_s"] is not None:
        latency = figures["latency_s"]
        click.echo(
            f"latency   {si(latency['per_sample_mean'], 's')} a sample, "
            f"{si(latency['per_step_mean'], 's')} a step on average, "
            f"{si(latency['per_step_max'], 's')} at most ({figures['steps']} steps)"
        )
        if latency["overruns"]:
            click.echo(f"overruns  {latency['overruns']:,} steps are longer than the chip's tick: "
                       "its cores would fall behind")
        click.echo(
            f"energy    {si(figures['energy_per_sample_j'], 'J')} a sample, "
            f"{si(figures['energy_j']['total'], 'J')} in all "
            f"(the way between host and chip not included)"
        )
    _table(figures)
    if figures["estimated"]:
        click.echo(
            f"estimates {len(figures['estimated'])} constants of the target are estimates: "
            f"{', '.join(figures['estimated'])}"
        )


def si(value: float, unit: str) -> str:
    """`value` with three digits and a prefix."""
    for factor, prefix in PREFIXES:
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def _table(figures: Figures) -> None:
    ran = figures["energy_j"] is not None
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = ["layer", "neurons", "cores", "used"]
    columns += ["spikes", "syn. events", "packets", "hops", "busy/step"] if ran else []
    columns += [kind for kind in figures["energy_j"]] if ran else []
    for column in columns:
        table.add_column(column, justify="left" if column == "layer" else "right")
    for row in figures["layers"]:
        table.add_row(*_cells(row, ran))
    if ran:
        total = [si(value, "J") for value in figures["energy_j"].values()]
        table.add_row("all", *[""] * 8, *total, style="bold")
    Console(width=None if Console().is_terminal else 160).print(table)


def _cells(row: Figures, ran: bool) -> list[str]:
    used = "" if row["utilisation"] is None else f"{100 * row['utilisation']:.0f} %"
    cells = [escape(row["name"]), f"{row['neurons']:,}", str(row["cores"]), used]
    if ran:
        cells += [f"{row[name]:,}" for name in ("spikes", "synaptic_events", "packets", "hops")]
        cells.append(si(row["latency_s"], "s"))
        cells += [si(value, "J") for value in row["energy_j"].values()]
    return cells
