"""How a network lies on a chip, as tables for a terminal."""

from __future__ import annotations

from typing import Any

from nmcompile.cli._terminal import say, show_table

LEFT = ("limited by", "to")
NAMES = ("layer", "from", "to")


def print_mapping(figures: dict[str, Any]) -> None:
    """Cores, limits, layers, traffic and links of `report.mapping_figures`."""
    say(f"target    {figures['target']}, {figures['cores']:,} of {figures['cores_of']:,} "
        f"cores on {figures['chips']} of {figures['chips_of']} chip(s)")
    if figures["faults"]:
        _print_faults(figures)
    _table(("limit", "fullest core", "a core has", "used"), [
        (row["limit"], f"{row['need']:,}", f"{row['have']:,} ({row['kind']})",
         _share(row["need"] / row["have"])) for row in figures["limits"]])
    _table(("layer", "neurons", "cores", "limited by", "need", "used", "copies", "weights"), [
        (row["name"], f"{row['neurons']:,}", f"{row['cores']:,}", row["limit"],
         f"{row['need']:,}", _share(row["used"]), f"{row['copies']:.2f}",
         f"{row['stored_bits'] / 8192:,.0f} KiB") for row in figures["layers"]])
    hops = "" if figures["hops"] is None else f" and {figures['hops']:,.1f} hops"
    say(f"traffic   {figures['packets']:,.1f} packets{hops} in a step, at the rates of the "
        "calibration data")
    for unit in ("packets", "copies"):
        _table(("from", "to", f"{unit}/step"), [
            (row["source"], row["target"], f"{row[unit]:,.2f}")
            for row in figures["traffic"] if unit in row])
    _table(("link", "packets/step"), [
        (f"{row['column']},{row['row']} {row['direction']}", f"{row['packets']:,.2f}")
        for row in figures["links"]])
    _table(("chip", "routing entries", "a chip has", "used"), [
        (f"{row['column']},{row['row']}", f"{row['entries']:,}", f"{row['have']:,} ({row['kind']})",
         _share(row["entries"] / row["have"])) for row in figures["routers"]])


def _print_faults(figures: dict[str, Any]) -> None:
    """Dead parts, and the hops that ways around them add."""
    dead, packets = figures["faults"], figures["packets"]
    lost = f"; {dead['cut_off']:,} living cores are cut off" if dead["cut_off"] else ""
    say(f"dead      {dead['cores']:,} cores, {dead['links']:,} links{lost}")
    if dead["links"] and packets:
        bent = "" if dead["bent"] is None else (
            f"{dead['bent']:,} pairs of tiles, in up to {dead['most_legs']} legs: ")
        say(f"detours   {bent}"
            f"{figures['hops'] / packets:.3f} hops a packet, on the same cores "
            f"{dead['hops_straight'] / packets:.3f} if no link were dead")


def _share(used: float) -> str:
    return f"{100 * used:.0f} %"


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    show_table(columns, rows, left=LEFT, names=NAMES)
