"""Charts of the chip: how full its cores are, and where they lie with what runs between them."""

from __future__ import annotations

from math import ceil, sqrt
from typing import Any

from nmcompile.report.page.spec import (
    BRIGHT,
    FIT,
    SCHEMA,
    Figures,
    Rows,
    Spec,
    chart,
    data,
    layer_choice,
    layer_colour,
    tip,
)

MOST_CORES = 64  # that have a column of their own
MOST_PRINTED = 5  # cores whose shares stand in their cells, also on a phone
BINS = 20
TRAFFIC = ["#8794a8", "#a8662f", "#e0301e"]  # little to much, seen on white and on black
TILE = 0.7  # of the way to the next one
ROUTED = {"east": (1, 0), "west": (-1, 0), "northeast": (1, 1), "southwest": (-1, -1),
          "north": (0, 1), "south": (0, -1)}  # SpiNNaker's y rises to the north
WAYS = {**ROUTED, "north": (0, -1), "south": (0, 1)}  # rows of a mesh are numbered to the south


def cores(figures: Figures) -> Spec:
    """How full cores are: each by itself, or where they are many, how many are how full."""
    told = figures["floor"]["cores"]
    rows = [{"core": str(core), "layers": layers, "limit": limit.replace("_", " "), "used": share}
            for limit, shares in figures["cores_used"].items()
            for core, layers, share in zip(told["core"], told["layers"], shares, strict=True)]
    return _each_core(rows) if len(told["core"]) <= MOST_CORES else _many_cores(rows)


def _each_core(rows: Rows) -> Spec:
    ground: Spec = {
        "mark": {"type": "rect"},
        "encoding": {
            "color": {"field": "used", "type": "quantitative", "title": "used",
                      "scale": {"domain": [0, 1], "scheme": "viridis"},
                      "legend": {"format": ".0%", "values": [0, 0.25, 0.5, 0.75, 1]}}}}
    printed: Spec = {
        "mark": {"type": "text"},
        "encoding": {
            "text": {"field": "used", "type": "quantitative", "format": ".1%"},
            "color": {"value": "white",
                      "condition": {"test": f"datum.used > {BRIGHT}", "value": "black"}}}}
    few = len({row["core"] for row in rows}) <= MOST_PRINTED
    return chart("How much of each limit each core uses", rows, {
        "height": _height(rows), "layer": [ground, printed] if few else [ground],
        "encoding": {
            "x": {"field": "core", "type": "ordinal", "sort": None, "title": "core",
                  "axis": {"labelOverlap": True, "labelAngle": 0}},
            "y": {"field": "limit", "type": "nominal", "title": None},
            "tooltip": [tip("core"), tip("layers"), tip("limit"), tip("used", ".1%")]}})


def _many_cores(rows: Rows) -> Spec:
    counted: dict[tuple[str, int], int] = {}
    for row in rows:
        key = row["limit"], int(min(max(row["used"], 0), 1 - 1 / BINS) * BINS)
        counted[key] = counted.get(key, 0) + 1
    found = [{"limit": limit, "from": share / BINS, "to": (share + 1) / BINS, "cores": count}
             for (limit, share), count in sorted(counted.items())]
    return chart("How many cores use how much of each limit", found, {
        "mark": {"type": "rect"}, "height": _height(rows),
        "encoding": {
            "x": {"field": "from", "type": "quantitative", "bin": "binned",
                  "title": "used of a core", "axis": {"format": ".0%"},
                  "scale": {"domain": [0, 1]}},
            "x2": {"field": "to"},
            "y": {"field": "limit", "type": "nominal", "title": None},
            "color": {"field": "cores", "type": "quantitative", "title": "cores",
                      "scale": {"scheme": "viridis", "type": "sqrt"}},
            "tooltip": [tip("limit"), tip("from", ".0%"), tip("to", ".0%"),
                        tip("cores", ",")]}})


def _height(rows: Rows) -> int:
    return 24 * len({row["limit"] for row in rows})


def floor(figures: Figures, order: list[str]) -> Spec:
    """Cores on their tiles by layer, and the packets of a step over the links between tiles."""
    told, look = figures["floor"], figures["look"]
    routed, links = told["chip"] is None, (look or told)["links"]
    tiles = on_tiles(told["cores"], _joules(figures))
    (left, right), (top, bottom) = (
        _ends([*told["cores"][name], *links[name]]) for name in ("column", "row"))
    side = max(right - left, bottom - top) + 1
    x, y = ({"field": field, "type": "quantitative", "title": title,
             "scale": {"domain": [first - 0.6, last + 0.6], "nice": False, "zero": False,
                       "reverse": field == "y" and not routed},
             "axis": {"values": list(range(first, last + 1, 1 + (last - first) // 16)),
                      "grid": False, "format": "d"}}
            for field, title, first, last in (
                ("x", "column of tiles", left, right), ("y", "row", top, bottom)))
    place = {"x": x, "y": y, "x2": {"field": "x2"}, "y2": {"field": "y2"}}
    chosen = layer_choice({row["layers"] for row in tiles}, order, "several layers", "layers")
    layers = [{**_tiles(tiles, order, place), "transform": chosen.pop("transform")}]
    if links["column"]:
        layers.append(_links(_roads(links, ROUTED if routed else WAYS), place, side))
    if not routed and (right + 1) // told["chip"][0] > left // told["chip"][0]:
        layers.insert(0, _chips(told["chip"][0], left, right, x))
    rows, shape = bottom - top + 1, 620 * (bottom - top + 1) / side
    return {
        "$schema": SCHEMA,
        "description": f"Cores by layer{', links by packets of a step' * bool(links['column'])}",
        "width": "container", "autosize": FIT, **chosen,
        "height": int(min(560, 240 * rows, max(140, shape))),
        "layer": layers, "resolve": {"scale": {"color": "independent"}}}


def _ends(places: list[int]) -> tuple[int, int]:
    return min(places), max(places)


def _joules(figures: Figures) -> dict[int, float]:
    """Joules of a sample of each core; empty where they are not known."""
    told = figures["energy_by_core"]
    if told is None:
        return {}
    kinds = [told[kind] for kind in told if kind not in ("core", "busy_s")]
    return {core: sum(parts) / figures["samples"]
            for core, *parts in zip(told["core"], *kinds, strict=True) if core is not None}


def _tiles(rows: Rows, order: list[str], place: Spec) -> Spec:
    told = [tip("core"), tip("layers"), tip("column"), tip("row")]
    if "joules" in rows[0]:
        told.append(tip("joules", ".3~s", "J a sample"))
    return {
        "data": data(rows, "cores"), "mark": {"type": "rect"},
        "encoding": {**place, "tooltip": told, "color": layer_colour(
            {row["layers"] for row in rows}, order, field="layers")}}


def _links(rows: Rows, place: Spec, side: int) -> Spec:
    return {
        "data": data(rows, "links"),
        "mark": {"type": "rule", "strokeWidth": max(1.5, min(5, 60 / side)), "strokeCap": "round"},
        "encoding": {
            **place,
            "color": {"field": "packets", "type": "quantitative", "title": "packets a step",
                      "scale": {"range": TRAFFIC, "domainMin": 0}},
            "tooltip": [tip("from"), tip("direction"),
                        tip("packets", ".3~s", "packets a step")]}}


def _chips(width: int, left: int, right: int, x: Spec) -> Spec:
    """Lines between chips, which stand in a row."""
    edges = [{"x": k * width - 0.5} for k in range(left // width + 1, right // width + 1)]
    return {"data": data(edges), "mark": {"type": "rule", "strokeDash": [2, 3], "color": "#888888"},
            "encoding": {"x": x}}


def on_tiles(told: Figures, joules: dict[int, float]) -> Rows:
    """Cores as squares at places of their own within their tiles, from (x, y) to (x2, y2)."""
    rows: dict[tuple[int, int], Rows] = {}
    for core, column, row, layers in zip(*(told[name] for name in (
            "core", "column", "row", "layers")), strict=True):
        rows.setdefault((column, row), []).append(
            {"core": core, "column": column, "row": row, "layers": layers,
             **({"joules": joules[core]} if joules else {})})
    across = ceil(sqrt(max(map(len, rows.values()))))
    size = TILE / across
    for (column, row), cores in rows.items():
        for k, core in enumerate(cores):
            core["x"] = round(column - TILE / 2 + size * (k % across), 4)
            core["y"] = round(row - TILE / 2 + size * (k // across), 4)
            core["x2"], core["y2"] = (round(core[name] + 0.92 * size, 4) for name in ("x", "y"))
    return [core for cores in rows.values() for core in cores]


def _roads(links: Figures, ways: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """Links as lines beside the middle of both tiles, so that each way has its own."""
    roads = []
    for column, row, direction, packets in zip(*(links[name] for name in (
            "column", "row", "direction", "packets")), strict=True):
        x, y = ways[direction]
        left, top = column + 0.06 * y, row - 0.06 * x
        roads.append({"from": f"{column}, {row}", "direction": direction, "packets": packets,
                      **{name: round(value, 3) for name, value in (
                          ("x", left + 0.36 * x), ("y", top + 0.36 * y),
                          ("x2", left + 0.64 * x), ("y2", top + 0.64 * y))}})
    return roads
