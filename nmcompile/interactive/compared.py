"""Runs beside each other in Python: `nmc.compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from nmcompile import comparison
from nmcompile.build import Build
from nmcompile.interactive.compiled import Page, Simulated
from nmcompile.interactive.libraries import pandas as the_pandas
from nmcompile.report import Figures
from nmcompile.report.compared_formats import (
    cell_text,
    gate_line,
    rendered_comparison,
    result_text,
    told_against,
)

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Compared:
    """Runs beside each other; the first is what the others are held against.

    figures  what `nmc compare --json` prints
    """

    figures: Figures

    @property
    def table(self) -> pandas.DataFrame:
        """A row for each metric in its unit, of a sample on average, and a column for each run.

        What is not known is missing.
        """
        return self._metrics("values")

    @property
    def changes(self) -> pandas.DataFrame:
        """A row for each metric: its change against the first run, a share but of accuracy."""
        return self._metrics("changes")

    @property
    def causes(self) -> dict[str, list[str]]:
        """Run -> what was made otherwise, and where its differences come from."""
        return dict(zip(self._names[1:], self.figures["causes"], strict=True))

    @property
    def broken(self) -> dict[str, list[str]]:
        """Gate -> the runs that break it."""
        return {gate["gate"]: gate["broken_by"] for gate in self.figures["gates"]}

    def report(self, path: str | Path | None = None) -> Page:
        """The page that `nmc compare -o` writes; written to `path` if that is given."""
        made = Page(html=rendered_comparison(self.figures, "html"))
        if path is not None:
            made.save(path)
        return made

    def __repr__(self) -> str:
        """The runs, in a line."""
        return f"comparison of {', '.join(self._names)}"

    def _repr_html_(self) -> str:
        """Metrics with their changes, and causes, for notebooks."""
        heads = "".join(f"<th>{escape(name)}</th>" for name in ("", *self._names))
        rows = "".join(
            f"<tr><td>{row['words']}</td>"
            + "".join(f"<td>{cell_text(row, k)}</td>" for k in range(len(self._names))) + "</tr>"
            for row in self.figures["metrics"] if any(v is not None for v in row["values"]))
        causes = "".join(
            f"<li>{escape(name)}: {escape('; '.join(told))}</li>"
            for name, told in zip(self._names[1:], told_against(self.figures), strict=True))
        gates = "".join(
            f"<li>{escape(gate['gate'])}: {escape(result_text(gate))}"
            f"<br>{escape(gate_line(gate, self.figures['builds']))}</li>"
            for gate in self.figures["gates"])
        return (f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
                f"<ul>{causes}{gates}</ul>")

    @property
    def _names(self) -> list[str]:
        return [build["name"] for build in self.figures["builds"]]

    def _metrics(self, what: str) -> pandas.DataFrame:
        rows = {row["metric"]: row[what] for row in self.figures["metrics"]}
        return the_pandas().DataFrame.from_dict(
            rows, orient="index", columns=self._names, dtype=float).rename_axis("metric")


def compare(runs: Mapping[str, Simulated | Build], gates: Sequence[str] = ()) -> Compared:
    """Two runs or more beside each other, the first as what the others are held against.

    runs   name -> a run, or a build that was read with `read_build`
    gates  bounds, as "accuracy>=0.97", or against the first run "energy_j<+5%"

    Raises NmcError where there are fewer than two, a gate is none, or its metric is not known of
    one of them.
    """
    builds = [replace(run if isinstance(run, Build) else run.build, folder=Path(name))
              for name, run in runs.items()]
    asked = [comparison.parse_gate(gate) for gate in gates]
    return Compared(figures=comparison.compare(builds, asked))
