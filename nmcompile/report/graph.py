"""A picture of a network: populations as boxes from top to bottom, projections as arrows."""

from __future__ import annotations

from collections import defaultdict
from xml.etree import ElementTree as Xml

from nmcompile.report.structure import Structure

WIDTH, HEIGHT = 230, 62  # of a box
ACROSS, DOWN = 330, 118  # from one box to the next
MARGIN = 40
FONT = 12
LETTER = 6  # about the width of one in a label
STYLE = f"""
  svg {{ background: #ffffff; color: #1b1f24; font: {FONT}px system-ui, sans-serif; }}
  rect {{ fill: #eef2f7; stroke: #5b6b7d; rx: 6; }}
  rect.port {{ fill: #e3f1e6; stroke: #3f7a4d; rx: 18; }}
  rect.graded {{ fill: #fdf1dc; stroke: #9a6a1a; }}
  text {{ fill: currentColor; }}
  text.name {{ font-weight: 600; }}
  text.small {{ font-size: 10.5px; opacity: 0.85; }}
  path {{ fill: none; stroke: #5b6b7d; }}
  path.back {{ stroke: #b3402a; stroke-dasharray: 5 3; }}
  path.head {{ fill: #5b6b7d; stroke: none; }}
  @media (prefers-color-scheme: dark) {{
    svg {{ background: #14181d; color: #e6eaf0; }}
    rect {{ fill: #232b35; stroke: #8797aa; }}
    rect.port {{ fill: #1d3323; stroke: #6fb581; }}
    rect.graded {{ fill: #3a2e17; stroke: #d9a650; }}
    path {{ stroke: #8797aa; }}
    path.head {{ fill: #8797aa; }}
    path.back {{ stroke: #f08a72; }}
  }}
"""
Place = tuple[float, float]  # middle of a box


def to_svg(network: Structure) -> str:
    """The picture of what `report.structure.structure` says of a network, as an SVG document."""
    places = _places(network)
    arrows = _arrows(network, places)
    ends = [x + LETTER * len(text) for _, text, (x, _), _ in arrows]
    width = max(*ends, *(x + WIDTH / 2 for x, _ in places.values())) + MARGIN
    height = max(y for _, y in places.values()) + HEIGHT + MARGIN
    svg = Xml.Element("svg", {
        "xmlns": "http://www.w3.org/2000/svg", "width": f"{width:.0f}", "height": f"{height:.0f}",
        "viewBox": f"0 0 {width:.0f} {height:.0f}", "role": "img"})
    Xml.SubElement(svg, "title").text = "Network"
    Xml.SubElement(svg, "style").text = STYLE
    _marker(svg)
    for path, text, (x, y), back in arrows:
        Xml.SubElement(svg, "path", {"d": path, "marker-end": "url(#head)",
                                     "class": "back" if back else "on"})
        label = Xml.SubElement(svg, "text", {"x": f"{x:.0f}", "y": f"{y:.0f}", "class": "small"})
        label.text = text
    for port in network["inputs"]:
        _box(svg, places[port["name"]], [port["name"], _shape(port)], "port")
    outputs = {o["population"] for o in network["outputs"]}
    for population in network["populations"]:
        lines = [population["name"] + (" (output)" if population["name"] in outputs else ""),
                 f"{_shape(population)} {population['kind']}", _facts(population)]
        graded = "graded" if population["kind"] in ("activation", "sigma-delta") else ""
        _box(svg, places[population["name"]], lines, graded)
    Xml.indent(svg)
    return Xml.tostring(svg, encoding="unicode") + "\n"


def _places(network: Structure) -> dict[str, Place]:
    """Rows by the longest way from an input along projections that do not lead back."""
    rows = {port["name"]: 0 for port in network["inputs"]}
    for population in network["populations"]:
        before = [rows[e["source"]] for e in network["projections"]
                  if e["target"] == population["name"] and e["source"] in rows]
        rows[population["name"]] = 1 + max(before, default=0)
    members: dict[int, list[str]] = defaultdict(list)
    for name, row in rows.items():
        members[row].append(name)
    widest = max(map(len, members.values()))
    places = {}
    for row, names in members.items():
        left = MARGIN + WIDTH / 2 + (widest - len(names)) * ACROSS / 2
        for column, name in enumerate(names):
            places[name] = (left + column * ACROSS, MARGIN + HEIGHT / 2 + row * DOWN)
    return places


def _arrows(
    network: Structure, places: dict[str, Place]
) -> list[tuple[str, str, Place, bool]]:
    """For each projection its path, its label and where that stands, and whether it leads back."""
    count: dict[tuple[str, str], int] = defaultdict(int)
    arrows = []
    for edge in network["projections"]:
        start, end = places[edge["source"]], places[edge["target"]]
        number = count[edge["source"], edge["target"]]
        count[edge["source"], edge["target"]] += 1
        text = edge["map"] + (f", delay {edge['delay']}" if edge["delay"] else "")
        text += f", {edge['bits']} bits" if edge["bits"] else ""
        path, (x, y) = _path(start, end)
        arrows.append((path, text, (x, y + number * FONT), end[1] <= start[1]))
    return arrows


def _path(start: Place, end: Place) -> tuple[str, Place]:
    """A curve between two boxes and the place of its label; to other rows it swings right."""
    rows = round((end[1] - start[1]) / DOWN)
    if rows == 1:
        x0, y0, x1, y1 = start[0], start[1] + HEIGHT / 2, end[0], end[1] - HEIGHT / 2
        curve = f"C{x0:.0f} {y0 + 24:.0f} {x1:.0f} {y1 - 24:.0f}"
        place = ((x0 + x1) / 2 + 8, (y0 + y1) / 2 + 4)
    else:
        x0, y0, x1, y1 = start[0] + WIDTH / 2, start[1], end[0] + WIDTH / 2, end[1]
        if start == end:
            y0, y1 = y0 - HEIGHT / 4, y1 + HEIGHT / 4
        bend = 170.0 + 40.0 * min(abs(rows - 1), 8)
        out = max(x0, x1) + bend
        curve = f"C{out:.0f} {y0:.0f} {out:.0f} {y1:.0f}"
        place = (max(x0, x1) + 0.75 * bend + 6, (y0 + y1) / 2 + 4)
    return f"M{x0:.0f} {y0:.0f} {curve} {x1:.0f} {y1:.0f}", place


def _box(svg: Xml.Element, place: Place, lines: list[str], kind: str) -> None:
    x, y = place[0] - WIDTH / 2, place[1] - HEIGHT / 2
    group = Xml.SubElement(svg, "g")
    Xml.SubElement(group, "rect", {"x": f"{x:.0f}", "y": f"{y:.0f}", "width": str(WIDTH),
                                   "height": str(HEIGHT), "class": kind})
    for number, line in enumerate(lines):
        shown = line if len(line) <= 36 else f"{line[:35]}…"
        text = Xml.SubElement(group, "text", {
            "x": f"{x + 10:.0f}", "y": f"{y + 19 + 17 * number:.0f}",
            "class": "name" if number == 0 else "small"})
        text.text = shown
        if shown != line:
            Xml.SubElement(text, "title").text = line


def _marker(svg: Xml.Element) -> None:
    marker = Xml.SubElement(Xml.SubElement(svg, "defs"), "marker", {
        "id": "head", "viewBox": "0 0 8 8", "refX": "7", "refY": "4", "markerWidth": "7",
        "markerHeight": "7", "orient": "auto"})
    Xml.SubElement(marker, "path", {"d": "M0 0 L8 4 L0 8 z", "class": "head"})


def _shape(node: Structure) -> str:
    return "x".join(map(str, node["shape"]))


def _facts(population: Structure) -> str:
    known = population["parameters"]
    shown = {"decay": "decay", "threshold": "thr.", "reset": "reset", "current_decay": "syn.",
             "high": "to", "step_size": "levels of"}
    return ", ".join(f"{word} {known[name]}" for name, word in shown.items() if name in known)
