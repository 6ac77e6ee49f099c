"""The page of a build from its figures."""

from __future__ import annotations

from typing import Any

from nmcompile.report.advice import advice
from nmcompile.report.certainty import (
    accuracy_range,
    certainty,
    energy_error,
    guessed_times,
    guessed_words,
    steps_words,
)
from nmcompile.report.page.charts import charts
from nmcompile.report.page.chip import MOST_CORES
from nmcompile.report.page.frame import framed
from nmcompile.report.schema import KINDS
from nmcompile.report.times import value_words
from nmcompile.report.yardsticks.told import NOT_MEASURED, NOTE, counted, estimated, whose

Figures = dict[str, Any]


def page(figures: Figures, name: str) -> str:
    """The page of a build called `name`, as HTML that loads nothing.

    Deterministic: the same figures and versions give the same text.
    """
    return framed(
        "report.html.j2", charts(figures), _sections(figures), figures=figures, name=name,
        kinds=KINDS, advice=advice(figures), interval=accuracy_range(figures),
        certainty=certainty(figures), guessed=guessed_words(figures),
        error=None if figures["energy_j"] is None else energy_error(figures),
        steps=None if figures["latency_s"] is None else steps_words(figures),
        quantized=_quantized(figures), value_words=value_words,
        mixed_up=_mixed_up(figures["confusion"]),
        linked=bool((figures["look"] or figures["floor"])["links"]["column"]),
        guessed_times=guessed_times(figures), yardsticks=_yardsticks(figures["yardsticks"]),
        most_cores=MOST_CORES, shared=_shared(figures))


def _sections(figures: Figures) -> list[tuple[str, str]]:
    ran = figures["samples"] is not None
    found = [("summary", "Summary", True), ("limits", "What limits it", True),
             ("checks", "Checks", True),
             ("classes-of", "Confusion", figures["confusion"] is not None),
             ("layers-of", "Layers", True), ("time", "Time", ran),
             ("chip", "Chip", True), ("activity", "Activity", figures["look"] is not None),
             ("certainty", "How sure", True),
             ("yardsticks", "Yardsticks", figures["yardsticks"] is not None),
             ("words", "Words", True)]
    return [(place, text) for place, text, there in found if there]


def _quantized(figures: Figures) -> Figures | None:
    """What the check of the chip's integers found of accuracies, on the data of the compilation."""
    return next((check["figures"] for check in figures["checks"] if check["arrow"] == "quantize"
                 and check["figures"].get("accuracy_float") is not None
                 and check["figures"].get("accuracy_integer") is not None), None)


def _mixed_up(confusion: list[list[int]] | None) -> str:
    """The classes that are most often taken for another, in words; "" where none is."""
    wrong = sorted((-count, label, decision) for label, row in enumerate(confusion or ())
                   for decision, count in enumerate(row) if count and label != decision)
    told = ", ".join(f"{label} for {decision} ({-count:,})" for count, label, decision in wrong[:3])
    return f"Most often wrong: {told}." if told else ""


def _yardsticks(told: Figures | None) -> Figures | None:
    """What the page shows of the common yardsticks."""
    return told and {"whose": whose(told), "counted": counted(told), "estimated": estimated(told),
                     "not_measured": NOT_MEASURED, "note": NOTE}


def _shared(figures: Figures) -> bool:
    """Whether several layers share a core."""
    names = {row["name"] for row in figures["layers"]}
    return not names.issuperset(figures["floor"]["cores"]["layers"])
