"""What the charts have in common: data, colours of layers, tooltips, histograms."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from typing import Any

Figures = dict[str, Any]
Spec = dict[str, Any]
Rows = list[dict[str, Any]]
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
# Okabe and Ito's colours (jfly.uni-koeln.de/color), told apart with any kind of sight
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999"]
GREY = COLOURS[-1]
MANY = len(COLOURS) - 1  # layers, from which colours only tell how deep a layer lies
MOST_NAMED = 16  # layers in a legend
RAINBOW = (  # of Vega's scheme of that name, without the ends, which are alike
    "833eb0", "a43db3", "d83fa4", "fe4b83", "ff6659", "ff8c38", "e2b72f", "bee044", "8ff457",
    "52f667", "28ea8d", "1dd0b8", "2fa3db", "4c74e1")
SHOWN = "indexof(hidden, indexof(known, datum.{0}) < 0 ? null : datum.{0}) < 0"
FIT = {"type": "fit-x", "contains": "padding"}
RATE = "spikes a step"
BRIGHT = 0.44  # of the way through viridis, from which black is read better than white
DARKEST = "#440154"  # where viridis begins


def chart(title: str, rows: Rows, rest: Spec) -> Spec:
    """A chart as wide as its place, of `rows`."""
    return {"$schema": SCHEMA, "description": title, "width": "container", "autosize": FIT,
            "data": data(rows, "rows"), **rest}


def data(rows: Rows, name: str | None = None) -> Spec:
    """Rows of like fields as the text of a CSV file, which is a third of their JSON.

    name  under which the page shows them as a table; None: it does not
    """
    text, first = io.StringIO(), rows[0] if rows else {}
    table = csv.writer(text, lineterminator="\n")
    table.writerow(first)
    table.writerows(row.values() for row in rows)
    numbers = {field for row in rows for field, value in row.items()
               if isinstance(value, int | float)}
    parse = {field: "number" if field in numbers else "string" for field in first}
    return {**({"name": name} if name else {}), "values": text.getvalue(),
            "format": {"type": "csv", "parse": parse}}


def tip(field: str, how: str | None = None, title: str | None = None) -> Spec:
    """A line of a tooltip; `how` is the format of a number."""
    line = {"field": field, "title": title or field}
    return {**line, "type": "quantitative", "format": how} if how else {**line, "type": "nominal"}


def colours(order: list[str]) -> list[str]:
    """Colours of layers: few are told apart; many go through a rainbow from first to last."""
    if len(order) <= MANY:
        return COLOURS[:len(order)]
    return [_between(k * (len(RAINBOW) - 1) / (len(order) - 1)) for k in range(len(order))]


def _between(place: float) -> str:
    """The colour at a place on the rainbow, as `#rrggbb`."""
    first = min(int(place), len(RAINBOW) - 2)
    a, b = (bytes.fromhex(RAINBOW[k]) for k in (first, first + 1))
    mixed = (round(x + (y - x) * (place - first)) for x, y in zip(a, b, strict=True))
    return f"#{bytes(mixed).hex()}"


def layer_colour(
    names: set[str], order: list[str], title: str = "layer", field: str = "layer"
) -> Spec:
    """Colour by layer: the same one in all charts; what is no layer by itself is grey.

    It goes with the `layer_choice` of the chart.
    """
    known = [name for name in order if name in names]
    scale = [colour for name, colour in zip(order, colours(order), strict=True) if name in names]
    named = known[:: max(1, -(-len(known) // MOST_NAMED))]
    found: Spec = {"field": field, "type": "nominal", "title": title,
                   "scale": {"domain": known, "range": scale},
                   "legend": {"values": named} if len(known) > MOST_NAMED else None}
    if names - set(known):
        found["condition"] = {"test": f"indexof(known, datum.{field}) < 0", "value": GREY}
    return found


def apart(label: str, names: Collection[str]) -> str:
    """`label`, with marks behind it where a layer is called so."""
    while label in names:
        label += "'"
    return label


def choice(field: str, known: list[tuple[str, str]], others: str | None = None) -> Spec:
    """What lets a reader show or hide the marks of a chart by their `field`.

    known   each value and its colour
    others  what the page calls all other values, which are grey; None: there are none
    """
    entries = [[name, colour] for name, colour in known]
    return {
        "params": [{"name": "hidden", "value": []},
                   {"name": "known", "value": [name for name, _ in known]}],
        "transform": [{"filter": SHOWN.format(field)}],
        "usermeta": {"legend": {
            "entries": entries, "others": None if others is None else [others, GREY],
            "inChart": len(entries) > MOST_NAMED}}}


def layer_choice(names: set[str], order: list[str], others: str = "", field: str = "layer") -> Spec:
    """`choice` of layers in the colours of `layer_colour`."""
    known = [pair for pair in zip(order, colours(order), strict=True) if pair[0] in names]
    return choice(field, known, others if names - set(order) else None)


def histogram(
    edges: list[float], counts: list[int], axes: tuple[str, str], title: str, colour: str
) -> Spec:
    """Bars between `edges`; `axes` name what is counted along x, and what the counts are."""
    (x, y), how = axes, ".2~g" if axes[0] == RATE else "~s"
    rows = [{"from": a, "to": b, "count": count}
            for a, b, count in zip(edges[:-1], edges[1:], counts, strict=True)]
    return chart(title, rows, {
        "mark": {"type": "bar", "color": colour}, "height": 130,
        "encoding": {
            "x": {"field": "from", "type": "quantitative", "bin": "binned", "title": x,
                  "axis": {"format": how, "labelOverlap": True},
                  "scale": {"zero": False, "nice": False}},
            "x2": {"field": "to"},
            "y": {"field": "count", "type": "quantitative", "title": y, "axis": {"format": "~s"}},
            "tooltip": [tip("from", ".4~s"), tip("to", ".4~s"), tip("count", ",", y)]}})
