"""Builds beside each other on a terminal."""

from __future__ import annotations

from nmcompile.cli._terminal import say, show_table
from nmcompile.comparison import Figures
from nmcompile.report.compared_formats import (
    cell_text,
    gate_line,
    result_text,
    told_against,
)


def print_comparison(found: Figures) -> None:
    """The table of metrics, what is the same, what was made otherwise, and the gates."""
    rows = [["target", *(build["target"] for build in found["builds"])]]
    for row in found["metrics"]:
        if any(value is not None for value in row["values"]):
            rows.append([row["words"], *(cell_text(row, k) for k in range(len(row["values"])))])
    show_table(["", *(build["name"] for build in found["builds"])], rows, names=())
    if found["same"]:
        say(f"the same in all: {', '.join(f'{what} {value}' for what, value in found['same'])}")
    for build, said in zip(found["builds"][1:], told_against(found), strict=True):
        say(f"{build['name']} against {found['builds'][0]['name']}:")
        for cause in said:
            say(f"  {cause}")
    for note in filter(None, found["notes"].values()):
        say(f"note: {note}")
    for gate in found["gates"]:
        say(f"gate {gate['gate']}: {result_text(gate)}")
        say(f"  {gate_line(gate, found['builds'])}")
