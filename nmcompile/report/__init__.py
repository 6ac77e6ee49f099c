"""Figures of compilations and runs."""

from nmcompile.report.figures import (
    Figures,
    accuracy,
    compiled_figures,
    decisions,
    run_figures,
)
from nmcompile.report.schema import ReportFile

__all__ = ["Figures", "ReportFile", "accuracy", "compiled_figures", "decisions", "run_figures"]
