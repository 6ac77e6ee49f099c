"""What a network is: populations, linear maps, number formats, their rules and their meaning."""

from nmcompile.ir.formats import TERNARY, SpikeFormat, SynapseFormat, WeightWidth
from nmcompile.ir.network import Input, Network, Output, Population, Projection
from nmcompile.ir.reference import Trace, decisions, run, run_aligned, scores, step_weights
from nmcompile.ir.verify import order, verify

__all__ = [
    "TERNARY",
    "Input",
    "Network",
    "Output",
    "Population",
    "Projection",
    "SpikeFormat",
    "SynapseFormat",
    "Trace",
    "WeightWidth",
    "decisions",
    "order",
    "run",
    "run_aligned",
    "scores",
    "step_weights",
    "verify",
]
