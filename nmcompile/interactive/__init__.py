"""Compiled networks and their runs in Python and notebooks: tables, arrays with names, pages."""

from nmcompile.interactive.compared import Compared, compare
from nmcompile.interactive.compiled import CompiledNetwork, Page, Simulated, compiled_network
from nmcompile.interactive.libraries import data_of
from nmcompile.interactive.quantized import QuantizeResult
from nmcompile.interactive.validated import Validated

__all__ = [
    "Compared",
    "CompiledNetwork",
    "Page",
    "QuantizeResult",
    "Simulated",
    "Validated",
    "compare",
    "compiled_network",
    "data_of",
]
