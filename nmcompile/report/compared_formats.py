"""Builds beside each other as files: a page, a summary with tables, rows of metrics, JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nmcompile.errors import unknown_name
from nmcompile.files import json_text
from nmcompile.report.compared_decisions import decided_words
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
    change, values = row["changes"][place], row["values"]
    if not place or values[place] is None:
        return ""
    if values[place] == values[0]:
        return "same"
    if change is None:
        return ""
    digits, unit = (2, "points") if row["metric"] == "accuracy" else (1, "%")
    least = 10.0**-digits
    if abs(100 * change) < least / 2:
        return f"below {least:.{digits}f} {unit}"
    return f"{100 * change:+,.{digits}f} {unit}"


def cell_text(row: Figures, place: int) -> str:
    """A metric of the build at `place`, with its change against the first one's."""
    told = change_text(row, place)
    return metric_text(row["metric"], row["unit"], row["values"][place]) + (
        f" ({told})" if told else "")


def told_against(found: Figures) -> list[list[str]]:
    """Of each build but the first: how it decides the same samples, and all causes, in words."""
    return [[*([decided_words(decided)] if decided else []),
             *(causes or ["nothing was made otherwise"])]
            for decided, causes in zip(found["decided"], found["causes"], strict=True)]


def judged_text(gate: Figures, place: int) -> str:
    """What a gate held against its bound of the build at `place`, and whether it is within."""
    held, value, judged = (gate[name][place] for name in ("held", "values", "judged"))
    if gate["against"] is None:
        told = metric_text(gate["metric"], gate["unit"], value)
    elif not place:
        return f"{metric_text(gate['metric'], gate['unit'], value)}, held against"
    elif judged is None:
        told = "up from nothing"
    else:
        told = f"{100 * judged:+.4g} {'points' if gate['metric'] == 'accuracy' else '%'}"
        told = told if judged else "same"
    return f"{told}, {'kept' if held else 'broken'}"


def result_text(gate: Figures) -> str:
    """Whether all builds keep a gate, or which break it."""
    return f"broken by {', '.join(gate['broken_by'])}" if gate["broken_by"] else "kept"


def gate_words(gate: Figures) -> str:
    """A gate in words: what is bounded, by how much, against what, and on what it stands."""
    against = f" against {gate['against']}" if gate["against"] is not None else ""
    return (f"{gate['words']} {gate['bound']}{against}"
            f"{' (on estimates)' if gate['on_estimates'] else ''}")


def gate_line(gate: Figures, builds: list[Figures]) -> str:
    """A gate in words, and what was judged of each build."""
    return f"{gate_words(gate)}: " + "; ".join(
        f"{build['name']} {judged_text(gate, place)}" for place, build in enumerate(builds))


def sure_rows(found: Figures) -> list[tuple[str, str, str, list[str]]]:
    """Builds, figure, how it comes about and estimates in it; builds that are alike share a row."""
    names: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for build in found["builds"]:
        for figure, how, guesses in build["estimates"]["figures"]:
            names.setdefault((figure, how, tuple(guesses)), []).append(build["name"])
    order = list(dict.fromkeys(figure for figure, _, _ in names))
    every = len(found["builds"])
    return [("all" if len(of) == every else ", ".join(of), figure, how, list(guesses))
            for (figure, how, guesses), of in sorted(
                names.items(), key=lambda row: order.index(row[0][0]))]


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
        parts += ["## Gates", markdown_table(
            ("gate", "result", "what it says", *(build["name"] for build in found["builds"])),
            [(gate["gate"], result_text(gate), gate_words(gate),
              *(judged_text(gate, place) for place in range(len(found["builds"]))))
             for gate in found["gates"]])]
    if found["same"]:
        parts += ["## The same in all", markdown_table(("what", "value"), found["same"])]
    for build, said in zip(others, told_against(found), strict=True):
        parts += [f"## {plain(build['name'])} against {plain(first['name'])}",
                  "\n".join(f"- {plain(cause)}" for cause in said)]
    parts += ["## Which figures are estimates", markdown_table(
        ("build", "figure", "how it comes about", "estimates in it"),
        [(names, figure, how, ", ".join(guesses) or "none")
         for names, figure, how, guesses in sure_rows(found)])]
    parts += [plain(note) for note in found["notes"].values() if note]
    return "\n\n".join(parts) + "\n"


def _metrics(found: Figures) -> str:
    rows = [("target", *(build["target"] for build in found["builds"]))]
    for row in found["metrics"]:
        if any(value is not None for value in row["values"]):
            rows.append((row["words"], *(
                cell_text(row, place) for place in range(len(row["values"])))))
    return markdown_table(("metric", *(build["name"] for build in found["builds"])), [
        *rows], right=True)
