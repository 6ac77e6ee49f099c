"""Figures of compilations and runs."""

from nmcompile.report.figures import (
    Figures,
    accuracy,
    compiled_figures,
    decisions,
    run_figures,
)

__all__ = ["Figures", "accuracy", "compiled_figures", "decisions", "run_figures"]
