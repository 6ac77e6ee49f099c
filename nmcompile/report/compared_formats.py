"""Builds beside each other as files: a page, a summary with tables, rows of metrics, JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nmcompile.errors import unknown_name
from nmcompile.files import json_text
from nmcompile.report.formats import csv_text, markdown_table, plain
from nmcompile.report.units import si

Figures = dict[str, Any]
NOT_KNOWN = "not known"
WHOLE, MOST = 1e5, 1e15  # counts from and to which all digits before the point are told


def rendered_comparison(found: Figures, how: str) -> str:
    """What `comparison.compare` gives as "html", "md", "csv" or "json".

    Raises NmcError for any other `how`.
    """
    writers: dict[str, Callable[[Figures], str]] = {
        "html": _page, "md": _markdown, "csv": _csv, "json": json_text}
    if how not in writers:
        raise unknown_name("--format", how, writers)
    return writers[how](found)


def metric_text(metric: str, unit: str, value: float | None) -> str:
    """A metric's value in words."""
    if value is None:
        return NOT_KNOWN
    if metric == "accuracy":
        return f"{100 * value:.2f} %"
    if unit == "B":
        return f"{value / 1024:,.1f} KiB"
    if unit:
        return si(value, unit)
    return f"{value:,.0f}" if WHOLE <= abs(value) < MOST else f"{value:,.6g}"


def change_text(row: Figures, place: int) -> str:
    """How a metric of the build at `place` changes against the first one's, with its sign.

    Of accuracy in points, else in percent; empty of the first, and where it is not known.
    """
    change = row["changes"][place]
    if not place or change is None:
        return ""
    points = row["metric"] == "accuracy"
    return f"{100 * change:+.2f} points" if points else f"{100 * change:+.1f} %"


def cell_text(row: Figures, place: int) -> str:
    """A metric of the build at `place`, with its change against the first one's."""
    told = change_text(row, place)
    return metric_text(row["metric"], row["unit"], row["values"][place]) + (
        f" ({told})" if told else "")


def _page(found: Figures) -> str:
    from nmcompile.report.page.compare import comparison_page

    return comparison_page(found)


def _csv(found: Figures) -> str:
    """A row for each metric of each build; what is not known is empty."""
    rows: list[list[Any]] = [
        ["build", "target", "metric", "unit", "value", "change", "low", "high"]]
    for place, build in enumerate(found["builds"]):
        for row in found["metrics"]:
            ends = row["ranges"][place] or {"low": None, "high": None}
            rows.append([build["name"], build["target"], row["metric"], row["unit"],
                         row["values"][place], row["changes"][place], ends["low"], ends["high"]])
    return csv_text(rows)


def _markdown(found: Figures) -> str:
    first, *others = found["builds"]
    parts = [f"# {plain(first['name'])} beside {plain(', '.join(b['name'] for b in others))}",
             _metrics(found)]
    if found["gates"]:
        parts += ["## Gates", markdown_table(("gate", "result"), [
            (gate["gate"], _result(gate)) for gate in found["gates"]])]
    for build, causes in zip(others, found["causes"], strict=True):
        said = causes or ["nothing was made otherwise"]
        parts += [f"## {plain(build['name'])} against {plain(first['name'])}",
                  "\n".join(f"- {plain(cause)}" for cause in said)]
    parts += ["## Which figures are estimates", markdown_table(
        ("build", "figure", "how it comes about", "estimates in it"),
        [(build["name"], figure, how, ", ".join(guesses) or "none")
         for build in found["builds"] for figure, how, guesses in build["estimates"]["figures"]])]
    return "\n\n".join(parts) + "\n"


def _result(gate: Figures) -> str:
    return f"broken by {', '.join(gate['broken_by'])}" if gate["broken_by"] else "kept"


def _metrics(found: Figures) -> str:
    rows = [("target", *(build["target"] for build in found["builds"]))]
    for row in found["metrics"]:
        if any(value is not None for value in row["values"]):
            rows.append((row["words"], *(
                cell_text(row, place) for place in range(len(row["values"])))))
    return markdown_table(("metric", *(build["name"] for build in found["builds"])), [
        *rows], right=True)
