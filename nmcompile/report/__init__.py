"""Figures of compilations and runs."""

from nmcompile.report.figures import (
    Figures,
    accuracy,
    compiled_figures,
    decisions,
    run_figures,
)
from nmcompile.report.formats import format_of, rendered
from nmcompile.report.graph import to_svg
from nmcompile.report.look import look_figures
from nmcompile.report.mapped import mapping_figures
from nmcompile.report.schema import ReportFile
from nmcompile.report.structure import structure
from nmcompile.report.trace_events import Timeline

__all__ = ["Figures", "ReportFile", "Timeline", "accuracy", "compiled_figures", "decisions",
           "format_of", "look_figures", "mapping_figures", "rendered", "run_figures",
           "structure", "to_svg"]
