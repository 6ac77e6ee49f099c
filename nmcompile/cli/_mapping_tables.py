"""How a network lies on a chip, as tables for a terminal."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

LEFT = ("layer", "chip", "limited by", "from", "to", "target", "answer", "limit", "link")


def print_mapping(figures: dict[str, Any]) -> None:
    """Cores, limits, layers, traffic and links of `report.mapping_figures`."""
    click.echo(f"target    {figures['target']}, {figures['cores']:,} of {figures['cores_of']:,} "
               f"cores on {figures['chips']} of {figures['chips_of']} chip(s)")
    if figures["faults"]:
        _print_faults(figures)
    print_table(("limit", "fullest core", "a core has", "used"), [
        (row["limit"], f"{row['need']:,}", f"{row['have']:,} ({row['kind']})",
         _share(row["need"] / row["have"])) for row in figures["limits"]])
    print_table(("layer", "neurons", "cores", "limited by", "need", "used", "copies", "weights"), [
        (row["name"], f"{row['neurons']:,}", f"{row['cores']:,}", row["limit"],
         f"{row['need']:,}", _share(row["used"]), f"{row['copies']:.2f}",
         f"{row['stored_bits'] / 8192:,.0f} KiB") for row in figures["layers"]])
    hops = "" if figures["hops"] is None else f" and {figures['hops']:,.1f} hops"
    click.echo(f"traffic   {figures['packets']:,.1f} packets{hops} in a step, at the rates of the "
               "calibration data")
    for unit in ("packets", "copies"):
        print_table(("from", "to", f"{unit}/step"), [
            (row["source"], row["target"], f"{row[unit]:,.2f}")
            for row in figures["traffic"] if unit in row])
    print_table(("link", "packets/step"), [
        (f"{row['column']},{row['row']} {row['direction']}", f"{row['packets']:,.2f}")
        for row in figures["links"]])
    print_table(("chip", "routing entries", "a chip has", "used"), [
        (f"{row['column']},{row['row']}", f"{row['entries']:,}", f"{row['have']:,} ({row['kind']})",
         _share(row["entries"] / row["have"])) for row in figures["routers"]])


def _print_faults(figures: dict[str, Any]) -> None:
    """Dead parts, and the hops that ways around them add."""
    dead, packets = figures["faults"], figures["packets"]
    lost = f"; {dead['cut_off']:,} living cores are cut off" if dead["cut_off"] else ""
    click.echo(f"dead      {dead['cores']:,} cores, {dead['links']:,} links{lost}")
    if dead["links"] and packets:
        bent = "" if dead["bent"] is None else (
            f"{dead['bent']:,} pairs of tiles, in up to {dead['most_legs']} legs: ")
        click.echo(f"detours   {bent}"
                   f"{figures['hops'] / packets:.3f} hops a packet, on the same cores "
                   f"{dead['hops_straight'] / packets:.3f} if no link were dead")


def print_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A plain table, nothing where there are no rows."""
    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="left" if column in LEFT else "right")
    for row in rows:
        table.add_row(*map(escape, row))
    Console(width=None if Console().is_terminal else 160).print(table)


def _share(used: float) -> str:
    return f"{100 * used:.0f} %"
