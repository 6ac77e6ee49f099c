"""The charts of the page as Vega-Lite specifications, of report.json's figures alone."""

from __future__ import annotations

from math import ceil, sqrt
from typing import Any

from nmcompile.report.schema import KINDS

Figures = dict[str, Any]
Spec = dict[str, Any]
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
# Okabe and Ito's colours (jfly.uni-koeln.de/color), told apart with any kind of sight
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999"]
MOST_CORES = 64  # that have a column of their own
RATE = "spikes a step"
FIT = {"type": "fit-x", "contains": "padding"}
WAYS = {"east": (1, 0), "west": (-1, 0), "north": (0, -1), "south": (0, 1),
        "northeast": (1, 1), "southwest": (-1, -1)}
ROUTED = {**WAYS, "north": (0, 1), "south": (0, -1)}  # SpiNNaker's y rises to the north


def charts(figures: Figures) -> dict[str, Spec]:
    """Name of each chart that there are figures for -> its specification."""
    order = [row["name"] for row in figures["layers"]]
    found = {"cores": cores(figures), "floor": floor(figures, order)}
    if figures["energy_j"] is not None:
        found["energy"] = energy(figures)
    if figures["look"] is None:
        return found
    look = figures["look"]
    found |= {"steps": steps(look, order), "spikes": spikes(look, order),
              "raster": raster(look, order)}
    for number, layer in enumerate(look["layers"]):
        found[f"rates-{number}"] = rates(layer)
        if layer["membrane"] is not None:
            found[f"membrane-{number}"] = membrane(layer)
    return found


def energy(figures: Figures) -> Spec:
    """Joules of a sample by layer and kind, stacked; a kind is hidden by its legend."""
    rows = [{"layer": row["name"], "kind": kind,
             "joules": row["energy_j"][kind] / figures["samples"]}
            for row in figures["layers"] for kind in KINDS]
    names = [row["name"] for row in figures["layers"]]
    return _chart(
        "Energy of a sample by layer and kind", rows,
        {"mark": {"type": "bar", "cursor": "pointer"},
         "params": [{"name": "kinds", "select": {"type": "point", "fields": ["kind"]},
                     "bind": "legend"}],
         "transform": [{"filter": {"param": "kinds"}}],
         "height": {"step": 26},
         "encoding": {
             "y": {"field": "layer", "type": "nominal", "sort": names, "title": None},
             "x": {"field": "joules", "type": "quantitative", "title": "J a sample",
                   "axis": {"format": "~s"}},
             "color": {"field": "kind", "type": "nominal",
                       "scale": {"domain": list(KINDS), "range": COLOURS[:len(KINDS)]}},
             "order": {"field": "kind", "sort": list(KINDS)},
             "tooltip": [_tip("layer"), _tip("kind"), _tip("joules", ".3~s", "J a sample")]}})


def steps(look: Figures, order: list[str]) -> Spec:
    """Seconds of each step of the first sample, coloured by the layer that is done last."""
    told = look["steps"]
    rows = [{"step": k, "seconds": seconds, "work": busy, "core": core, "layer": layer or "none"}
            for k, (seconds, busy, core, layer) in enumerate(zip(
                told["seconds"], told["busy_s"], told["core"], told["layer"], strict=True))]
    return _chart(
        "Time of each step of the first sample, by the layer that is done last", rows,
        {"mark": {"type": "bar"}, "height": 220,
         "encoding": {
             "x": {"field": "step", "type": "ordinal", "title": "step",
                   "axis": {"labelOverlap": True, "labelAngle": 0}},
             "y": {"field": "seconds", "type": "quantitative", "title": "s",
                   "axis": {"format": "~s"}},
             "color": _layers({row["layer"] for row in rows}, order, "done last"),
             "tooltip": [_tip("step"), _tip("seconds", ".3~s", "s"),
                         _tip("work", ".3~s", "s of work of the last core"),
                         _tip("core", title="last core"), _tip("layer", title="its layer")]}})


def spikes(look: Figures, order: list[str]) -> Spec:
    """Spikes of each layer in each step of the first sample."""
    told = look["steps"]["spikes"]
    rows = [{"layer": name, "step": k, "spikes": count}
            for name, counts in told.items() for k, count in enumerate(counts)]
    return _chart(
        "Spikes of each layer in each step of the first sample", rows,
        {"mark": {"type": "line", "point": True}, "height": 200,
         "encoding": {
             "x": {"field": "step", "type": "quantitative", "title": "step",
                   "axis": {"tickMinStep": 1}},
             "y": {"field": "spikes", "type": "quantitative", "title": "spikes"},
             "color": _layers(set(told), order),
             "tooltip": [_tip("layer"), _tip("step"), _tip("spikes", ",")]}})


def cores(figures: Figures) -> Spec:
    """How full cores are: each by itself, or where they are many, how many are how full."""
    told = figures["floor"]["cores"]
    few = len(told["core"]) <= MOST_CORES
    rows = [{"core": str(core), "layers": layers, "limit": limit.replace("_", " "), "used": share}
            for limit, shares in figures["cores_used"].items()
            for core, layers, share in zip(told["core"], told["layers"], shares, strict=True)]
    y = {"field": "limit", "type": "nominal", "title": None}
    if few:
        return _chart(
            "How much of each limit each core uses", rows,
            {"mark": {"type": "rect"}, "height": {"step": 24},
             "encoding": {
                 "x": {"field": "core", "type": "ordinal", "sort": None, "title": "core",
                       "axis": {"labelOverlap": True, "labelAngle": 0}},
                 "y": y,
                 "color": {"field": "used", "type": "quantitative", "title": "used",
                           "scale": {"domain": [0, 1], "scheme": "viridis"},
                           "legend": {"format": ".0%"}},
                 "tooltip": [_tip("core"), _tip("layers"), _tip("limit"),
                             _tip("used", ".1%")]}})
    counted: dict[tuple[str, int], int] = {}
    for row in rows:
        key = row["limit"], min(int(row["used"] * 20), 19)
        counted[key] = counted.get(key, 0) + 1
    return _chart(
        "How many cores use how much of each limit",
        [{"limit": limit, "from": bin_ / 20, "to": (bin_ + 1) / 20, "cores": count}
         for (limit, bin_), count in sorted(counted.items())],
        {"mark": {"type": "rect"}, "height": {"step": 24},
         "encoding": {
             "x": {"field": "from", "type": "quantitative", "bin": "binned", "title": "used",
                   "axis": {"format": ".0%"}, "scale": {"domain": [0, 1]}},
             "x2": {"field": "to"}, "y": y,
             "color": {"field": "cores", "type": "quantitative", "title": "cores",
                       "scale": {"scheme": "viridis", "type": "sqrt"}},
             "tooltip": [_tip("limit"), _tip("from", ".0%"), _tip("to", ".0%"),
                         _tip("cores", ",")]}})


def floor(figures: Figures, order: list[str]) -> Spec:
    """Cores on their tiles by layer, and the packets of a step over the links between tiles."""
    look, routed = figures["look"], figures["floor"]["chip"] is None
    told = figures["floor"] if look is None else look["floor"]
    (left, top), (right, bottom) = told["first"], told["last"]
    side = max(right - left, bottom - top) + 1
    x, y = ({"field": field, "type": "quantitative", "title": title,
             "scale": {"domain": [first - 0.6, last + 0.6], "nice": False, "zero": False,
                       "reverse": field == "y" and not routed},
             "axis": {"values": list(range(first, last + 1, 1 + (last - first) // 16)),
                      "grid": False, "format": "d"}}
            for field, title, first, last in (
                ("x", "column of tiles", left, right), ("y", "row", top, bottom)))
    cores, across = _on_tiles(told["cores"])
    layers = [{
        "data": {"values": cores},
        "mark": {"type": "square", "opacity": 1, "size": (0.75 * 520 / side / across) ** 2
                 if side * across > 8 else 1600},
        "encoding": {
            "x": x, "y": y, "color": _layers({row["layers"] for row in cores}, order,
                                             field="layers"),
            "tooltip": [_tip("core"), _tip("layers"), _tip("column"), _tip("row")]}}]
    if told["links"]["column"]:
        layers.append({
            "data": {"values": _roads(told["links"], ROUTED if routed else WAYS)},
            "mark": {"type": "rule", "strokeWidth": max(1.5, min(5, 60 / side)),
                     "strokeCap": "round"},
            "encoding": {
                "x": x, "y": y, "x2": {"field": "x2"}, "y2": {"field": "y2"},
                "color": {"field": "packets", "type": "quantitative", "title": "packets a step",
                          "scale": {"scheme": "inferno", "domainMin": 0}},
                "tooltip": [_tip("from"), _tip("direction"),
                            _tip("packets", ".3~s", "packets a step")]}})
    return {
        "$schema": SCHEMA, "description": "Cores by layer, links by packets of a step",
        "width": "container", "autosize": FIT,
        "height": int(min(560, max(140, 620 * (bottom - top + 1) / side))),
        "layer": layers, "resolve": {"scale": {"color": "independent"}}}


def raster(look: Figures, order: list[str]) -> Spec:
    """Spikes of some neurons of each layer in the first sample, layer above layer."""
    rows, ends, base = [], [], 0
    for layer in look["layers"]:
        told = layer["raster"]
        place = {neuron: k for k, neuron in enumerate(sorted(set(told["neuron"])))}
        rows += [{"layer": layer["name"], "step": step, "neuron": neuron,
                  "row": base + place[neuron]}
                 for step, neuron in zip(told["step"], told["neuron"], strict=True)]
        base += max(told["of"], 1) + 2
        ends.append(base)
    return _chart(
        "Spikes of some neurons of each layer in the first sample", rows,
        {"mark": {"type": "square", "opacity": 1, "size": max(6, min(24, 2400 // max(base, 1)))},
         "height": max(160, min(420, 3 * base)),
         "encoding": {
             "x": {"field": "step", "type": "quantitative", "title": "step",
                   "axis": {"tickMinStep": 1}},
             "y": {"field": "row", "type": "quantitative", "title": None, "axis": None,
                   "scale": {"reverse": True, "domain": [-1, base]}},
             "color": _layers({layer["name"] for layer in look["layers"]}, order),
             "tooltip": [_tip("layer"), _tip("neuron"), _tip("step")]}})


def rates(layer: Figures) -> Spec:
    """How many neurons of a layer send how many spikes in a step."""
    return _histogram(layer["rates"]["edges"], layer["rates"]["neurons"], RATE,
                      "neurons", f"Rates of the neurons of {layer['name']}", COLOURS[0])


def membrane(layer: Figures) -> Spec:
    """How often a layer's membrane is where after a step, with its threshold."""
    told = layer["membrane"]
    spec = _histogram(told["edges"], told["counts"], "membrane", "values",
                      f"Membranes of {layer['name']} after a step", COLOURS[2])
    low, high = told["edges"][0], told["edges"][-1]
    levels = [v for v in dict.fromkeys(told["level"] or ()) if low <= v <= high + (high - low)]
    if not levels:
        return spec
    bars = {name: spec.pop(name) for name in ("data", "mark", "encoding")}
    rule = {"data": {"values": [{"level": level} for level in levels]},
            "mark": {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 2, "color": COLOURS[5]},
            "encoding": {"x": {"field": "level", "type": "quantitative"},
                         "tooltip": [_tip("level", "~s", "threshold")]}}
    return {**spec, "layer": [bars, rule]}


def _histogram(
    edges: list[float], counts: list[int], x: str, y: str, title: str, colour: str
) -> Spec:
    rows = [{"from": a, "to": b, "count": count}
            for a, b, count in zip(edges[:-1], edges[1:], counts, strict=True)]
    return _chart(title, rows, {
        "mark": {"type": "bar", "color": colour}, "height": 130,
        "encoding": {
            "x": {"field": "from", "type": "quantitative", "bin": "binned", "title": x,
                  "axis": {"format": ".2~g" if x == RATE else "~s", "labelOverlap": True},
                  "scale": {"zero": False, "nice": False}},
            "x2": {"field": "to"},
            "y": {"field": "count", "type": "quantitative", "title": y, "axis": {"format": "~s"}},
            "tooltip": [_tip("from", ".4~s"), _tip("to", ".4~s"), _tip("count", ",", y)]}})


def _chart(title: str, rows: list[dict[str, Any]], rest: Spec) -> Spec:
    return {"$schema": SCHEMA, "description": title, "width": "container", "autosize": FIT,
            "data": {"values": rows}, **rest}


def _layers(
    names: set[str], order: list[str], title: str = "layer", field: str = "layer"
) -> Spec:
    """Colour by layer: a layer has the same one in all charts, several on a tile are grey."""
    known = [name for name in order if name in names]
    others = sorted(names - set(known))
    colours = [COLOURS[order.index(name) % (len(COLOURS) - 1)] for name in known]
    return {"field": field, "type": "nominal", "title": title,
            "scale": {"domain": [*known, *others],
                      "range": [*colours, *[COLOURS[-1]] * len(others)]},
            "legend": {"symbolLimit": 40}}


def _on_tiles(told: Figures) -> tuple[list[dict[str, Any]], int]:
    """Cores at places of their own within their tiles, and how many stand beside each other."""
    rows: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for core, column, row, layers in zip(*(told[name] for name in (
            "core", "column", "row", "layers")), strict=True):
        rows.setdefault((column, row), []).append(
            {"core": core, "column": column, "row": row, "layers": layers})
    across = ceil(sqrt(max(map(len, rows.values()))))
    for (column, row), cores in rows.items():
        for k, core in enumerate(cores):
            core["x"] = column + (k % across - (across - 1) / 2) * 0.7 / across
            core["y"] = row + (k // across - (across - 1) / 2) * 0.7 / across
    return [core for cores in rows.values() for core in cores], across


def _roads(links: Figures, ways: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """Links as lines beside the middle of both tiles, so that each way has its own."""
    roads = []
    for column, row, direction, packets in zip(*(links[name] for name in (
            "column", "row", "direction", "packets")), strict=True):
        (x, y), begin = ways[direction], (column, row)
        left, top = begin[0] + 0.06 * y, begin[1] - 0.06 * x
        roads.append({"from": f"{column}, {row}", "direction": direction, "packets": packets,
                      "x": left + 0.36 * x, "y": top + 0.36 * y,
                      "x2": left + 0.64 * x, "y2": top + 0.64 * y})
    return roads


def _tip(field: str, how: str | None = None, title: str | None = None) -> Spec:
    tip = {"field": field, "title": title or field}
    return {**tip, "type": "quantitative", "format": how} if how else {**tip, "type": "nominal"}
