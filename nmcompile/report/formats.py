"""The figures of a build as files: a page, a summary with tables, rows of layers, JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from nmcompile.errors import OptionError, unknown_name
from nmcompile.files import json_text
from nmcompile.report.advice import advice
from nmcompile.report.certainty import energy_error, guessed_words, steps_words
from nmcompile.report.schema import KINDS
from nmcompile.report.times import value_words
from nmcompile.report.units import si

Figures = dict[str, Any]
SUFFIXES = {".html": "html", ".htm": "html", ".md": "md", ".csv": "csv", ".json": "json"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # owasp.org/www-community/attacks/CSV_Injection
COUNTS = ("neurons", "cores", "spikes", "synaptic_events", "neuron_updates", "packets", "hops")


def rendered(figures: Figures, name: str, how: str) -> str:
    """The figures of the build called `name` as "html", "md", "csv" or "json".

    Raises NmcError for any other `how`.
    """
    writers: dict[str, Callable[[Figures, str], str]] = {
        "html": _page, "md": _markdown, "csv": lambda told, _: _csv(told),
        "json": lambda told, _: json_text(told)}
    if how not in writers:
        raise unknown_name("--format", how, writers)
    return writers[how](figures, name)


def format_of(path: Path) -> str:
    """The format that the name of a file asks for; NmcError where it asks for none."""
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(str(path), "does not say by its name what it shall hold",
                          f"End it with {', '.join(SUFFIXES)}, or add --format.")
    return SUFFIXES[path.suffix.lower()]


def _page(figures: Figures, name: str) -> str:
    from nmcompile.report.page import page

    return page(figures, name)


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """CSV as RFC 4180 has it; None is empty.

    Of a text that a spreadsheet would run as a formula the first sign is an apostrophe.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(map(_inert, rows))
    return text.getvalue()


def _inert(row: Sequence[Any]) -> list[Any]:
    return [f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
            for cell in row]


def _csv(figures: Figures) -> str:
    """A row for each layer; units are in the heads, what is not known is empty."""
    rows: list[list[Any]] = [["layer", *COUNTS, "utilisation", "busy_s_per_step", "energy_j",
                              *(f"{kind}_j" for kind in KINDS)]]
    for row in figures["layers"]:
        joules = row["energy_j"] or dict.fromkeys(("total", *KINDS))
        rows.append([row["name"], *(row[name] for name in COUNTS), row["utilisation"],
                     row["latency_s"], joules["total"], *(joules[kind] for kind in KINDS)])
    return csv_text(rows)


def _markdown(figures: Figures, name: str) -> str:
    parts = [f"# {plain(name)} on {plain(figures['title'])}", _summary(figures)]
    told = advice(figures)
    if told:
        parts += ["## What limits it, and what would relieve it",
                  "\n".join(f"- **{plain(row['what'])}** {plain(row['relief'])}" for row in told)]
    parts += ["## Layers", _layers(figures), "## Checks",
              markdown_table(("arrow", "what was found"),
                            [(check["arrow"], check["text"]) for check in figures["checks"]])]
    if figures["energy_by_constant"]:
        parts += ["## What the energy rests on", _constants(figures)]
    if figures["time_constants"]:
        parts += ["## What the time rests on, and with it the energy of static power",
                  _time_constants(figures)]
    if figures["estimated"]:
        parts.append(f"{len(figures['estimated'])} constants of the target are estimates: "
                     f"{plain(', '.join(figures['estimated']))}.")
    return "\n\n".join(parts) + "\n"


def _summary(figures: Figures) -> str:
    mapped = figures["mapping"]
    rows = [("target", f"{figures['target']}, {mapped['cores']:,} of {mapped['cores_of']:,} cores")]
    if figures["samples"] is None:
        rows.append(("run", "not simulated yet"))
        return markdown_table(("figure", "value"), rows)
    if figures["accuracy"] is not None:
        rows.append(("accuracy", f"{100 * figures['accuracy']:.2f} % of {figures['samples']:,} "
                     "samples"))
    latency, joules = figures["latency_s"], figures["energy_per_sample_j"]
    rows.append(("latency of a sample", "not known" if latency is None else
                 f"{si(latency['per_sample_mean'], 's')}, {steps_words(figures)}, "
                 f"{figures['timing']} timing"))
    rows.append(("energy of a sample", "not known" if joules is None else
                 f"{si(joules, 'J')} ({energy_error(figures)})"))
    told = guessed_words(figures)
    if told is not None:
        rows.append(("estimates", f"of the energy, {told.replace(' of it', '', 1)}"))
    if figures["outside"]["boundary"] is not None:
        rows.append(("boundary", figures["outside"]["boundary"]))
    return markdown_table(("figure", "value"), rows)


def _layers(figures: Figures) -> str:
    heads = ["layer", "neurons", "cores", "spikes", "synaptic events", "packets", "busy a step",
             "energy", *KINDS]
    kinds, rows = ("total", *KINDS), []
    for row in figures["layers"]:
        joules = row["energy_j"] or dict.fromkeys(kinds)
        counts = [_count(row[name]) for name in (
            "neurons", "cores", "spikes", "synaptic_events", "packets")]
        rows.append([row["name"], *counts, _unit(row["latency_s"], "s"),
                     *(_unit(joules[kind], "J") for kind in kinds)])
    return markdown_table(heads, rows, right=True)


def _constants(figures: Figures) -> str:
    return markdown_table(
        ("constant", "value", "known as", "energy", "source"),
        [(row["constant"], si(row["value"], row["unit"]), row["known_as"],
          si(row["energy_j"], "J"), row["source"]) for row in figures["energy_by_constant"]])


def _time_constants(figures: Figures) -> str:
    return markdown_table(
        ("constant", "value", "known as", "source"),
        [(row["constant"], value_words(row), row["known_as"], row["source"])
         for row in figures["time_constants"]])


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _unit(value: float | None, unit: str) -> str:
    return "" if value is None else si(value, unit)


def markdown_table(heads: Any, rows: Any, *, right: bool = False) -> str:
    """A table as GitHub's Markdown has it; its first column is to the left."""
    rule = ["---", *["---:" if right else "---"] * (len(heads) - 1)]
    head, *body = [[plain(cell) for cell in row] for row in (heads, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *body))


def plain(text: str) -> str:
    """`text` with nothing in it that Markdown or HTML would take as its own."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{sign}" if sign in "\\|`*_[]#~$" else sign for sign in text)
