"""Builds beside each other on a terminal."""

from __future__ import annotations

from nmcompile.cli._terminal import say, show_table
from nmcompile.comparison import Figures
from nmcompile.report.compared_formats import cell_text


def print_comparison(found: Figures) -> None:
    """The table of metrics, what was made otherwise, and the gates."""
    rows = [["target", *(build["target"] for build in found["builds"])]]
    for row in found["metrics"]:
        if any(value is not None for value in row["values"]):
            rows.append([row["words"], *(cell_text(row, k) for k in range(len(row["values"])))])
    show_table(["", *(build["name"] for build in found["builds"])], rows, names=())
    for build, causes in zip(found["builds"][1:], found["causes"], strict=True):
        say(f"{build['name']} against {found['builds'][0]['name']}:")
        for cause in causes or ["nothing was made otherwise"]:
            say(f"  {cause}")
    for gate in found["gates"]:
        broken = ", ".join(gate["broken_by"])
        say(f"gate {gate['gate']}: {f'broken by {broken}' if broken else 'kept'}")
