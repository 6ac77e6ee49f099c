"""The page of builds beside each other, from what `comparison.compare` gives."""

from __future__ import annotations

from typing import Any

from nmcompile.report.compared import listed
from nmcompile.report.compared_decisions import decided_words
from nmcompile.report.compared_formats import change_text, judged_text, metric_text, sure_rows
from nmcompile.report.page.compare_charts import comparison_charts, front_points
from nmcompile.report.page.frame import framed
from nmcompile.report.yardsticks.told import ANN, NOT_MEASURED, beside, estimates_beside

Figures = dict[str, Any]
ON_CARDS = ("accuracy", "energy_j", "latency_s", "cores", "footprint_bytes")


def comparison_page(found: Figures) -> str:
    """The page as HTML that loads nothing; the same figures and versions give the same text."""
    metrics = {row["metric"]: row for row in found["metrics"]}
    charts = comparison_charts(found)
    return framed(
        "compare.html.j2", charts, _sections(found, charts), found=found,
        first=found["builds"][0]["name"], metrics=metrics, on_cards=ON_CARDS,
        shown=[row for row in found["metrics"]
               if any(value is not None for value in row["values"])],
        metric_text=metric_text, change_text=change_text, judged_text=judged_text,
        decided_words=decided_words, title=_title(found["builds"]), sure=sure_rows(found),
        static=_static(found["builds"]), front=_front(front_points(found)),
        same_data=_same_data(found["builds"]), yardsticks=_yardsticks(found["builds"]))


def _sections(found: Figures, charts: Figures) -> list[tuple[str, str]]:
    rows = [("summary", "Summary", True), ("gates", "Gates", bool(found["gates"])),
            ("causes", "Differences", True), ("metrics", "Figures", True),
            ("layers-of", "Layers", bool(charts.keys() - {"pareto"})),
            ("front", "Accuracy and energy", "pareto" in charts),
            ("certainty", "How sure", True),
            ("yardsticks", "Yardsticks", _yardsticks(found["builds"]) is not None)]
    return [(place, text) for place, text, there in rows if there]


def _title(builds: list[Figures]) -> str:
    """How many builds there are, of which model, target and data where all have the same."""
    models, targets = ({build[name] for build in builds} for name in ("model", "target"))
    if len(models) > 1 or None in models:
        return f"{len(builds)} builds beside each other"
    ran = [build["data"] for build in builds]
    title = str(models.pop())
    if len(targets) == 1:
        title += f" on {targets.pop()}"
    if None not in ran and len({(data["name"], data["sha256"]) for data in ran}) == 1 and (
            ran[0]["name"] is not None):
        title += f", run on {ran[0]['name']}"
    return f"{title}: {len(builds)} builds"


def _static(builds: list[Figures]) -> bool:
    """Whether some build's energy has static power in it."""
    return any(row["energy_j"] and row["energy_j"]["static"]
               for build in builds for row in build["layers"])


def _front(points: list[Figures]) -> str:
    """What the chart of accuracy and energy shows, in words."""
    beaten = [row["build"] for row in points if row["beaten"] == "yes"]
    those = (f"{listed(beaten)} {'are' if len(beaten) > 1 else 'is'}" if beaten else "none is")
    known = [row["least"] is not None for row in points]
    ranges = "of the energies no range is known"
    if any(known):
        ranges = f"of energies by the constants' errors{'' if all(known) else ', where known'}"
    return ("Accuracy against energy of a sample. The line goes through the builds that no other "
            f"one beats, being no worse in both and better in one; {those} beaten. Lines at a "
            f"point are ranges: of accuracies with 95 % (Wilson), {ranges}.")


def _same_data(builds: list[Figures]) -> bool:
    """Whether all builds ran on the same samples, as far as their reports tell."""
    known = {build["data"]["sha256"] for build in builds if build["data"] is not None}
    return len(known) <= 1


def _yardsticks(builds: list[Figures]) -> Figures | None:
    """The common yardsticks beside each other, where all builds have them."""
    told = [build["yardsticks"] for build in builds]
    if None in told:
        return None
    return {"counted": beside(told), "estimated": estimates_beside(told),
            "not_measured": NOT_MEASURED, "note": ANN}
