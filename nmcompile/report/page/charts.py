"""The charts of the page as Vega-Lite specifications, of report.json's figures alone."""

from __future__ import annotations

from nmcompile.report.page.chip import cores, floor
from nmcompile.report.page.spec import (
    BRIGHT,
    COLOURS,
    DARKEST,
    GREY,
    MANY,
    RATE,
    Figures,
    Rows,
    Spec,
    apart,
    chart,
    choice,
    data,
    histogram,
    layer_choice,
    layer_colour,
    tip,
)
from nmcompile.report.schema import KINDS

ROW, TALLEST = 26, 720  # pixels of a bar, and of all of them where they are many
MOST_COUNTED = 20  # classes, up to which counts are written into the cells
SHARES = [0, 0.05, 0.25, 0.5, 1]  # that the legend of classes names
LOWEST = 13  # pixels of a bar with its name


def charts(figures: Figures) -> dict[str, Spec]:
    """Name of each chart that there are figures for -> its specification."""
    order = [row["name"] for row in figures["layers"]]
    found = {"cores": cores(figures), "floor": floor(figures, order)}
    if figures["energy_j"] is not None:
        found["energy"] = energy(figures)
        if 0 < figures["energy_j"]["static"] < figures["energy_j"]["total"]:
            found["events"] = energy(figures, KINDS[:-1])
    if figures["confusion"] is not None:
        found["classes"] = classes(figures["confusion"])
    if figures["look"] is None:
        return found
    look = figures["look"]
    if figures["latency_s"] is not None:
        found["steps"] = steps(look, order)
    found |= {"spikes": spikes(figures, order), "raster": raster(look, order)}
    for number, layer in enumerate(look["layers"]):
        found[f"rates-{number}"] = rates(layer)
        if layer["membrane"] is not None:
            found[f"membrane-{number}"] = membrane(layer)
    return found


def energy(figures: Figures, kinds: tuple[str, ...] = KINDS) -> Spec:
    """Joules of a sample by layer and kind, stacked."""
    rows = [{"layer": row["name"], "kind": kind, "rank": rank,
             "joules": row["energy_j"][kind] / figures["samples"]}
            for row in figures["layers"] for rank, kind in enumerate(kinds)]
    names = [row["name"] for row in figures["layers"]]
    known = list(zip(kinds, COLOURS, strict=False))
    title = "Energy of a sample by layer and kind"
    return chart(
        title if kinds == KINDS else f"{title}, without static power", rows,
        {**choice("kind", known), "mark": {"type": "bar"}, "height": tall(len(names)),
         "encoding": {
             "y": {"field": "layer", "type": "nominal", "sort": names, "title": None,
                   "scale": {"domain": names}},
             "x": {"field": "joules", "type": "quantitative", "title": "J a sample",
                   "axis": {"format": "~s"}},
             "color": {"field": "kind", "type": "nominal", "legend": None,
                       "scale": {"domain": list(kinds), "range": COLOURS[:len(kinds)]}},
             "order": {"field": "rank", "type": "quantitative"},
             "tooltip": [tip("layer"), tip("kind"), tip("joules", ".3~s", "J a sample")]}})


def classes(confusion: list[list[int]]) -> Spec:
    """Samples by label and decision; shades are roots of shares of a label's samples."""
    rows = [{"label": label, "decision": decision, "samples": count,
             "share": count / max(1, sum(counts))}
            for label, counts in enumerate(confusion) for decision, count in enumerate(counts)
            if count]
    known = list(range(len(confusion)))
    axes: Spec = {
        name: {"field": field, "type": "ordinal", "title": field, "scale": {"domain": known},
               "axis": {"labelOverlap": True, "labelAngle": 0}}
        for name, field in (("x", "decision"), ("y", "label"))}
    told = [tip("label"), tip("decision"), tip("samples", ","), tip("share", ".1%")]
    shades: Spec = {"mark": {"type": "rect"}, "encoding": {
        "color": {"field": "share", "type": "quantitative", "title": "of the label's samples",
                  "scale": {"scheme": "viridis", "type": "sqrt", "domain": [0, 1]},
                  "legend": {"format": ".0%", "values": SHARES}}}}
    counts: Spec = {"mark": {"type": "text"}, "encoding": {
        "text": {"field": "samples", "type": "quantitative", "format": ","},
        "color": {"value": "white", "condition": {
            "test": f"datum.share > {BRIGHT**2:.4f}", "value": "black"}}}}
    return chart("Samples by label and decision", rows, {
        "height": tall(len(confusion)), "encoding": {**axes, "tooltip": told},
        "view": {"fill": DARKEST},
        "layer": [shades, counts] if len(confusion) <= MOST_COUNTED else [shades]})


def tall(rows: int) -> int:
    """Pixels of so many bars."""
    return int(rows * min(ROW, max(LOWEST, TALLEST / rows)))


def steps(look: Figures, order: list[str]) -> Spec:
    """Seconds of each step of the first sample, coloured by the layer that is done last."""
    told = look["steps"]
    none = apart("none", order)
    rows = [{"step": k, "seconds": seconds, "work": busy, "core": core, "layer": layer or none}
            for k, (seconds, busy, core, layer) in enumerate(zip(
                told["seconds"], told["busy_s"], told["core"], told["layer"], strict=True))]
    names = {row["layer"] for row in rows}
    return chart(
        "Time of each step of the first sample, by the layer that is done last", rows,
        {**layer_choice(names, order, "none"), "mark": {"type": "bar"}, "height": 220,
         "encoding": {
             "x": {"field": "step", "type": "ordinal", "title": "step of the chip",
                   "scale": {"domain": list(range(len(rows)))},
                   "axis": {"labelOverlap": True, "labelAngle": 0}},
             "y": {"field": "seconds", "type": "quantitative", "title": "s",
                   "axis": {"format": "~s"}},
             "color": layer_colour(names, order, "done last"),
             "tooltip": [tip("step"), tip("seconds", ".3~s", "s"),
                         tip("work", ".3~s", "s of work of the last core"),
                         tip("core", title="last core"), tip("layer", title="its layer")]}})


def spikes(figures: Figures, order: list[str]) -> Spec:
    """Spikes of each layer in each step of the first sample: lines, or of many layers shades.

    Several inputs are one line, as they are counted together.
    """
    steps = figures["look"]["steps"]
    inputs = [name for name in order if name not in steps["spikes"]]
    first = inputs[0] if len(inputs) == 1 else apart("inputs", order)
    told = steps["spikes"] if steps["inputs"] is None else {
        first: steps["inputs"], **steps["spikes"]}
    rows = [{"layer": name, "step": k, "spikes": count}
            for name, counts in told.items() for k, count in enumerate(counts)]
    tooltip = [tip("layer"), tip("step"), tip("spikes", ",")]
    title = "Spikes of each layer in each step of the first sample"
    if len(told) > MANY:
        return chart(title, rows, {
            "mark": {"type": "rect"}, "height": tall(len(told)),
            "encoding": {
                "x": {"field": "step", "type": "ordinal", "title": "step of the chip",
                      "axis": {"labelOverlap": True, "labelAngle": 0}},
                "y": {"field": "layer", "type": "nominal", "sort": list(told), "title": None},
                "color": {"field": "spikes", "type": "quantitative",
                          "scale": {"scheme": "viridis", "type": "sqrt"}},
                "tooltip": tooltip}})
    return chart(title, rows, {
        **layer_choice(set(told), [first, *steps["spikes"]]),
        "mark": {"type": "line", "point": True}, "height": 200,
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "title": "step of the chip",
                  "axis": {"tickMinStep": 1}, "scale": {"nice": False}},
            "y": {"field": "spikes", "type": "quantitative", "title": "spikes"},
            "color": layer_colour(set(told), [first, *steps["spikes"]]),
            "tooltip": tooltip}})


def raster(look: Figures, order: list[str]) -> Spec:
    """Spikes of some neurons of each layer in the first sample, layer above layer.

    Steps are the chip's where it is known how far a layer's lag behind these.
    """
    rows, bands, base = [], [], 0
    for layer in look["layers"]:
        told, lag = layer["raster"], layer["lag"] or 0
        place = {neuron: k for k, neuron in enumerate(sorted(set(told["neuron"])))}
        rows += [{"layer": layer["name"], "step": step + lag, "neuron": neuron,
                  "row": base + place[neuron]}
                 for step, neuron in zip(told["step"], told["neuron"], strict=True)]
        bands.append({"name": layer["name"], "first": base - 0.7,
                      "last": base + max(told["of"], 1) - 0.3})
        base += max(told["of"], 1) + 2
    height = max(160, min(TALLEST, 3 * base))
    names = {layer["name"] for layer in look["layers"]}
    last = max([row["step"] for row in rows] + [len(look["steps"]["layer"]) - 1])
    return _banded(chart(
        "Spikes of some neurons of each layer in the first sample", rows,
        {**layer_choice(names, order), "height": height,
         "mark": {"type": "square", "opacity": 1, "size": max(3, min(24, 8 * height // base))},
         "encoding": {
             "x": {"field": "step", "type": "quantitative", "title": "step of the chip",
                   "axis": {"tickMinStep": 1},
                   "scale": {"domain": [-0.5, last + 0.5], "nice": False}},
             "y": {"field": "row", "type": "quantitative", "title": None,
                   "scale": {"reverse": True, "domain": [-1, base]}},
             "color": layer_colour(names, order),
             "tooltip": [tip("layer"), tip("neuron"), tip("step")]}}), bands)


def _banded(spec: Spec, bands: Rows) -> Spec:
    """`spec` with the rows of each layer as a band with its name, also where nothing is sent."""
    middles = [(band["first"] + band["last"]) / 2 for band in bands]
    marks = {name: spec.pop(name) for name in ("data", "transform", "mark", "encoding")}
    axis = {"values": middles, "grid": False, "ticks": False, "labelOverlap": True,
            "labelExpr": "names[indexof(middles, datum.value)]"}
    y = {**marks["encoding"]["y"], "axis": axis}
    band = {"data": data(bands), "mark": {"type": "rect", "color": GREY, "opacity": 0.15},
            "encoding": {"y": {**y, "field": "first"}, "y2": {"field": "last"}}}
    params = [*spec["params"], {"name": "middles", "value": middles},
              {"name": "names", "value": [band["name"] for band in bands]}]
    return {**spec, "params": params,
            "layer": [band, {**marks, "encoding": {**marks["encoding"], "y": y}}]}


def rates(layer: Figures) -> Spec:
    """How many neurons of a layer send how many spikes in a step."""
    return histogram(layer["rates"]["edges"], layer["rates"]["neurons"], (RATE, "neurons"),
                     f"Rates of the neurons of {layer['name']}", COLOURS[0])


def membrane(layer: Figures) -> Spec:
    """How often a layer's membrane is where after a step, with its threshold."""
    told = layer["membrane"]
    spec = histogram(told["edges"], told["counts"], ("membrane", "values"),
                     f"Membranes of {layer['name']} after a step", COLOURS[2])
    low, high = told["edges"][0], told["edges"][-1]
    levels = [v for v in dict.fromkeys(told["level"] or ()) if low <= v <= high + (high - low)]
    if not levels:
        return spec
    bars = {name: spec.pop(name) for name in ("data", "mark", "encoding")}
    rule = {"data": data([{"level": level} for level in levels]),
            "mark": {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 2, "color": COLOURS[5]},
            "encoding": {"x": {"field": "level", "type": "quantitative"},
                         "tooltip": [tip("level", "~s", "threshold")]}}
    return {**spec, "layer": [bars, rule]}
