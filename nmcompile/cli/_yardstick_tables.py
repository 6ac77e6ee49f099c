"""The common yardsticks on a terminal: counts of model and chip, and what papers make of them."""

from __future__ import annotations

from collections.abc import Sequence

from nmcompile.cli._terminal import say, show_table
from nmcompile.report import Figures
from nmcompile.report.yardsticks.told import NOT_MEASURED, NOTE, counted, estimated, merged, whose


def print_yardsticks(figures: Figures | None) -> None:
    """The table of counts and, where there are some, that of estimates."""
    if figures is None:
        return
    say(f"\nyardsticks, a sample ({whose(figures)})")
    _print(counted(figures), "figure", "float", "chip", "what it counts")
    if merged(figures):
        say(merged(figures))
    if figures["estimates"]:
        say(f"\n{NOT_MEASURED}")
        _print(estimated(figures), "estimate", "of", "network", "ANN", "same cost at",
               "what it takes")
        say(NOTE)


def _print(rows: Sequence[tuple[str, ...]], first: str, *columns: str) -> None:
    show_table((first, *columns), rows, left=("of",), names=(), text=columns[-1:])
