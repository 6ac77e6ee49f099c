"""The page of builds beside each other, from what `comparison.compare` gives."""

from __future__ import annotations

from typing import Any

from nmcompile.report.compared_formats import change_text, metric_text
from nmcompile.report.page.compare_charts import FEWEST, comparison_charts
from nmcompile.report.page.frame import framed
from nmcompile.report.yardsticks.told import NOT_MEASURED, NOTE, beside, estimates_beside

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
        metric_text=metric_text, change_text=change_text, fewest=FEWEST,
        same_data=_same_data(found["builds"]), yardsticks=_yardsticks(found["builds"]))


def _sections(found: Figures, charts: Figures) -> list[tuple[str, str]]:
    rows = [("summary", "Summary", True), ("gates", "Gates", bool(found["gates"])),
            ("causes", "Differences", True), ("metrics", "Figures", True),
            ("layers-of", "Layers", bool(charts.keys() - {"pareto"})),
            ("front", "Accuracy and energy", "pareto" in charts),
            ("certainty", "How sure", True),
            ("yardsticks", "Yardsticks", _yardsticks(found["builds"]) is not None)]
    return [(place, text) for place, text, there in rows if there]


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
            "not_measured": NOT_MEASURED, "note": NOTE}
