"""What the charts have in common: data, colours of layers, tooltips, histograms."""

from __future__ import annotations

import csv
import io
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
RAINBOW = {"name": "rainbow", "extent": [0.05, 0.9]}
FIT = {"type": "fit-x", "contains": "padding"}
RATE = "spikes a step"


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


def layer_colour(
    names: set[str], order: list[str], title: str = "layer", field: str = "layer"
) -> Spec:
    """Colour by layer: the same one in all charts; what is no layer by itself is grey.

    Few layers have colours that are told apart; many a rainbow from the first to the last.
    """
    known = [name for name in order if name in names]
    scale: Spec = {"domain": order, "scheme": RAINBOW}
    if len(order) <= MANY:
        scale = {"domain": known, "range": [COLOURS[order.index(name)] for name in known]}
    found = {"field": field, "type": "nominal", "title": title, "scale": scale,
             "legend": {"values": known[:: -(-len(known) // MOST_NAMED)] if known else []}}
    others = sorted(names - set(known))
    if others:
        found["condition"] = {"test": {"field": field, "oneOf": others}, "value": GREY}
    return found


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
