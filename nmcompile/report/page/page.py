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
from nmcompile.report.yardsticks.told import NOT_MEASURED, NOTE, counted, estimated, merged, whose

Figures = dict[str, Any]
MOST_TOLD = 3  # pairs of classes


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
        quantized=_quantized(figures), same=_same, value_words=value_words,
        mixed_up=_mixed_up(figures["confusion"]),
        linked=bool((figures["look"] or figures["floor"])["links"]["column"]),
        guessed_times=guessed_times(figures), sent_after=_sent_after(figures),
        yardsticks=_yardsticks(figures["yardsticks"]),
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
    often = [each for each in wrong[:MOST_TOLD] if -each[0] > 1]
    told = "; ".join(f"{label} taken for {decision}: {-count:,}"
                     for count, label, decision in often)
    rest = wrong[len(often):]
    others = -sum(count for count, *_ in rest)
    if not others:
        return f"Most often wrong: {told}." if told else ""
    samples = f"{others:,} {'other ' * bool(told)}sample{'s' * (others > 1)}"
    alike = ", no two alike" if 1 < others == len(rest) else ""
    if told:
        return f"Most often wrong: {told}; {samples} besides{alike}."
    return f"Wrong {'are' if others > 1 else 'is'} {samples}{alike}."


def _same(check: Figures) -> str:
    """What a check found to be the same, in words; "" where something differs, or is not told."""
    told = check["figures"]
    if told.get("decisions_equal") == 1:
        return "same decisions"
    differing = [count for name, count in told.items() if name.endswith("_differing")]
    return "same spikes" if told.get("spikes") and differing and not any(differing) else ""


def _sent_after(figures: Figures) -> int:
    """Spikes of the first sample that layers send after their own last steps; 0: none known."""
    if figures["look"] is None:
        return 0
    spikes, own = figures["look"]["steps"]["spikes"], figures["steps"]
    return sum(sum(spikes.get(layer["name"], [])[layer["lag"] + own:])
               for layer in figures["look"]["layers"] if layer["lag"] is not None)


def _yardsticks(told: Figures | None) -> Figures | None:
    """What the page shows of the common yardsticks."""
    return told and {"whose": whose(told), "counted": counted(told), "estimated": estimated(told),
                     "merged": merged(told), "not_measured": NOT_MEASURED, "note": NOTE}


def _shared(figures: Figures) -> bool:
    """Whether several layers share a core."""
    names = {row["name"] for row in figures["layers"]}
    return not names.issuperset(figures["floor"]["cores"]["layers"])
