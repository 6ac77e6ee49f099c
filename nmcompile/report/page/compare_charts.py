"""Charts of builds beside each other as Vega-Lite specifications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nmcompile.report.page.charts import LOWEST, TALLEST, tall
from nmcompile.report.page.spec import (
    COLOURS,
    MANY,
    Figures,
    Rows,
    Spec,
    chart,
    choice,
    colours,
    data,
    layer_choice,
    layer_colour,
    tip,
)
from nmcompile.report.schema import KINDS

FEWEST = 3  # builds of which a front is drawn
BAR, ROOM = 30, 40  # pixels of a build's bar, and around all


def comparison_charts(found: Figures) -> dict[str, Spec]:
    """Name of each chart that there are figures for -> its specification."""
    builds = found["builds"]
    order = list(dict.fromkeys(row["name"] for build in builds for row in build["layers"]))
    known = {key: any(row[key] is not None for build in builds for row in build["layers"])
             for key in ("energy_j", "spikes", "busy_s")}
    charts = {}
    if known["energy_j"]:
        charts["kinds"] = _kinds(builds)
        charts["energy"] = _stacked(builds, order, lambda row: row["energy_j"] and
                                    row["energy_j"]["total"], ("energy", "J a sample", ".3~s"))
    if known["spikes"]:
        charts["spikes"] = _stacked(builds, order, lambda row: row["spikes"],
                                    ("spikes", "spikes a sample", ",.6~r"))
    if known["busy_s"]:
        charts["time"] = _work(builds, order)
    front = _front(found)
    return charts if front is None else {**charts, "pareto": front}


def _names(builds: list[Figures]) -> Spec:
    names = [build["name"] for build in builds]
    return {"field": "build", "type": "nominal", "sort": names, "title": None,
            "scale": {"domain": names}}


def _height(builds: list[Figures]) -> int:
    return BAR * len(builds) + ROOM


def _kinds(builds: list[Figures]) -> Spec:
    """Joules of a sample of each build by kind, stacked."""
    rows = [{"build": build["name"], "kind": kind, "rank": rank,
             "joules": sum(row["energy_j"][kind] for row in build["layers"])}
            for build in builds if build["layers"][0]["energy_j"] is not None
            for rank, kind in enumerate(KINDS)]
    return chart("Energy of a sample of each build by kind", rows, {
        **choice("kind", list(zip(KINDS, COLOURS, strict=False))), "mark": {"type": "bar"},
        "height": _height(builds),
        "encoding": {
            "y": _names(builds),
            "x": {"field": "joules", "type": "quantitative", "title": "J a sample",
                  "axis": {"format": "~s"}},
            "color": {"field": "kind", "type": "nominal", "legend": None,
                      "scale": {"domain": list(KINDS), "range": COLOURS[:len(KINDS)]}},
            "order": {"field": "rank", "type": "quantitative"},
            "tooltip": [tip("build"), tip("kind"), tip("joules", ".3~s", "J a sample")]}})


def _stacked(
    builds: list[Figures], order: list[str], value: Callable[[Figures], Any],
    words: tuple[str, str, str],
) -> Spec:
    """A bar for each build, of its layers; `words` are the field, its unit and its format."""
    field, unit, how = words
    rows = [{"build": build["name"], "layer": row["name"], "rank": order.index(row["name"]),
             field: value(row)}
            for build in builds for row in build["layers"] if value(row) is not None]
    names = {row["layer"] for row in rows}
    return chart(f"{field.capitalize()} of a sample of each build by layer", rows, {
        **layer_choice(names, order), "mark": {"type": "bar"}, "height": _height(builds),
        "encoding": {
            "y": _names(builds),
            "x": {"field": field, "type": "quantitative", "title": unit, "axis": {"format": "~s"}},
            "color": layer_colour(names, order),
            "order": {"field": "rank", "type": "quantitative"},
            "tooltip": [tip("build"), tip("layer"), tip(field, how, unit)]}})


def _work(builds: list[Figures], order: list[str]) -> Spec:
    """Seconds of work a step of each layer's busiest part, build beside build; they do not add."""
    builds = [build for build in builds if build["layers"][0]["busy_s"] is not None]
    names = [build["name"] for build in builds]
    shades = colours(names) if len(names) > MANY else COLOURS[:len(names)]
    rows = [{"layer": row["name"], "build": build["name"], "seconds": row["busy_s"]}
            for build in builds for row in build["layers"]]
    layers = [name for name in order if any(row["layer"] == name for row in rows)]
    return chart("Work a step of each layer's busiest part", rows, {
        **choice("build", list(zip(names, shades, strict=True))), "mark": {"type": "bar"},
        "height": max(tall(len(layers)), min(TALLEST, LOWEST * len(layers) * len(names))) + ROOM,
        "encoding": {
            "y": {"field": "layer", "type": "nominal", "sort": layers, "title": None,
                  "scale": {"domain": layers}},
            "yOffset": {"field": "build", "sort": names, "scale": {"domain": names}},
            "x": {"field": "seconds", "type": "quantitative", "title": "s a step",
                  "axis": {"format": "~s"}},
            "color": {"field": "build", "type": "nominal", "legend": None,
                      "scale": {"domain": names, "range": shades}},
            "tooltip": [tip("layer"), tip("build"), tip("seconds", ".3~s", "s a step")]}})


def _front(found: Figures) -> Spec | None:
    """Accuracy against energy with their ranges, and a line through what nothing else beats."""
    rows = front_points(found)
    if len(rows) < FEWEST:
        return None
    best = _unbeaten(rows)
    x = {"field": "joules", "type": "quantitative", "title": "J a sample",
         "axis": {"format": "~s"}, "scale": {"zero": False, "padding": 30}}
    y = {"field": "accuracy", "type": "quantitative", "title": "accuracy",
         "axis": {"format": ".1%"},
         "scale": {"domain": _around([row[end] for row in rows for end in ("low", "high")])}}
    told = [tip("build"), tip("accuracy", ".2%"), tip("joules", ".3~s", "J a sample"),
            tip("beaten", title="beaten by another")]
    ends = [("least", "most", "x"), ("low", "high", "y")]
    bars = [{"transform": [{"filter": f"isValid(datum.{low})"}],
             "mark": {"type": "rule", "strokeWidth": 2.5, "opacity": 0.8},
             "encoding": {"x": {**x, "field": low} if axis == "x" else x,
                          "y": {**y, "field": low} if axis == "y" else y,
                          f"{axis}2": {"field": high}, "color": {"value": COLOURS[0]}}}
            for low, high, axis in ends if any(row[low] is not None for row in rows)]
    return {**chart("Accuracy against energy of a sample", rows, {"height": 320}), "layer": [
        *bars,
        {"data": data(best), "mark": {"type": "line", "interpolate": "step-after",
                                      "color": COLOURS[5], "strokeDash": [5, 3]},
         "encoding": {"x": x, "y": y}},
        {"mark": {"type": "point", "filled": True, "size": 90, "color": COLOURS[0], "opacity": 1},
         "encoding": {"x": x, "y": y, "tooltip": told}},
        {"mark": {"type": "text", "dy": -12, "limit": 160},
         "encoding": {"x": x, "y": y, "text": {"field": "build"}}}]}


def _around(shares: list[float]) -> list[float]:
    """A little more than from the least to the most of `shares`, within 0 and 1."""
    low, high = min(shares), max(shares)
    room = 0.05 * (high - low) + 1e-3
    return [max(0.0, low - room), min(1.0, high + room)]


def front_points(found: Figures) -> Rows:
    """Accuracy and energy of each build that has both, their ranges, and whether it is beaten."""
    metrics = {row["metric"]: row for row in found["metrics"]}
    accuracy, energy = metrics["accuracy"], metrics["energy_j"]
    rows = []
    for place, build in enumerate(found["builds"]):
        right, joules = accuracy["values"][place], energy["values"][place]
        if right is None or joules is None:
            continue
        sure, spent = (each["ranges"][place] or {"low": None, "high": None}
                       for each in (accuracy, energy))
        rows.append({"build": build["name"], "joules": joules, "accuracy": right,
                     "least": spent["low"], "most": spent["high"],
                     "low": sure["low"], "high": sure["high"]})
    for row in rows:
        beaten = any(_beats(other, row) for other in rows)
        row["beaten"] = "yes" if beaten else "no"
    return rows


def _beats(one: Figures, other: Figures) -> bool:
    """Whether `one` is no worse in both, and better in one."""
    return (one["joules"] <= other["joules"] and one["accuracy"] >= other["accuracy"]
            and (one["joules"], one["accuracy"]) != (other["joules"], other["accuracy"]))


def _unbeaten(rows: Rows) -> Rows:
    return sorted(({"joules": row["joules"], "accuracy": row["accuracy"]}
                   for row in rows if row["beaten"] == "no"), key=lambda row: row["joules"])
